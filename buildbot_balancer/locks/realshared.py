# SPDX-License-Identifier: GPL-2.0-or-later
"""The services behind locks that all masters share."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from typing import Any

from buildbot_balancer.availability.text import clean
from buildbot_balancer.cluster.sharedsemaphore import SharedSemaphore
from buildbot_balancer.cluster.sharing import Sharing
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.locks import requester as who
from buildbot_balancer.locks.door import LockError
from buildbot_balancer.locks.hosts import BALANCER
from buildbot_balancer.locks.realbranch import BranchDoor
from buildbot_balancer.locks.realbranch import RealBranchLock
from buildbot_balancer.locks.realbranch import label
from buildbot_balancer.locks.realgroup import Group
from buildbot_balancer.locks.realgroup import RealGroupLock
from buildbot_balancer.locks.realgroup import WorkerDoor
from buildbot_balancer.locks.semaphore import Semaphore
from buildbot_balancer.locks.turns import Turns
from buildbot_balancer.master import compat

if TYPE_CHECKING:
    from buildbot_balancer.locks.shared import SharedMasterLock

LONGEST = 200  # characters of a name in the database


class SharedWorkerDoor(WorkerDoor):
    shared = True

    def semaphore_for(self, requester: Any, access: Any) -> Semaphore | None:
        _refuse_workers(self, requester)
        return super().semaphore_for(requester, access)


class SharedBranchDoor(BranchDoor):
    shared = True

    def semaphore_for(self, requester: Any, access: Any) -> Semaphore | None:
        _refuse_workers(self, requester)
        return super().semaphore_for(requester, access)


class SharedDoor(BranchDoor):
    """There is one semaphore for all."""

    shared = True

    def semaphore_for(self, requester: Any, access: Any) -> Semaphore | None:
        _refuse_workers(self, requester)
        return self._lock.table.of('')


class RealSharedGroupLock(RealGroupLock):
    shared = True
    door = SharedWorkerDoor

    def _make(self, name: str, limit: int | None, turns: Turns, group: Group) -> Semaphore:
        # a worker may be called as a group is, perhaps in the config of another master only
        part = f'(worker {group.name})' if group.own else group.name
        return _semaphore(self, limit, turns, part)


class RealSharedBranchLock(RealBranchLock):
    shared = True
    door = SharedBranchDoor

    def _make(self, name: str, limit: int | None, turns: Turns, branch: str | None) -> Semaphore:
        return _semaphore(self, limit, turns, branch or label(branch))


class RealSharedMasterLock(RealBranchLock):
    lockid: SharedMasterLock
    shared = True
    kind = 'SharedMasterLock'
    door = SharedDoor

    def _make(self, name: str, limit: int | None, turns: Turns, branch: str | None) -> Semaphore:
        return _semaphore(self, limit, turns, '')

    def _limit(self, branch: str | None) -> int | None:
        return self.lockid.maxCount

    def _label(self, branch: str | None) -> str:
        return ''

    def _describe(self, branch: str | None) -> str:
        return self.description


REAL = (RealSharedBranchLock, RealSharedGroupLock, RealSharedMasterLock)


def bid_again(master: Any) -> None:
    """Who waits for shared locks in the lines of this master, where none could be asked for."""
    for real in master.botmaster:
        if isinstance(real, REAL):
            for semaphore in real.table.all().values():
                if isinstance(semaphore, SharedSemaphore):
                    semaphore.bid_again()


def _semaphore(real: Any, limit: int | None, turns: Turns, part: str) -> SharedSemaphore:
    key = LockKey(_fit(real.lockName), _fit(part))
    return SharedSemaphore(real.lockName, limit, turns, key=key, sharing=lambda: _sharing_of(real))


def _sharing_of(real: Any) -> Sharing | None:
    balancer = None if real.master is None else compat.service_named(real.master, BALANCER)
    sharing: Sharing | None = getattr(balancer, 'sharing', None)
    return sharing


def _fit(name: str) -> str:
    """Two names are the same for all masters, or for none."""
    cleaned = clean(name, LONGEST)
    if cleaned == name:
        return name
    digest = hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]
    return f'{clean(name, LONGEST - 20)} {digest}'


def _refuse_workers(door: Any, requester: Any) -> None:
    if requester is None or who.is_pending(requester) or who.build_of(requester) is not None:
        return
    if hasattr(requester, 'workername'):
        raise LockError(
            f'the lock {door.lockName!r} is shared with other masters: it is for builders and'
            f' steps, not for worker {requester.workername!r}'
        )
