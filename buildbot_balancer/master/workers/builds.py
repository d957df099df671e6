# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds: which builds run on a worker, those about to start included, and since when.

Buildbot's own tables are not enough: a reconfig or a lost connection takes the place of a build
that goes on out of them.
"""

from __future__ import annotations

import math
from typing import Any

import attrs

from buildbot_balancer.master import compat

# A load average tells of a new build only by and by: after t seconds 1 - exp(-t / 60) of it.
WINDOW = 60.0  # seconds
BUILD_LOAD = 1.0  # CPUs that a build is taken to keep busy until a report shows it


@attrs.define(eq=False)
class _Place:
    since: float  # epoch seconds
    build: Any = None  # None: about to start

    @property
    def over(self) -> bool:
        return self.build is not None and bool(self.build.finished)


class Builds:
    """By the worker's name and Buildbot's WorkerForBuilder."""

    def __init__(self) -> None:
        self._places: dict[str, dict[Any, _Place]] = {}

    def starting(self, name: str, wfb: Any, now: float) -> None:
        self._places.setdefault(name, {})[wfb] = _Place(now)

    def started(self, name: str, wfb: Any, build: Any) -> None:
        """`build` None: it did not start after all."""
        place = self._places.get(name, {}).get(wfb)
        if build is None:
            self._places.get(name, {}).pop(wfb, None)
        elif place is not None:
            place.build = build

    def adopt(self, master: Any) -> None:
        """Builds that began before anybody counted; their load is in every report by now."""
        for name, wfb, build in compat.builds_going_on(master):
            self._places.setdefault(name, {}).setdefault(wfb, _Place(-math.inf, build))

    def of(self, name: str) -> list[Any]:
        """Buildbot's builds on this worker, without those that are about to start."""
        return [p.build for p in self._going_on(name).values() if p.build is not None]

    def count(self, name: str) -> int:
        return len(self._going_on(name))

    def coming_load(self, name: str, sampled_at: float, now: float) -> float:
        """CPUs that running builds will use, and that a load sampled then does not show yet."""
        return sum(
            BUILD_LOAD * math.exp(-max(sampled_at - place.since, 0.0) / WINDOW)
            for place in self._going_on(name).values()
            if place.since <= now
        )

    def _going_on(self, name: str) -> dict[Any, _Place]:
        places = self._places.get(name)
        if not places:
            return {}
        for wfb in [wfb for wfb, place in places.items() if place.over]:
            del places[wfb]
        if not places:
            del self._places[name]
        return places
