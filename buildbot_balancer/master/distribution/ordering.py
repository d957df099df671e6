# SPDX-License-Identifier: GPL-2.0-or-later
"""Ordering: which of the requests that could start is looked at next.

``'request'``: the first of all builders. ``'builder'``: Buildbot's hierarchy, one builder after the
other. ``'worker'``: the best worker first, and the first request that could use it. An IOrder: the
pair of a builder's first request and a free worker that it ranks highest.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable
from collections.abc import Iterable
from typing import Any
from typing import Callable
from typing import NamedTuple

from buildbot_balancer.master.calls import Calls
from buildbot_balancer.master.complaints import Complaints
from buildbot_balancer.master.distribution.agenda import Agenda
from buildbot_balancer.master.distribution.lane import Entry
from buildbot_balancer.master.distribution.lane import Lane
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

Pairs = Iterable[tuple[str, RequestView, WorkerView]]


AGAIN = 3  # times that builders are put in order while more and more happens


class Next(NamedTuple):
    """`only`: the one worker that is to be tried (None: whom the policy prefers)."""

    lane: Lane
    request: int
    only: str | None = None


May = Callable[[str], bool]


class Ordering:
    """`best_first(workers)` is for the order 'worker', `pairs` for an IOrder."""

    def __init__(
        self,
        master: Any,
        agenda: Agenda,
        complaints: Complaints,
        calls: Calls,
        best_first: Callable[[set[str]], Any],
        pairs: Callable[[Lane, int, set[str]], Awaitable[Pairs]],
    ) -> None:
        self.order: Any = 'request'
        self._master = master
        self._agenda = agenda
        self._complaints = complaints
        self._calls = calls
        self._best_first = best_first
        self._pairs = pairs
        self._sequence: dict[str, int] | None = None  # of builders, in this pass
        self._pass = 0
        self._passed_over: dict[str, set[int]] = {}  # by worker, which did not take them

    @property
    def sequence(self) -> dict[str, int] | None:
        """The builders' places in this pass; None where nobody has asked for them."""
        return self._sequence

    def new_pass(self) -> None:
        """Something has changed since the builders were put in order."""
        self._sequence = None
        self._pass += 1

    def pass_over(self, request: int, worker: str) -> None:
        """It waits for the turn of another worker, until something changes."""
        self._passed_over.setdefault(worker, set()).add(request)

    def worker_changed(self, worker: str) -> None:
        self._passed_over.pop(worker, None)

    def request_changed(self, request: int) -> None:
        for passed in self._passed_over.values():
            passed.discard(request)

    def everything_changed(self) -> None:
        self._passed_over.clear()

    async def next(self, may: May) -> Next | None:
        if self.order == 'builder':
            return await self._of_first_builder(may)
        if self.order == 'worker':
            return self._of_best_worker(may)
        if self.order == 'request':
            found = self._agenda.next(may)
            return None if found is None else Next(*found)
        return await self._of_best_pair(may)

    async def _of_first_builder(self, may: May) -> Next | None:
        lanes = list(self._agenda.runnable(may))
        sort = self._master.config.prioritizeBuilders
        if not lanes or sort is None:
            # as Buildbot's own sorter: by the highest priority, then the oldest request
            return _first(lanes)
        places = self._sequence
        for _ in range(AGAIN if places is None else 0):
            now = self._pass
            waiting = {lane.builder for lane in self._agenda.runnable(_anybody)}
            places = await self._sorted(sort, waiting)
            if self._pass == now:  # else something has changed meanwhile
                self._sequence = places
                break
        places = places or {}
        # the function may leave builders out, which start nothing then
        lanes = [lane for lane in self._agenda.runnable(may) if lane.builder in places]
        # lanes are in the order of their requests, and the sort is stable
        return _first(sorted(lanes, key=lambda lane: places[lane.builder]))

    async def _sorted(self, sort: Callable[..., Any], names: set[str]) -> dict[str, int]:
        known = self._master.botmaster.builders
        builders = [known[name] for name in sorted(names) if name in known]
        try:
            builders = await self._calls.ask(sort, self._master, builders)
            return {builder.name: place for place, builder in enumerate(builders)}
        except Exception as e:
            self._complaints.about('prioritizeBuilders', e)
            return dict.fromkeys(names, 0)

    def _of_best_worker(self, may: May) -> Next | None:
        lanes = list(self._agenda.runnable(may))
        if not lanes:
            return None
        for worker in self._best_first(self._agenda.free):
            found = self._first_for(worker, lanes)
            if found is not None:
                return found
        # each worker has passed over all of them
        return _first(lanes)

    def _first_for(self, worker: str, lanes: list[Lane]) -> Next | None:
        best: tuple[Entry, Next] | None = None
        passed = self._passed_over.get(worker, ())
        for lane in lanes:
            if best is not None and lane.head is not None and lane.head > best[0]:
                break  # lanes are in the order of their first requests
            if worker in lane.open:
                entry = next((one for one in lane.entries if one[1] not in passed), None)
                if entry is not None and (best is None or entry < best[0]):
                    best = entry, Next(lane, entry[1], worker)
        return None if best is None else best[1]

    async def _of_best_pair(self, may: May) -> Next | None:
        best: tuple[float, Next] | None = None
        for lane in list(self._agenda.runnable(may)):
            if lane.head is None:
                continue
            request = lane.head[1]
            for name, view, worker in await self._pairs(lane, request, self._agenda.free):
                rank = self._rank(view, worker)
                if best is None or rank > best[0]:
                    best = rank, Next(lane, request, name)
        return None if best is None else best[1]

    def _rank(self, request: RequestView, worker: WorkerView) -> float:
        try:
            rank = float(self.order.rank(request, worker, self._master.reactor.seconds()))
        except Exception as e:
            self._complaints.about('order=', e)
            return -math.inf
        return -math.inf if math.isnan(rank) else rank


def _anybody(_: str) -> bool:
    return True


def _first(lanes: list[Lane]) -> Next | None:
    for lane in lanes:
        if lane.head is not None:
            return Next(lane, lane.head[1])
    return None
