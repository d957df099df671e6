# SPDX-License-Identifier: GPL-2.0-or-later
"""Moments and durations as people write them."""

from __future__ import annotations

import re
from datetime import datetime
from datetime import timedelta

from buildbot_balancer.availability.text import clean
from buildbot_balancer.errors import TimeError

_UNITS = {'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400}
_DURATION = re.compile(r'(?:\d+(?:\.\d+)?\s*[smhdw]\s*)+', re.ASCII)
_PART = re.compile(r'(\d+(?:\.\d+)?)\s*([smhdw])', re.ASCII)
_CLOCK = re.compile(r'(\d{1,2}):(\d{2})(?::(\d{2}))?', re.ASCII)
_LONGEST = 10 * 366 * 86400  # ten years: beyond it a typing error is likelier than a plan


def duration(text: str) -> float:
    """Seconds in ``90s``, ``15m``, ``2h``, ``1h30m``, ``3d``, ``2w``; raises TimeError."""
    wanted = text.strip().lower()
    if not _DURATION.fullmatch(wanted):
        raise TimeError(f'"{clean(text, 40)}" is no duration (such as 90s, 15m, 2h, 1h30m, 3d)')
    seconds = sum(float(count) * _UNITS[unit] for count, unit in _PART.findall(wanted))
    if seconds > _LONGEST:
        raise TimeError(f'"{clean(text, 40)}" is longer than ten years')
    return seconds


def moment(text: str, now: float) -> float:
    """Epoch seconds of ``18:00`` (the next one), a date with a time, or a duration from `now`.

    Without a zone the machine's own local time is meant. Raises TimeError.
    """
    wanted = text.strip()
    if _DURATION.fullmatch(wanted.lower()):
        return now + duration(wanted)
    found = _clock(wanted, now)
    if found is None:
        found = _date(wanted)
    if found is None:
        raise TimeError(
            f'"{clean(wanted, 40)}" is no time (such as 18:00, "2026-12-24 08:00", 2h or 1h30m)'
        )
    if found > now + _LONGEST:
        raise TimeError(f'"{clean(wanted, 40)}" is more than ten years away')
    return found


def _clock(text: str, now: float) -> float | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups())
    today = datetime.fromtimestamp(now)  # noqa: DTZ006  the person's own clock is what is meant
    try:
        wanted = today.replace(hour=hour, minute=minute, second=second, microsecond=0)
    except ValueError:
        return None
    # in the hour that comes twice in autumn, the second one may still be to come
    for when in (wanted, wanted.replace(fold=1)):
        if when.timestamp() > now:
            return when.timestamp()
    return (wanted + timedelta(days=1)).timestamp()


def _date(text: str) -> float | None:
    iso = re.sub(r'[zZ]$', '+00:00', text)  # Python before 3.11 does not know Z
    try:
        return datetime.fromisoformat(iso).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def clock_text(at: float, now: float) -> str:
    """A moment as a person reads it: ``18:00`` when it is within a day, else with its date."""
    local = datetime.fromtimestamp(at)  # noqa: DTZ006  shown to the person at this machine
    if abs(at - now) < 86400:
        return local.strftime('%H:%M')
    return local.strftime('%Y-%m-%d %H:%M')


def span_text(seconds: float) -> str:
    """A duration as a person reads it, in its largest unit: ``4 min``."""
    for size, unit in ((86400, 'd'), (3600, 'h'), (60, 'min')):
        if seconds >= size:
            return f'{int(seconds // size)} {unit}'
    return f'{int(max(seconds, 0))} s'
