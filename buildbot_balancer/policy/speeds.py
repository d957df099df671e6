# SPDX-License-Identifier: GPL-2.0-or-later
"""Speeds: how fast the workers of one builder are, and which one is worth another try."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

import attrs

from buildbot_balancer.policy.scorers import BEST

KEPT = 5  # builds of one builder on one worker
SHORTEST = 0.5  # seconds; Buildbot counts whole ones, so that many a build takes 0

Lesson = tuple[float, float]  # when it ended (epoch seconds), seconds that it took


@attrs.define
class _Place:
    last: int  # the number of the builder's last build here
    lessons: tuple[Lesson, ...] = ()  # by their time
    typical: float | None = None  # seconds


@attrs.define
class Speeds:
    """The builder's builds are counted as they begin."""

    begun: int = 0
    _places: dict[str, _Place] = attrs.field(factory=dict)
    _fastest: float | None = None  # seconds

    @property
    def is_empty(self) -> bool:
        return not self._places

    def began(self, worker: str) -> None:
        self.begun += 1
        self._place(worker).last = self.begun

    def learn(self, worker: str, seconds: float, at: float, half_life: float) -> None:
        """The same build twice is one: a worker runs one build of a builder at a time."""
        place = self._place(worker)
        known = dict(place.lessons)
        known[at] = max(seconds, SHORTEST)
        place.lessons = tuple(sorted(known.items())[-KEPT:])
        place.typical = typical(place.lessons, half_life)
        self._find_fastest()

    def forget(self, worker: str) -> None:
        self._places.pop(worker, None)
        self._find_fastest()

    def score(self, worker: str, probe_every: int | None) -> float | None:
        place = self._places.get(worker)
        if probe_every is None or (self.begun + 1) % probe_every:
            return self._usual(place)
        if place is None:
            return BEST
        age = self.begun - place.last
        if age >= probe_every:  # the longer ago the better, and far above all others
            return BEST - BEST / 4 * probe_every / age
        usual = self._usual(place)
        return None if usual is None else usual / 4

    def _usual(self, place: _Place | None) -> float | None:
        if place is None:
            return BEST  # never tried: it may be the fastest
        if place.typical is None or self._fastest is None:
            return None  # tried, and no build has succeeded
        return BEST * (self._fastest / place.typical)

    def _place(self, worker: str) -> _Place:
        return self._places.setdefault(worker, _Place(self.begun))

    def _find_fastest(self) -> None:
        known = [one.typical for one in self._places.values() if one.typical is not None]
        self._fastest = min(known, default=None)


def typical(lessons: tuple[Lesson, ...], half_life: float) -> float:
    """The median, in which a lesson counts half as much as one that is `half_life` younger.

    One build that hung, or that had nothing to do, does not move it.
    """
    newest = max(at for at, _ in lessons)
    weighted = sorted((seconds, 0.5 ** ((newest - at) / half_life)) for at, seconds in lessons)
    so_far = list(accumulate(weight for _, weight in weighted))
    return weighted[bisect_left(so_far, so_far[-1] / 2)][0]
