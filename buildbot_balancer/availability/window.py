# SPDX-License-Identifier: GPL-2.0-or-later
"""Window: a time of day on some days of the week, by the clock of one zone.

It goes from the first moment at which the clock shows its start (or skips it) to the first at
which the clock shows its end, so that windows that follow each other neither overlap nor leave a
gap when the clocks change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from datetime import datetime
from datetime import time
from datetime import timedelta
from typing import Any

import attrs

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.weekdays import ALL
from buildbot_balancer.availability.weekdays import weekdays
from buildbot_balancer.availability.weekdays import weekdays_text
from buildbot_balancer.availability.zone import Zone
from buildbot_balancer.errors import TimeError

_CLOCK = re.compile(r'(\d{1,2}):(\d{2})', re.ASCII)
_DAY = timedelta(days=1)
# a window of one weekday may vanish on the day of a change, and a zone may leave out a day
_AHEAD = 22  # days


def time_of_day(text: Any) -> timedelta:
    """Since midnight, of ``HH:MM`` or a time of TOML's own; raises TimeError."""
    if isinstance(text, timedelta):
        return text
    if isinstance(text, time):
        text = text.isoformat('minutes') if not (text.second or text.microsecond) else str(text)
    match = _CLOCK.fullmatch(text.strip()) if isinstance(text, str) else None
    hours, minutes = (int(part) for part in match.groups()) if match else (99, 0)
    if minutes > 59 or hours * 60 + minutes > 24 * 60:
        raise TimeError(f'"{clean(str(text), 40)}" is no time of day (such as 08:30, up to 24:00)')
    return timedelta(hours=hours, minutes=minutes)


def _zone(name: Any) -> Zone:
    if isinstance(name, Zone):
        return name
    if not isinstance(name, str) or not name.strip():
        raise TimeError(
            'a window needs a timezone, such as timezone="Europe/Berlin" or timezone="UTC"'
        )
    return Zone.named(name)


@attrs.frozen
class Window:
    """`Window('Mon-Fri', '22:00', '06:00', timezone='UTC')`; raises TimeError.

    The days are those on which it starts; an `end` that is not after `start` is on the next day.
    """

    days: frozenset[int] = attrs.field(converter=weekdays)
    start: timedelta = attrs.field(converter=time_of_day)
    end: timedelta = attrs.field(converter=time_of_day)
    timezone: Zone = attrs.field(converter=_zone, default=None, kw_only=True)
    mood: Mood | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.start == _DAY:
            raise TimeError('a window cannot start at 24:00: it is 00:00 of the next day')
        if self.start == self.end:
            clock = _clock_text(self.start)
            raise TimeError(
                f'a window from {clock} to {clock} has no length'
                ' (a whole day is from 00:00 to 24:00)'
            )

    def __str__(self) -> str:
        clocks = f'{_clock_text(self.start)}-{_clock_text(self.end)}'
        zone = '' if self.timezone.rules is None else f' {self.timezone.name}'
        return f'{weekdays_text(self.days)} {clocks}{zone}'

    @property
    def always(self) -> bool:
        return self.days == ALL and not self.start and self.end == _DAY

    def contains(self, now: float) -> bool:
        return any(begin <= now < end for begin, end in self._stays(now, ahead=1))

    def next_change(self, now: float) -> float | None:
        """The first moment after `now` at which `contains` changes; None: it never does."""
        if self.always:
            return None
        inside_until = None
        for begin, end in self._stays(now, ahead=_AHEAD):
            if inside_until is None and now < begin:
                return begin
            if begin <= now < end or begin == inside_until:
                inside_until = end
            elif inside_until is not None:
                break
        return inside_until

    def _stays(self, now: float, ahead: int) -> Iterator[tuple[float, float]]:
        """Those that are not over, the earliest first; one that the clock skips is none."""
        shown = self.timezone.shows(now).date()
        for index in range(-1, ahead + 1):
            day = shown + index * _DAY
            if day.weekday() in self.days:
                begin, end = self._stay(day)
                if begin < end and now < end:
                    yield begin, end

    def _stay(self, day: date) -> tuple[float, float]:
        midnight = datetime.combine(day, time())
        over = _DAY if self.end < self.start else timedelta()
        begin = self.timezone.reaches(midnight + self.start)
        return begin, self.timezone.reaches(midnight + over + self.end)


def _clock_text(since_midnight: timedelta) -> str:
    minutes = since_midnight // timedelta(minutes=1)
    return f'{minutes // 60:02}:{minutes % 60:02}'
