# SPDX-License-Identifier: GPL-2.0-or-later
"""Reservations: the locks that are kept for a request from the decision until its build has them.

Buildbot looks at the locks when it chooses a worker, and claims them several database writes
later, when the worker is prepared. What is free at the first moment is reserved in the same turn,
for all that can claim it in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import Callable
from typing import Protocol

import attrs

from buildbot_balancer.master import compat
from buildbot_balancer.master.locks.guards import Keeper

SWEEP = 10.0  # seconds between two looks for what ended without a word

Pair = tuple[Any, Any]  # a real lock, as one worker has it, and an access


@attrs.define(eq=False)
class Reservation:
    """One start: a request, the worker, and later the build. It is what keeps worker locks."""

    request: Any  # Buildbot's BuildRequest
    builder: str
    worker: Any
    since: float  # epoch seconds
    build_locks: list[Pair] = attrs.field(factory=list)
    worker_locks: list[Pair] = attrs.field(factory=list)
    claimed: list[Pair] = attrs.field(factory=list)  # of the worker's locks, for this build
    claimed_at: float = 0.0  # epoch seconds
    begun: bool = False  # Buildbot is told to start it
    build: Any = None
    over: bool = False  # the build was found to be finished by the last sweep

    @property
    def requester(self) -> Any:
        return self.request if self.build is None else self.build


class Watch(Protocol):
    """Who is told; must not raise."""

    def reserved(self, reservation: Reservation, pairs: Iterable[Pair]) -> None:
        """`pairs`: all that the request's build will take, reserved or not."""

    def touched(self, pairs: Iterable[Pair]) -> None:
        """What is kept of these locks, or for whom, is another thing now."""


