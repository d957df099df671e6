# SPDX-License-Identifier: GPL-2.0-or-later
"""RealBranchLock: the service behind a BranchLock, and the one door that all builds use."""

# Misuse is an AssertionError, as with Buildbot's own locks.
# ruff: noqa: S101

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any

from buildbot.util.service import ReconfigurableServiceMixin
from buildbot.util.service import SharedService
from twisted.internet import defer

from buildbot_balancer.availability.text import clean
from buildbot_balancer.locks import company
from buildbot_balancer.locks import requester as who
from buildbot_balancer.locks.config import newest
from buildbot_balancer.locks.door import Door
from buildbot_balancer.locks.door import LockError
from buildbot_balancer.locks.semaphore import Semaphore
from buildbot_balancer.locks.table import Table
from buildbot_balancer.locks.turns import Turns

if TYPE_CHECKING:
    from buildbot_balancer.locks.branch import BranchLock


LABEL = 200  # characters of a branch's name
NO_BRANCH = '(no branch)'
EMPTY = '(empty)'


class BranchDoor(Door):
    """The branch is that of whoever asks, so that it is known without any rendering."""

    def __init__(self, lock: RealBranchLock) -> None:
        super().__init__(lock.lockName)
        self._lock = lock

    @property
    def maxCount(self) -> int | None:
        return self._lock.lockid.maxCount

    @property
    def description(self) -> str:  # type: ignore[override]
        return self._lock.description

    def all_semaphores(self) -> Iterable[Semaphore]:
        return self._lock.table.all().values()

    def semaphore_for(self, requester: Any, access: Any) -> Semaphore | None:
        if requester is None:
            return None
        sources = who.sources_of(requester)
        if sources is None:
            raise LockError(
                f'BranchLock {self.lockName!r} is for builders and steps: {requester!r} has no'
                f' branch'
            )
        return self._lock.table.of(self._lock.lockid.branch_of(sources))


class RealBranchLock(ReconfigurableServiceMixin, SharedService):  # type: ignore[misc]
    """Buildbot calls ``updateFromLockId`` right after it has made one."""

    lockid: BranchLock
    shared = False
    kind = 'BranchLock'
    door: type[BranchDoor] = BranchDoor

    def __init__(self, name: str) -> None:
        super().__init__()
        self.lockName = name
        self.config_version = -1
        self.description = f'<{self.kind}({name})>'
        self.table: Table[str | None] = Table(
            name, self._limit, self._describe, self._opened, self._label, self._make
        )
        self._door = self.door(self)

    def __repr__(self) -> str:
        return self.description

    @property
    def maxCount(self) -> int | None:
        return self.lockid.maxCount

    def getLockForWorker(self, workername: str) -> BranchDoor:
        return self._door

    def updateFromLockId(self, lockid: Any, config_version: int) -> None:
        assert self.lockName == lockid.name
        assert isinstance(config_version, int)
        self.config_version = config_version
        self.lockid = lockid
        self.description = f'<{self.kind}({self.lockName}, {lockid.maxCount})>'
        self._settle()
        clock = time.monotonic if self.master is None else self.master.reactor.seconds
        self.table.update(Turns(lockid.order, lockid.ageing, clock))
        company.miss(self)

    @defer.inlineCallbacks
    def reconfigServiceWithBuildbotConfig(self, new_config: Any) -> Any:
        """Buildbot itself updates a lock only when the next one asks for it."""
        lockid = newest(new_config, self)
        if lockid is not None:
            self.updateFromLockId(lockid, self.master.config_version)
        yield super().reconfigServiceWithBuildbotConfig(new_config)

    def _settle(self) -> None:
        """Another codebase may count now: who waits does so at its branch there. What is held
        counts there too, and at the old branch until it is let go.
        """
        for claim in self._door.claims:
            semaphore = self._door.known_for(claim.owner, claim.access)
            if semaphore is not None and semaphore not in claim.semaphores:
                semaphore.adopt(claim.owner, claim.access, claim.semaphores[0])
                claim.semaphores.append(semaphore)
        for old in self.table.all().values():
            for requester in old.came_through(self._door):
                new = self._door.known_for(requester, None)
                if new is not None:
                    old.move(requester, new)

    # for the table

    def _make(self, name: str, limit: int | None, turns: Turns, branch: str | None) -> Semaphore:
        return Semaphore(name, limit, turns)

    def _limit(self, branch: str | None) -> int | None:
        return self.lockid.limit_of(branch)

    def _label(self, branch: str | None) -> str:
        return label(branch)

    def _describe(self, branch: str | None) -> str:
        name = 'no branch' if branch is None else repr(clean(branch, 60))
        return f'<{self.kind}({self.lockName}, {self._limit(branch)})[{name}]>'

    def _opened(self, branch: str | None) -> None:
        self._door.release_subs.deliver()


def label(branch: str | None) -> str:
    """As people are told; '' would be all branches."""
    return NO_BRANCH if branch is None else clean(branch, LABEL) or EMPTY
