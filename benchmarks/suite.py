# SPDX-License-Identifier: GPL-2.0-or-later
"""Suite: which plans a run has."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

import attrs

from benchmarks.plan import BALANCER
from benchmarks.plan import CALM
from benchmarks.plan import DRAIN
from benchmarks.plan import EVENTS
from benchmarks.plan import FLOOR
from benchmarks.plan import MEMORY
from benchmarks.plan import MOOD
from benchmarks.plan import REPORTER
from benchmarks.plan import SCENARIOS
from benchmarks.plan import SHARED
from benchmarks.plan import SIDES
from benchmarks.plan import STOCK
from benchmarks.plan import Plan
from benchmarks.size import Size

SIZES = (
    Size(1, 10, 1_000),
    Size(100, 10, 1_000),
    Size(300, 100, 10_000),
    Size(1_000, 200, 10_000),
)
LARGEST = Size(1_000, 1_000, 100_000)  # Buildbot's own distributor would need an hour
CALM_SIZE = Size(100, 40, 1_000)
IDLE_SIZE = Size(100, 10, 0)
MASTERS = (1, 2, 4)  # of shared locks
TAKES = 1_000  # by each of them


@attrs.frozen(kw_only=True)
class Suite:
    sizes: Sequence[Size] | None = None  # of drains and floors; None: those of the documentation
    sides: Sequence[str] = SIDES
    scenarios: Sequence[str] = SCENARIOS
    starts: int = 100
    seconds: float = 60.0
    reporter: float = 600.0  # seconds for which a reporter is watched
    profile: str | None = None

    def plans(self) -> list[Plan]:
        """The drains of one size next to each other, for the machine may change with the hour."""
        return [plan for plan in self._all() if plan.scenario in self.scenarios]

    def _all(self) -> Iterator[Plan]:
        for size in SIZES if self.sizes is None else self.sizes:
            yield from self._of_size(size, self.sides)
        if self.sizes is None and BALANCER in self.sides:
            yield from self._of_size(LARGEST, [BALANCER])
            for pending in (LARGEST.pending, 0):
                size = attrs.evolve(LARGEST, pending=pending)
                yield self._plan(MEMORY, size, BALANCER)
        for side in self.sides:
            calm = self._plan(CALM, CALM_SIZE, side)
            yield attrs.evolve(calm, build=20.0, seconds=max(self.seconds, 20.0))
        for side in self.sides:
            yield attrs.evolve(self._plan(EVENTS, IDLE_SIZE, side), starts=20)
        if BALANCER in self.sides:
            yield attrs.evolve(self._plan(MOOD, IDLE_SIZE, BALANCER), starts=10)
            yield attrs.evolve(self._plan(REPORTER, IDLE_SIZE, BALANCER), seconds=self.reporter)
            for masters in MASTERS:
                shared = self._plan(SHARED, IDLE_SIZE, BALANCER)
                yield attrs.evolve(shared, masters=masters, starts=TAKES, warmup=100)

    def _of_size(self, size: Size, sides: Sequence[str]) -> Iterator[Plan]:
        yield self._plan(FLOOR, size, STOCK)
        for side in sides:
            yield self._plan(DRAIN, size, side)

    def _plan(self, scenario: str, size: Size, side: str) -> Plan:
        return Plan(
            scenario=scenario,
            size=size,
            side=side,
            starts=self.starts,
            seconds=self.seconds,
            profile=self.profile if scenario in {DRAIN, CALM} else None,
        )
