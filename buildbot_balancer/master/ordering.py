# SPDX-License-Identifier: GPL-2.0-or-later
"""Ordering: which of the requests that could start is looked at next.

``'request'``: the first of all builders. ``'builder'``: Buildbot's hierarchy, one builder after the
other. ``'worker'``: the best worker first, and the first request that could use it.
"""

from __future__ import annotations

from typing import Any
from typing import Callable

from buildbot_balancer.master.agenda import Agenda
from buildbot_balancer.master.calls import Calls
from buildbot_balancer.master.complaints import Complaints
from buildbot_balancer.master.lane import Lane

Next = tuple[Lane, int]
May = Callable[[str], bool]


class Ordering:
    """`best_first(workers)` is for the order 'worker'."""

    def __init__(
        self,
        master: Any,
        agenda: Agenda,
        complaints: Complaints,
        calls: Calls,
        best_first: Callable[[set[str]], Any],
    ) -> None:
        self.order = 'request'
        self._master = master
        self._agenda = agenda
        self._complaints = complaints
        self._calls = calls
        self._best_first = best_first
        self._sequence: dict[str, int] | None = None  # of builders, in this pass

    def new_pass(self) -> None:
        """Something has changed since the builders were put in order."""
        self._sequence = None

    async def next(self, may: May) -> Next | None:
        if self.order == 'builder':
            return await self._of_first_builder(may)
        if self.order == 'worker':
            return self._of_best_worker(may)
        return self._agenda.next(may)

    async def _of_first_builder(self, may: May) -> Next | None:
        lanes = list(self._agenda.runnable(may))
        sort = self._master.config.prioritizeBuilders
        if not lanes or sort is None:
            # as Buildbot's own sorter: by the highest priority, then the oldest request
            return _first(lanes)
        if self._sequence is None:
            self._sequence = await self._sorted(sort, {lane.builder for lane in lanes})
            lanes = list(self._agenda.runnable(may))
        places, last = self._sequence, len(self._sequence)
        # lanes are in the order of their requests, and the sort is stable
        return _first(sorted(lanes, key=lambda lane: places.get(lane.builder, last)))

    async def _sorted(self, sort: Callable[..., Any], names: set[str]) -> dict[str, int]:
        known = self._master.botmaster.builders
        builders = [known[name] for name in sorted(names) if name in known]
        try:
            builders = await self._calls.ask(sort, self._master, builders)
            return {builder.name: place for place, builder in enumerate(builders)}
        except Exception as e:
            self._complaints.about('prioritizeBuilders', e)
            return {}

    def _of_best_worker(self, may: May) -> Next | None:
        lanes = list(self._agenda.runnable(may))
        if not lanes:
            return None
        for worker in self._best_first(self._agenda.free):
            for lane in lanes:
                if worker in lane.open:
                    return _first([lane])
        return _first(lanes)


def _first(lanes: list[Lane]) -> Next | None:
    for lane in lanes:
        if lane.head is not None:
            return lane, lane.head[1]
    return None
