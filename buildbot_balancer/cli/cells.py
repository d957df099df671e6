# SPDX-License-Identifier: GPL-2.0-or-later
"""Cells: values of the data API as a terminal may show them.

What comes from a master was typed by strangers: all of it goes through `text`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.text import Text

from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.availability.when import span_text
from buildbot_balancer.explain import sights

LONGEST = 1000  # characters of one text

STYLES = {
    'eager': 'green',
    'reluctant': 'yellow',
    'going-on-holiday': 'red',
    'offline': 'red',
    sights.RUNNING: 'green',
    sights.COMPLETE: 'green',
    sights.WAITING: 'yellow',
    sights.QUEUED: 'yellow',
    sights.PAUSED: 'magenta',
    sights.STUCK: 'bold red',
}


def plain(value: object) -> str:
    """Without control characters; '' for what is unknown."""
    return '' if value is None else clean(str(value), LONGEST)


def text(value: object, style: str = '') -> Text:
    """A Text is never read as markup."""
    return Text(plain(value), style=style)


def word(value: object) -> Text:
    """A mood or a state, in its colour."""
    return text(value, STYLES.get(plain(value), ''))


def load(value: object) -> Text:
    number = _number(value)
    return Text('') if number is None else Text(f'{number:.2f}')


def moment(value: object, now: float) -> str:
    at = _number(value)
    if at is None:
        return ''
    try:
        return clock_text(at, now)
    except (ValueError, OverflowError, OSError):
        return '?'


def span(value: object) -> str:
    seconds = _number(value)
    return '' if seconds is None else span_text(seconds)


def since(value: object, now: float) -> str:
    """How long ago: ``4 min``."""
    at = _number(value)
    return '' if at is None else span_text(now - at)


def names(values: Iterable[object], most: int = 4) -> Text:
    """``win #41, win #42, 3 more``"""
    shown = [plain(value) for value in values]
    more = [f'{len(shown) - most} more'] if len(shown) > most else []
    return Text(', '.join([*shown[:most], *more]))


def count(number: int, noun: str) -> str:
    """``1 request``, ``2 requests``"""
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
