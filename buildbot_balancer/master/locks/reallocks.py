# SPDX-License-Identifier: GPL-2.0-or-later
"""RealLocks: every lock of this master that somebody has used, Buildbot's own and ours.

Buildbot makes a real lock when it is first looked for, and one for each worker when that worker is
first looked at. So there are instance attributes over ``botmaster.getLockByID`` and over
``getLockForWorker`` of the lock that stands behind a WorkerLock.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import Callable
from typing import Protocol

from buildbot.locks import BaseLock
from buildbot.locks import RealWorkerLock

from buildbot_balancer.locks.picture import Picture
from buildbot_balancer.locks.realbranch import RealBranchLock
from buildbot_balancer.locks.realgroup import RealGroupLock
from buildbot_balancer.locks.semaphore import Semaphore
from buildbot_balancer.locks.watch import Watch
from buildbot_balancer.master import compat
from buildbot_balancer.master.locks.guards import Kept
from buildbot_balancer.master.locks.witness import Witness
from buildbot_balancer.master.overlays import Overlays

OURS = (RealBranchLock, RealGroupLock)
STOCK = (BaseLock, RealWorkerLock)


class Place(Protocol):
    """Where units are counted: a lock, or the part of it that is one worker's, group's, branch's.
    A Semaphore or a Witness.
    """

    group: str

    @property
    def lockName(self) -> str: ...

    def picture(self) -> Picture: ...


class RealLocks:
    """`watch` is told of all of them; `kept(lock)`: what is reserved on one of Buildbot's own."""

    def __init__(
        self,
        master: Any,
        now: Callable[[], float],
        kept: Callable[[Any], Iterable[Kept]],
        watch: Watch,
    ) -> None:
        self._master = master
        self._now = now
        self._kept = kept
        self._watch = watch
        self._overlays = Overlays()
        self._known: dict[int, Any] = {}
        self._witnesses: dict[int, Witness] = {}
        self._busy: dict[int, Witness] = {}

    def watch_all(self) -> None:
        """Those that there are, and those that there will be."""
        botmaster = self._master.botmaster
        self._overlays.put(botmaster, 'getLockByID', self._get_lock)
        real = [one for one in botmaster if isinstance(one, (*OURS, *STOCK))]
        before = set(self._witnesses)
        for one in real:
            self._see(one)
        new = [one for key, one in self._witnesses.items() if key not in before]
        requesters = _requesters(self._master) if new else {}
        for witness in new:
            witness.adopt(requesters)

    def stop(self) -> None:
        self._overlays.take_off()
        for real in self._known.values():
            if isinstance(real, OURS):
                real.table.watch = None
        self._known.clear()
        self._witnesses.clear()
        self._busy.clear()

    def busy(self) -> Iterator[Place]:
        """What somebody holds or waits for; what is only reserved on one of Buildbot's own is not
        among them.
        """
        yield from list(self._busy.values())
        for real in list(self._known.values()):
            if isinstance(real, OURS):
                yield from real.table.busy()

    def known(self) -> list[Any]:
        return list(self._known.values())

    def place(self, lock: Any) -> Place | None:
        """Of a semaphore, or a lock of Buildbot's own as one worker has it."""
        return lock if isinstance(lock, Semaphore) else self._witnesses.get(id(lock))

    def _get_lock(self, stock: Callable[[Any, int], Any]) -> Callable[[Any, int], Any]:
        def get(lockid: Any, config_version: int) -> Any:
            return stock(lockid, config_version).addCallback(self._see)

        return get

    def _see(self, real: Any) -> Any:
        if id(real) in self._known:
            return real
        self._known[id(real)] = real
        if isinstance(real, OURS):
            real.table.watch = self._watch
        elif isinstance(real, RealWorkerLock):
            self._overlays.put(
                real, 'getLockForWorker', functools.partial(self._get_for_worker, real)
            )
            for name, lock in real.locks.items():
                self._witness(lock, name)
        elif isinstance(real, BaseLock):
            self._witness(real, '')
        return real

    def _get_for_worker(self, _: Any, stock: Callable[[str], Any]) -> Callable[[str], Any]:
        def get(workername: str) -> Any:
            lock = stock(workername)
            if id(lock) not in self._witnesses:
                self._witness(lock, workername)
            return lock

        return get

    def _witness(self, lock: Any, group: str) -> None:
        self._witnesses[id(lock)] = Witness(
            lock, group, self._overlays, self._now, self._kept, self._used, self._ended
        )

    def _used(self, witness: Witness) -> None:
        if witness.idle:
            self._busy.pop(id(witness), None)
        else:
            self._busy[id(witness)] = witness
        self._watch.changed(witness.lockName, witness.group)

    def _ended(self, kind: str, witness: Witness, requester: Any, seconds: float) -> None:
        self._watch.ended(kind, witness.lockName, witness.group, requester, seconds)


def _requesters(master: Any) -> dict[int, Any]:
    """Who may hold a lock just now, by id()."""
    builds = [build for _, _, build in compat.builds_going_on(master)]
    steps = [step for build in builds for step in build.executedSteps if step.results is None]
    return {id(one): one for one in (*compat.all_workers(master), *builds, *steps)}