class Reservations:
    """`keeper(lock)`; `at_rest(call)` calls when no choice is under way."""

    def __init__(
        self,
        reactor: Any,
        keeper: Callable[[Any], Keeper],
        at_rest: Callable[[Callable[[], None]], Any],
    ) -> None:
        self._reactor = reactor
        self._keeper = keeper
        self._at_rest = at_rest
        self._all: dict[int, Reservation] = {}  # by request
        self._on: dict[
            int, set[Reservation]
        ] = {}  # by worker's id: its hash is not of its identity
        self._timer: Any = None
        self.watch: Watch | None = None
        self.releasing: Reservation | None = None  # whose claims on a worker's locks end just now

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Reservation]:
        return iter(self._all.values())

    def of_request(self, request: int) -> Reservation | None:
        return self._all.get(request)

    def of(self, build: Any) -> Reservation | None:
        for request in build.requests:
            found = self._all.get(request.id)
            if found is not None and found.build is build:
                return found
        return None

    def on(self, worker: Any) -> set[Reservation]:
        return self._on.get(id(worker), set())

    def coming(self, worker: Any) -> int:
        """How many builds will start there that Buildbot does not count yet."""
        return sum(one.build is None for one in self.on(worker))

    # from the decision to the end

    def reserve(self, request: Any, builder: str, worker: Any, pairs: Iterable[Pair]) -> list[Pair]:
        """What cannot be had; when it is empty all is reserved, else nothing."""
        before = self._all.get(request.id)
        if before is not None:  # a choice that came to nothing, or a build that Buildbot gave up
            self.release_worker_locks(before)
            self.end(request)
        now = self._reactor.seconds()
        made = Reservation(request, builder, worker, now)
        made.worker_locks = [pair for pair in worker.locks if _reserves(pair[1])]
        made.build_locks = [pair for pair in pairs if _reserves(pair[1])]
        wanted = [(request, pair) for pair in pairs]
        wanted += [(worker, pair) for pair in made.worker_locks]
        missing = [pair for who, pair in wanted if not pair[0].isAvailable(who, pair[1])]
        missing = missing or self._keep(made)
        if not missing and self.watch is not None:
            self.watch.reserved(made, pairs)
        return missing

    def _keep(self, made: Reservation) -> list[Pair]:
        self._all[made.request.id] = made
        self._on.setdefault(id(made.worker), set()).add(made)
        self._set_timer()
        wanted = [(made.request, pair) for pair in made.build_locks]
        wanted += [(made, pair) for pair in made.worker_locks]
        kept: list[tuple[Any, Pair]] = []
        for who, (lock, access) in wanted:
            # each is free, but one that is wanted twice may not be free twice
            if not self._keeper(lock).reserve(who, access):
                for one, (other, its) in kept:
                    self._keeper(other).withdraw(one, its)
                self._forget(made)
                return [(lock, access)]
            kept.append((who, (lock, access)))
        return []

    def begin(self, builder: str, worker: Any, requests: list[Any]) -> Reservation | None:
        """A build is about to start, also of a builder that is not served: its worker's locks are
        reserved at the latest now. None: they cannot be had.
        """
        found = self._all.get(requests[0].id)
        if found is None or found.worker is not worker:
            if self.reserve(requests[0], builder, worker, ()):
                return None
            found = self._all[requests[0].id]
        if not _is_sure(found):
            return None
        found.begun = True
        return found

    def bind(self, reservation: Reservation, build: Any) -> None:
        """The build is made; nothing of it has run yet."""
        reservation.build = build
        if not self._is_kept(reservation):
            return
        for lock, access in reservation.build_locks:
            self._keeper(lock).hand_over(reservation.request, build, access)
        self._touched(reservation)

    def claim_worker_locks(self, reservation: Reservation, stock: Callable[[], bool]) -> bool:
        """`stock`: Buildbot's ``worker.acquireLocks``."""
        if not self._is_kept(reservation):
            return stock()
        worker, kept = reservation.worker, reservation.worker_locks
        reservation.worker_locks = []
        for lock, access in kept:
            self._keeper(lock).hand_over(reservation, worker, access)
        got = stock()
        for lock, access in kept:  # those that a reconfig took from the worker meanwhile
            self._keeper(lock).give_up(worker, access)
        if got:
            reservation.claimed = list(worker.locks)
            reservation.claimed_at = self._reactor.seconds()
        return got

    def release_worker_locks(self, reservation: Reservation) -> None:
        """What was claimed for this build, whatever the worker's locks are by now."""
        claimed, reservation.claimed = reservation.claimed, []
        before, self.releasing = self.releasing, reservation
        try:
            for lock, access in claimed:
                lock.release(reservation.worker, access)
        finally:
            self.releasing = before

    def end(self, request: Any) -> None:
        """What is kept and was not claimed is free again. Quiet where there is nothing."""
        found = self._all.get(request.id)
        if found is None:
            return
        self._forget(found)
        self._let_go(found)

    def _let_go(self, one: Reservation) -> None:
        build_locks, one.build_locks = one.build_locks, []
        worker_locks, one.worker_locks = one.worker_locks, []
        for lock, access in build_locks:
            self._keeper(lock).give_up(one.requester, access)
        for lock, access in worker_locks:
            self._keeper(lock).give_up(one, access)
        if self.watch is not None:
            self.watch.touched([*build_locks, *worker_locks])

    def started(self, reservation: Reservation) -> None:
        """Its build has claimed what it takes; a config that has changed since may want less."""
        if not self._is_kept(reservation):
            return
        left, reservation.build_locks = reservation.build_locks, []
        for lock, access in left:
            self._keeper(lock).give_up(reservation.requester, access)
        if self.watch is not None:
            self.watch.touched(left)

    def claims(self, request: Any) -> None:
        """Its start is under way, however long the claim takes: whoever claims it says the end."""
        found = self._all.get(request.id)
        if found is not None:
            found.begun = True

    def end_unbegun(self, builder: str | None = None) -> None:
        """Choices that came to nothing: another master was faster, or the claim raised."""
        for one in list(self._all.values()):
            if not one.begun and builder in (None, one.builder):
                self.end(one.request)

    def stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for one in list(self._all.values()):
            self.end(one.request)

    def _is_kept(self, one: Reservation) -> bool:
        """The Balancer has not left meanwhile."""
        return self._all.get(one.request.id) is one

    def _touched(self, one: Reservation) -> None:
        if self.watch is not None:
            self.watch.touched([*one.build_locks, *one.worker_locks])

    def _forget(self, one: Reservation) -> None:
        del self._all[one.request.id]
        here = self._on[id(one.worker)]
        here.discard(one)
        if not here:
            del self._on[id(one.worker)]

    # what ends without a word

    def _set_timer(self) -> None:
        if self._timer is None or not self._timer.active():
            self._timer = self._reactor.callLater(SWEEP, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        old = self._reactor.seconds() - SWEEP
        if any(not one.begun and one.since <= old for one in self._all.values()):
            self._at_rest(self.end_unbegun)
        for one in list(self._all.values()):
            if one.over:
                self.release_worker_locks(one)
                if compat.is_in_place(one.build):  # its end is not written; it has nothing any more
                    self._let_go(one)
                else:
                    self.end(one.request)
            elif one.build is not None and one.build.finished:
                one.over = True  # Buildbot may be about to say so
        if self._all:
            self._set_timer()


def _is_sure(one: Reservation) -> bool:
    """What all masters share may have been lost since it was reserved: this master was too slow."""
    shared = [pair for pair in one.build_locks if getattr(pair[0], 'shared', False)]
    return all(lock.isAvailable(one.request, access) for lock, access in shared)


def _reserves(access: Any) -> bool:
    """``reserve=False`` of a lock of ours."""
    lockid = getattr(access, 'lockid', access)
    return bool(getattr(lockid, 'reserve', True))
