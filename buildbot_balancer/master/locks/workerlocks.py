# SPDX-License-Identifier: GPL-2.0-or-later
"""Worker locks: ``Worker(locks=[...])``, which Buildbot claims and releases by worker.

Of two builds that are chosen for one worker before either has claimed, Buildbot ends the second
as RETRY, puts the healthy worker in quarantine, and frees the claim of the first. Here each build
has a reservation, claims by it, and releases what it has claimed itself.

Over ``worker.acquireLocks``, ``worker.releaseLocks`` and ``builder.buildFinished``.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any
from typing import Callable

from buildbot_balancer.master.locks.reservations import Reservation
from buildbot_balancer.master.locks.reservations import Reservations
from buildbot_balancer.master.overlays import Overlays

# Whose ``Build.startBuild`` runs: Buildbot does not tell a worker which build asks for its locks.
STARTING: ContextVar[Reservation | None] = ContextVar('starting', default=None)


class WorkerLocks:
    def __init__(self, reservations: Reservations) -> None:
        self._reservations = reservations
        self._ends = False  # a build ends just now,
        self._finishing: Reservation | None = None  # and this is its reservation

    def guard_worker(self, overlays: Overlays, worker: Any) -> None:
        overlays.put(worker, 'acquireLocks', lambda stock: lambda: self._acquire(stock, worker))
        overlays.put(worker, 'releaseLocks', lambda stock: lambda: self._release(stock, worker))

    def guard_builder(self, overlays: Overlays, builder: Any) -> None:
        def build_finished(stock: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
            return lambda build, wfb: self._build_finished(stock, build, wfb)

        overlays.put(builder, 'buildFinished', build_finished)

    def _acquire(self, stock: Callable[[], bool], worker: Any) -> bool:
        reservation = STARTING.get()
        if reservation is None or reservation.worker is not worker:
            return stock()
        return self._reservations.claim_worker_locks(reservation, stock)

    def _release(self, stock: Callable[[], None], worker: Any) -> None:
        if self._finishing is not None:
            self._reservations.release_worker_locks(self._finishing)
        elif self._ends or not any(one.claimed for one in self._reservations.on(worker)):
            stock()  # a build that is older than the Balancer
        # else the connection is lost: each build releases its own claim when it ends

    def _build_finished(self, stock: Callable[[Any, Any], None], build: Any, wfb: Any) -> None:
        reservation = self._reservations.of(build)
        self._ends, self._finishing = True, reservation
        try:
            stock(build, wfb)
        finally:
            self._ends, self._finishing = False, None
            if reservation is not None:
                self._reservations.release_worker_locks(reservation)
                self._reservations.end(reservation.request)
