# SPDX-License-Identifier: GPL-2.0-or-later
"""Parking: requests that could not start, under what has to change before they are looked at.

Pure. Locks are not here: `Releases` tells of each request that waits for one.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from collections.abc import Iterator
from itertools import islice
from typing import Any

import attrs

NOBODY: frozenset[str] = frozenset()


@attrs.frozen
class Reason:
    """`workers`: whose change may help. `unnamed`: something that names no fact said no, so that
    every wake of the builder may help. `at`: epoch seconds. `only`: the workers that could ever
    take the request (None: as before). `locks`: the obstacles that `Releases` tells of.
    """

    workers: frozenset[str] = NOBODY
    unnamed: bool = False
    at: float | None = None
    only: frozenset[str] | None = None
    locks: tuple[Any, ...] = ()


@attrs.frozen
class Parked:
    """`lane`: the workers that could ever take it; `key`: by which it is ordered."""

    request: int
    builder: str
    key: Any
    lane: frozenset[str]
    reason: Reason


class Parking:
    """Who is woken has left."""

    def __init__(self) -> None:
        self._parked: dict[int, Parked] = {}
        # by builder, then by the workers: those that wait for the same ones are many
        self._waiting: dict[str, dict[frozenset[str], set[int]]] = {}
        self._unnamed: dict[str, set[int]] = {}
        self._due: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._parked)

    def __contains__(self, request: int) -> bool:
        return request in self._parked

    def park(self, parked: Parked) -> None:
        self.leave(parked.request)
        self._parked[parked.request] = parked
        if parked.reason.workers:
            groups = self._waiting.setdefault(parked.builder, {})
            groups.setdefault(parked.reason.workers, set()).add(parked.request)
        if parked.reason.unnamed:
            self._unnamed.setdefault(parked.builder, set()).add(parked.request)
        if parked.reason.at is not None:
            heapq.heappush(self._due, (parked.reason.at, parked.request))

    def waiting(self) -> Iterator[tuple[Any, int, str]]:
        """(key, request, builder) of all, in no order."""
        return ((one.key, one.request, one.builder) for one in self._parked.values())

    def leave(self, request: int) -> Parked | None:
        parked = self._parked.pop(request, None)
        if parked is None:
            return None
        groups = self._waiting.get(parked.builder, {})
        group = groups.get(parked.reason.workers)
        if group is not None:
            group.discard(request)
            if not group:
                del groups[parked.reason.workers]
        self._unnamed.get(parked.builder, set()).discard(request)
        return parked

    def worker_changed(self, worker: str, builders: Iterable[str]) -> list[Parked]:
        """`builders`: those that have this worker."""
        found: set[int] = set()
        for builder in builders:
            for workers, requests in self._waiting.get(builder, {}).items():
                if worker in workers:
                    found |= requests
        return self._wake(found)

    def builder_woken(self, builder: str) -> list[Parked]:
        return self._wake(set(self._unnamed.get(builder, ())))

    def time_passed(self, now: float) -> list[Parked]:
        due: set[int] = set()
        while self._due and self._due[0][0] <= now:
            at, request = heapq.heappop(self._due)
            parked = self._parked.get(request)
            if parked is not None and parked.reason.at == at:
                due.add(request)
        return self._wake(due)

    def next_time(self) -> float | None:
        while self._due:
            at, request = self._due[0]
            parked = self._parked.get(request)
            if parked is not None and parked.reason.at == at:
                return at
            heapq.heappop(self._due)
        return None

    def longest(self, count: int) -> list[Parked]:
        """So many of those that are parked the longest."""
        return self._wake(list(islice(self._parked, count)))

    def all(self) -> list[Parked]:
        return self._wake(list(self._parked))

    def _wake(self, requests: Iterable[int]) -> list[Parked]:
        left = [self.leave(request) for request in requests]
        return [parked for parked in left if parked is not None]
