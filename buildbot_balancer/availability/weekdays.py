# SPDX-License-Identifier: GPL-2.0-or-later
"""Weekdays as people write them: ``Mon-Fri``, ``Sat,Sun``, ``daily``. Monday is 0."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from buildbot_balancer.availability.text import clean
from buildbot_balancer.errors import TimeError

NAMES = ('monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday')
ALL = frozenset(range(7))
EVERY = ('daily', 'every day')
_LEAST = 2  # letters of an abbreviation: "Mo" can be nothing else


def weekdays(days: Any) -> frozenset[int]:
    """The days in a text, or in a list of such texts; raises TimeError."""
    if isinstance(days, frozenset) and days and days <= ALL:
        return days
    if isinstance(days, str):
        parts = days.split(',')
    elif isinstance(days, Iterable):
        parts = list(days)
    else:
        raise TimeError(f'{clean(repr(days), 40)} is no list of weekdays (such as Mon-Fri)')
    found: set[int] = set()
    for part in parts:
        if not isinstance(part, str):
            raise TimeError(f'{clean(repr(part), 40)} is no weekday (such as Mon, or Mon-Fri)')
        found |= weekdays(part) if ',' in part else _span(part)
    if not found:
        raise TimeError('a window needs at least one weekday')
    return frozenset(found)


def _span(text: str) -> set[int]:
    if ' '.join(text.lower().split()) in EVERY:
        return set(ALL)
    first, dash, last = text.partition('-')
    begin = _day(first)
    if not dash:
        return {begin}
    length = (_day(last) - begin) % 7 + 1  # Fri-Mon goes over the weekend
    return {(begin + index) % 7 for index in range(length)}


def _day(text: str) -> int:
    wanted = text.strip().lower().rstrip('.')
    for index, name in enumerate(NAMES):
        if len(wanted) >= _LEAST and name.startswith(wanted):
            return index
    short = [name[:3] for name in NAMES]
    near = difflib.get_close_matches(wanted, [*NAMES, *short], n=1)
    hint = f'; did you mean "{near[0][:3].capitalize()}"?' if near else ''
    raise TimeError(f'"{clean(text, 40)}" is no weekday (Mon, Tue, ... Sun, or Mon-Fri){hint}')


def weekdays_text(days: frozenset[int]) -> str:
    """The shortest that `weekdays` reads back: ``Mon-Fri``; ``daily`` for all."""
    if days == ALL:
        return EVERY[0]
    starts = [day for day in sorted(days) if (day - 1) % 7 not in days]
    return ','.join(_span_text(days, start) for start in starts)


def _span_text(days: frozenset[int], start: int) -> str:
    last = start
    while (last + 1) % 7 in days:
        last = (last + 1) % 7
    first, end = (NAMES[day][:3].capitalize() for day in (start, last))
    if last == start:
        return first
    joint = ',' if (start + 1) % 7 == last else '-'
    return f'{first}{joint}{end}'
