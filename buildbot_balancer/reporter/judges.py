# SPDX-License-Identifier: GPL-2.0-or-later
"""Judges: what the sections of the settings make of what was measured. Pure.

A rule finds a mood in a value; its judge adds what is the same for all: the unknown and the hold
time.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Callable

import attrs

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import span_text
from buildbot_balancer.availability.window import Window
from buildbot_balancer.reporter import rules
from buildbot_balancer.reporter import says
from buildbot_balancer.reporter.hold import Hold
from buildbot_balancer.reporter.measured import Reading
from buildbot_balancer.reporter.rules import Finding
from buildbot_balancer.reporter.rules import Rule
from buildbot_balancer.reporter.says import Says
from buildbot_balancer.reporter.settings.sections import Settings

WORDS_LIMIT = 200
EVERY = 10.0  # seconds between two measurements
LEAST_STALE_AFTER = 30.0
MISSED = 3  # answers in a row, until the last good one counts no more
LOOK_AGAIN = 60.0  # seconds; the machine itself may be given another zone
_MINUTE = 60.0
_CHANGES = 50  # of windows that are looked through for the next change of the mood


class Judge:
    """Of one section; `every`: seconds between two measurements."""

    def __init__(
        self, source: str, rule: Rule, unknown: Mood, hold: float, every: float = EVERY
    ) -> None:
        self.source = source
        self._rule = rule
        self._unknown = unknown
        self._hold = Hold(hold)
        self._stale_after = max(MISSED * every, LEAST_STALE_AFTER)

    def judge(self, reading: Reading, now: float) -> Says:
        """`now`: seconds of a clock that never steps."""
        wanted, words = self._finding(reading, now)
        if reading.value is None:  # nothing was ever measured: nothing that could be held
            return Says(self.source, wanted, clean(words, WORDS_LIMIT))
        mood = self._hold.settle(wanted, now)
        if self._hold.waits:
            words = f'{words}; not yet for {span_text(self._hold.seconds)}'
        return Says(self.source, mood, clean(words, WORDS_LIMIT))

    def _finding(self, reading: Reading, now: float) -> Finding:
        if reading.value is None:
            return self._unknown, f'unknown: {reading.why}'
        age = now - reading.at
        if age > self._stale_after:
            since = '' if age < _MINUTE else f' for {span_text(age)}'
            return self._unknown, f'unknown{since}: {reading.why or "no answer"}'
        return self._rule(reading.value)


class WindowJudge:
    """Windows need no hold time; of those that overlap the lowest mood wins."""

    def __init__(self, windows: Sequence[Window], outside: Mood) -> None:
        self._windows = windows
        self._outside = outside
        self._known: tuple[float, float, Says] | None = None  # from, until

    def judge(self, now: float) -> Says:
        """`now`: epoch seconds."""
        if self._known is None or not self._known[0] <= now < self._known[1]:
            change = self._next_change(now)
            until = now + LOOK_AGAIN if change is None else min(change, now + LOOK_AGAIN)
            self._known = (now, until, self._look(now))
        return self._known[2]

    def _look(self, now: float) -> Says:
        mood, words = self._mood(now), 'outside'
        for window in self._windows:
            if window.mood is mood and window.contains(now):
                words = f'in {window}'
                break
        return Says(says.WINDOW, mood, words, self._until(now, mood))

    def _mood(self, now: float) -> Mood:
        inside = [one.mood for one in self._windows if one.mood is not None and one.contains(now)]
        return min(inside, default=self._outside)

    def _next_change(self, now: float) -> float | None:
        changes = [one.next_change(now) for one in self._windows]
        return min((at for at in changes if at is not None), default=None)

    def _until(self, now: float, mood: Mood) -> float | None:
        at = self._next_change(now)
        for _ in range(_CHANGES):
            if at is None or self._mood(at) is not mood:
                return at
            at = self._next_change(at)
        return None


class Bench:
    """All judges of one settings file, in the order of authority."""

    def __init__(self, settings: Settings, interval: float, before: Bench | None = None) -> None:
        """Of the bench `before` it keeps the judges whose sections are as they were."""
        self._windows = WindowJudge(settings.windows, settings.outside)
        self._has_windows = bool(settings.windows)
        self.seats: dict[_Seat, Judge] = {}
        for seat in _seats(settings, interval):
            old = None if before is None else before.seats.get(seat)
            self.seats[seat] = old or seat.judge()

    def judge(self, readings: Mapping[str, Reading], steady: float, now: float) -> tuple[Says, ...]:
        """`steady`: seconds of a clock that never steps; `now`: epoch seconds."""
        said = {
            seat.source: judge.judge(readings.get(seat.source, Reading()), steady)
            for seat, judge in self.seats.items()
        }
        if self._has_windows:
            said[says.WINDOW] = self._windows.judge(now)
        return tuple(said[source] for source in says.AUTOMATIC if source in said)


@attrs.frozen
class _Seat:
    source: str
    section: Any
    make: Callable[[Any], Rule]
    every: float = EVERY

    def judge(self) -> Judge:
        section = self.section
        rule = self.make(section)
        return Judge(self.source, rule, section.when_unknown, section.hold, self.every)


def _seats(settings: Settings, interval: float) -> Iterator[_Seat]:
    command = settings.command
    every = EVERY if command is None else command.every
    for seat in (
        _Seat(says.BATTERY, settings.battery, rules.battery),
        _Seat(says.DISK, settings.disk, rules.disk),
        _Seat(says.BUSY_WITH, settings.busy_with, rules.busy_with),
        _Seat(says.COMMAND, command, rules.command, every),
        _Seat(says.IDLE, settings.idle, rules.idle),
        _Seat(says.LOAD, settings.load, rules.load, interval),
        _Seat(says.PRESSURE, settings.pressure, rules.pressure),
    ):
        if seat.section is not None:
            yield seat
