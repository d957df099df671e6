# SPDX-License-Identifier: GPL-2.0-or-later
"""Values of ``availability.toml``, each checked: a value in, what it means out, or a BadValue."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any
from typing import Callable
from typing import Optional

from buildbot_balancer.availability import when
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.weekdays import weekdays
from buildbot_balancer.availability.window import time_of_day
from buildbot_balancer.availability.zone import Zone
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.errors import TimeError
from buildbot_balancer.errors import WordError

Check = Callable[[Any], Any]

_SIZE = re.compile(r'(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)b?', re.ASCII)
_POWERS = {'': 0, 'k': 1, 'm': 2, 'g': 3, 't': 4, 'p': 5}
_PERCENT = re.compile(r'(\d+(?:\.\d+)?)\s*%', re.ASCII)
_TEXT_LIMIT = 200


class BadValueError(BalancerError):
    """What is wrong with a value, as the end of a sentence that begins with its key."""


def shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else _as_toml(value)
    return clean(text[:80], 60)


def _as_toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return 'a table'
    return repr(value) if isinstance(value, (int, float, list)) else str(value)


def boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise BadValueError(f'must be true or false, not {shown(value)}')
    return value


def text(value: Any) -> str:
    if not isinstance(value, str) or not clean(value, _TEXT_LIMIT):
        raise BadValueError(f'must be a text, not {shown(value)}')
    if len(value) > _TEXT_LIMIT:
        raise BadValueError(f'must be at most {_TEXT_LIMIT} characters long')
    return clean(value, _TEXT_LIMIT)


def mood(value: Any) -> Mood:
    if not isinstance(value, str):
        moods = ', '.join(f'"{one.label}"' for one in Mood)
        raise BadValueError(f'must be a mood ({moods}), not {shown(value)}')
    try:
        return Mood.parse(value)
    except WordError as e:
        raise BadValueError(f'must be a mood: {e}') from e


def duration(least: float, most: float) -> Check:
    """Seconds of ``"5m"``; a bare number has no unit and is refused."""

    def check(value: Any) -> float:
        if not isinstance(value, str):
            raise BadValueError(f'must be a duration in quotes, such as "5m", not {shown(value)}')
        try:
            seconds = when.duration(value)
        except TimeError as e:
            raise BadValueError(f'must be a duration: {e}') from e
        if not least <= seconds <= most:
            raise BadValueError(f'must be from {_span(least)} to {_span(most)}, not {shown(value)}')
        return seconds

    return check


def _span(seconds: float) -> str:
    return when.span_text(seconds) if seconds >= 1 else f'{seconds:g} s'


def of_time(read: Callable[[Any], Any]) -> Check:
    """What reads a part of a window raises TimeError with a whole sentence."""

    def check(value: Any) -> Any:
        try:
            return read(value)
        except TimeError as e:
            raise BadValueError(f'is wrong: {e}') from e

    return check


def _zone(value: Any) -> Zone:
    return Zone.named(text(value))


days = of_time(weekdays)
clock = of_time(time_of_day)
zone = of_time(_zone)


def number(least: float, most: float) -> Check:
    def check(value: Any) -> float:
        if type(value) not in {int, float} or not _within(value, least, most):
            raise BadValueError(f'must be a number from {least:g} to {most:g}, not {shown(value)}')
        return float(value)

    return check


def port(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= 65535:
        raise BadValueError(f'must be a port number such as 8099, not {shown(value)}')
    return value


def percent(value: Any) -> float:
    """0 to 100, of ``40`` or ``"40 %"``."""
    match = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    found = float(match.group(1)) if match else value
    if type(found) not in {int, float} or not _within(found, 0, 100):
        raise BadValueError(f'must be a percentage such as 40 or "40 %", not {shown(value)}')
    return float(found)


def _within(value: float, least: float, most: float) -> bool:
    return least <= value <= most  # never true of nan; a whole number may be huge


def size(value: Any) -> float:
    """Bytes of ``"20 GB"`` (1000s) or ``"20 GiB"`` (1024s)."""
    match = _SIZE.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if match is None or len(match.group(1)) > 20 or match.group(2, 3) == ('', 'i'):
        raise BadValueError(f'must be a size such as "20 GB" or "500 MiB", not {shown(value)}')
    base = 1024 if match.group(3) else 1000
    return float(match.group(1)) * float(base ** _POWERS[match.group(2)])


def path(value: Any) -> Path:
    found = Path(text(value))
    try:
        return found.expanduser()
    except RuntimeError as e:  # "~somebody" who is not there
        raise BadValueError(f'must be a path, not {shown(value)}: {clean(str(e), 60)}') from e


def programs(value: Any) -> tuple[str, ...]:
    """Names of programs; one may be given without a list."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise BadValueError(f'must be a list of names of programs, not {shown(value)}')
    for name in names:
        if not name.strip() or '/' in name or '\\' in name:
            raise BadValueError(f'must be names of programs, not paths: {shown(name)}')
    return tuple(clean(name, _TEXT_LIMIT) for name in names)


def command(value: Any) -> tuple[str, ...]:
    """A program with its arguments, as one text or as a list."""
    try:
        parts = shlex.split(value) if isinstance(value, str) else value
    except ValueError as e:
        raise BadValueError(f'must be a command line, not {shown(value)} ({e})') from e
    if not isinstance(parts, list) or not parts or not all(isinstance(p, str) for p in parts):
        raise BadValueError(f'must be a program with its arguments, not {shown(value)}')
    if not parts[0] or any('\0' in part for part in parts):
        raise BadValueError(f'must be a program with its arguments, not {shown(value)}')
    return (str(path(parts[0])), *parts[1:])


Limit = tuple[float, Optional[float]]


def limits(check: Check) -> Check:
    """``40``, or ``{busy = 40, free = 20}``: from where on it is busy, and free again."""

    def check_both(value: Any) -> Limit:
        if not isinstance(value, dict):
            return check(value), None
        strange = [key for key in value if key not in {'busy', 'free'}]
        if strange or 'busy' not in value:
            raise BadValueError('must be one number, or {busy = 40, free = 20}')
        return check(value['busy']), check(value['free']) if 'free' in value else None

    return check_both
