# SPDX-License-Identifier: GPL-2.0-or-later
"""Agenda: which request is to be looked at next. Pure.

A look costs something, so it is made only where it can lead to a start: at the first request in
order of those whose builder has a worker that is free and has not refused it since it changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from itertools import count
from typing import Any
from typing import Callable

from buildbot_balancer.master.distribution.lane import Entry
from buildbot_balancer.master.distribution.lane import Lane
from buildbot_balancer.master.distribution.sortedlist import SortedList

_Head = tuple[Any, int, int]  # a lane's first entry, and the lane's number


class Agenda:
    """Requests have a builder, a key (the smallest is first) and an id; workers have names."""

    def __init__(self) -> None:
        self.free: set[str] = set()  # workers that may have a place
        self._workers: dict[str, frozenset[str]] = {}  # by builder
        self._lanes: dict[tuple[str, frozenset[str]], Lane] = {}
        self._by_number: dict[int, Lane] = {}
        self._numbers = count()
        self._of_builder: dict[str, list[Lane]] = {}
        self._of_worker: dict[str, list[Lane]] = {}
        self._locked: dict[str, set[str]] = {}  # workers, by builder
        self._where: dict[int, tuple[Lane, Any]] = {}  # by request, with its key
        self._heads: SortedList[_Head] = SortedList()

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, request: int) -> bool:
        return request in self._where

    # what the config says

    def set_builders(self, workers: Mapping[str, frozenset[str]]) -> None:
        """By builder; what was known of refusals is forgotten, and all workers may be free."""
        before = [(request, lane, key) for request, (lane, key) in self._where.items()]
        self.__init__()  # type: ignore[misc]
        self._workers = dict(workers)
        for builder in workers:
            self._lane(builder, workers[builder])
        self.free = set().union(*workers.values()) if workers else set()
        for request, lane, key in before:
            self.add(lane.builder, request, key)

    def builders(self) -> list[str]:
        return list(self._workers)

    @property
    def size(self) -> int:
        """Pairs of a builder and a worker."""
        return sum(map(len, self._workers.values()))

    def builders_of(self, worker: str) -> set[str]:
        return {lane.builder for lane in self._of_worker.get(worker, ())}

    def workers_of(self, builder: str) -> frozenset[str]:
        return self._workers.get(builder, frozenset())

    # requests

    def add(
        self, builder: str, request: int, key: Any, workers: frozenset[str] | None = None
    ) -> None:
        """`workers`: the only ones that could ever take it (None: all of the builder's)."""
        self.discard(request)
        all_workers = self._workers.get(builder)
        if all_workers is None:
            return
        lane = self._lane(builder, all_workers if workers is None else workers & all_workers)
        lane.entries.add((key, request))
        self._where[request] = (lane, key)
        self._rehead(lane)

    def discard(self, request: int) -> None:
        lane, key = self._where.pop(request, (None, None))
        if lane is not None:
            lane.entries.remove((key, request))
            self._rehead(lane)

    def waiting(self) -> Iterator[tuple[Any, int, str]]:
        """(key, request, builder) of all, in no order."""
        return ((key, request, lane.builder) for request, (lane, key) in self._where.items())

    def key_of(self, request: int) -> Any:
        return self._where[request][1]

    # workers

    def everything_changed(self) -> None:
        for lane in list(self._by_number.values()):
            if not lane.entries and lane.workers != self._workers[lane.builder]:
                self._drop(lane)
        for builder in self._workers:
            self.builder_changed(builder)

    def worker_changed(self, worker: str) -> None:
        """It may have a place, and may take what it refused before."""
        self.free.add(worker)
        for lane in self._of_worker.get(worker, ()):
            if worker not in self._locked.get(lane.builder, ()):
                lane.open.add(worker)

    def worker_full(self, worker: str) -> None:
        """It takes nothing, whoever asks, until it changes."""
        self.free.discard(worker)

    def builder_changed(self, builder: str) -> None:
        """All its workers are worth another look."""
        self.free |= self.workers_of(builder)
        locked = self._locked.get(builder, set())
        for lane in self._of_builder.get(builder, ()):
            if len(lane.open) < len(lane.workers):
                lane.open = set(lane.workers - locked)

    def refused(self, lane: Lane, worker: str) -> None:
        """The worker takes no request of this lane until it changes."""
        lane.open.discard(worker)

    def lock(self, builder: str, worker: str) -> None:
        """No build of the builder can start there until `unlock`, whatever changes."""
        self._locked.setdefault(builder, set()).add(worker)
        for lane in self._of_builder.get(builder, ()):
            lane.open.discard(worker)

    def unlock(self, builder: str, worker: str) -> None:
        self._locked.get(builder, set()).discard(worker)
        for lane in self._of_builder.get(builder, ()):
            if worker in lane.workers:
                lane.open.add(worker)

    def unlock_all(self) -> None:
        """It is told of no one: they are open when something changes."""
        self._locked.clear()

    # what is next

    def next(self, may: Callable[[str], bool]) -> tuple[Lane, int] | None:
        """`may(builder)`: it may start something now."""
        for lane in self.runnable(may):
            assert lane.head is not None  # noqa: S101
            return lane, lane.head[1]
        return None

    def runnable(self, may: Callable[[str], bool]) -> Iterator[Lane]:
        """Lanes with a worker that is free, by their first request."""
        for _, _, number in self._heads:
            if not self.free:
                return
            lane = self._by_number[number]
            if lane.could_use(self.free) and may(lane.builder):
                yield lane

    def heads(self) -> list[tuple[str, int]]:
        """(builder, request): the first of each lane."""
        return [(self._by_number[number].builder, request) for _, request, number in self._heads]

    def requests_of(self, builder: str) -> Iterator[int]:
        """Lane by lane."""
        for lane in self._of_builder.get(builder, ()):
            for _, request in lane.entries:
                yield request

    def _lane(self, builder: str, workers: frozenset[str]) -> Lane:
        lane = self._lanes.get((builder, workers))
        if lane is None:
            lane = Lane(next(self._numbers), builder, workers)
            lane.open -= self._locked.get(builder, set())
            self._by_number[lane.number] = lane
            self._lanes[builder, workers] = lane
            self._of_builder.setdefault(builder, []).append(lane)
            for worker in workers:
                self._of_worker.setdefault(worker, []).append(lane)
        return lane

    def _drop(self, lane: Lane) -> None:
        """Sets of workers come and go with what requests ask for."""
        del self._lanes[lane.builder, lane.workers]
        del self._by_number[lane.number]
        self._of_builder[lane.builder].remove(lane)
        for worker in lane.workers:
            self._of_worker[worker].remove(lane)

    def _rehead(self, lane: Lane) -> None:
        head: Entry | None = lane.entries.first()
        if head == lane.head:
            return
        if lane.head is not None:
            self._heads.remove((*lane.head, lane.number))
        if head is not None:
            self._heads.add((*head, lane.number))
        lane.head = head
