# SPDX-License-Identifier: GPL-2.0-or-later
"""RealGroupLock: the service behind a WorkerGroupLock, and a door for each worker."""

# Misuse is an AssertionError, as with Buildbot's own locks.
# ruff: noqa: S101

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

from buildbot.util.service import ReconfigurableServiceMixin
from buildbot.util.service import SharedService
from twisted.internet import defer

from buildbot_balancer.availability.text import clean
from buildbot_balancer.locks import company
from buildbot_balancer.locks import hosts
from buildbot_balancer.locks import requester as who
from buildbot_balancer.locks.access import GroupAccess
from buildbot_balancer.locks.access import NamedAccess
from buildbot_balancer.locks.config import newest
from buildbot_balancer.locks.door import Door
from buildbot_balancer.locks.door import LockError
from buildbot_balancer.locks.semaphore import Semaphore
from buildbot_balancer.locks.table import Table
from buildbot_balancer.locks.turns import Turns

if TYPE_CHECKING:
    from buildbot_balancer.locks.group import WorkerGroupLock


LABEL = 200  # characters of a group's name


class Group(NamedTuple):
    """`own`: of one worker that is in no group. It may be called as a group is."""

    name: str
    own: bool = False


class WorkerDoor(Door):
    """The lock as one worker has it; the group of the worker may change."""

    def __init__(self, lock: RealGroupLock, workername: str) -> None:
        super().__init__(lock.lockName)
        self._lock = lock
        self.workername = workername
        self.group = lock.group_of(workername)

    @property
    def maxCount(self) -> int | None:
        return self._lock.lockid.limit_of(self.group)

    @property
    def description(self) -> str:  # type: ignore[override]
        worker = self.workername if self.group.own else f'{self.workername} in {self.group.name}'
        return f'<{self._lock.kind}({self.lockName}, {self.maxCount})[{worker}] {id(self)}>'

    def all_semaphores(self) -> Iterable[Semaphore]:
        return self._lock.table.all().values()

    def semaphore_for(self, requester: Any, access: Any) -> Semaphore | None:
        self._lock.follow(self, claims=not who.is_pending(requester))
        if isinstance(access, GroupAccess):
            if who.is_pending(requester):
                return None
            raise LockError(
                f'WorkerGroupLock {self.lockName!r}: group={access.group_text} needs the properties'
                f' of a build, which Worker(locks=[...]) does not have'
            )
        if isinstance(access, NamedAccess) and access.problem:
            raise LockError(f'WorkerGroupLock {self.lockName!r}: {access.problem}')
        if isinstance(access, NamedAccess) and access.group is not None:
            return self._lock.semaphore_named(access.group)
        return self._lock.semaphore_of(self.group)

    def follows(self, access: Any) -> bool:
        """Which semaphore it is depends on the group of the worker."""
        return not (isinstance(access, NamedAccess) and access.group is not None)

    def _via(self, access: Any) -> Door | None:
        return self if self.follows(access) else None

    def claim(self, owner: Any, access: Any) -> None:
        super().claim(owner, access)
        if self.isOwner(owner, access):  # not with a count of 0
            self._lock.busy.add(self)

    def release(self, owner: Any, access: Any) -> None:
        super().release(owner, access)
        if not any(True for _ in self.claims):
            self._lock.busy.discard(self)


class RealGroupLock(ReconfigurableServiceMixin, SharedService):  # type: ignore[misc]
    """Buildbot calls ``updateFromLockId`` right after it has made one."""

    lockid: WorkerGroupLock
    shared = False
    door = WorkerDoor

    def __init__(self, name: str) -> None:
        super().__init__()
        self.lockName = name
        self.config_version = -1
        self.kind = 'WorkerGroupLock'
        self.description = f'<{self.kind}({name})>'
        self.busy: set[WorkerDoor] = set()  # those with claims
        self._doors: dict[str, WorkerDoor] = {}
        self._members: dict[Group, set[WorkerDoor]] = {}
        self.table: Table[Group] = Table(
            name, self._limit, self._describe, self._opened, self.label, self._make
        )

    def __repr__(self) -> str:
        return self.description

    @property
    def maxCount(self) -> int | None:
        return self.lockid.maxCount

    def getLockForWorker(self, workername: str) -> WorkerDoor:
        door = self._doors.get(workername)
        if door is None:
            door = self._doors[workername] = self.door(self, workername)
            self._members.setdefault(door.group, set()).add(door)
        return door

    def updateFromLockId(self, lockid: Any, config_version: int) -> None:
        assert self.lockName == lockid.name
        assert isinstance(config_version, int)
        self.config_version = config_version
        self.lockid = lockid
        self.kind = type(lockid).__name__
        self.description = (
            f'<{self.kind}({self.lockName}, {lockid.maxCount}, {lockid.maxCountForGroup})>'
        )
        # first where everybody belongs, or a limit that is raised lets in too many
        for door in list(self._doors.values()):
            self._settle(door)
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

    # groups

    def group_of(self, workername: str) -> Group:
        name = self.lockid.listed_group(workername)
        if name is None and self.lockid.groupProperty is not None:
            name = hosts.group_said(self.master, workername, self.lockid.groupProperty)
        return Group(workername, own=True) if name is None else Group(name)

    def semaphore_of(self, group: Group) -> Semaphore:
        return self.table.of(group)

    def semaphore_named(self, name: str) -> Semaphore:
        return self.table.of(Group(name))

    def follow(self, door: WorkerDoor, *, claims: bool) -> None:
        """A property or a report may have moved the worker; `claims`: someone may hold more now,
        so that holders on other workers count too.
        """
        if self.lockid.groupProperty is None:
            return  # nothing changes between two configs
        self._settle(door)
        if claims:
            for other in list(self.busy):
                self._settle(other)

    def _settle(self, door: WorkerDoor) -> None:
        """What builds on the worker hold counts in its new group too, and in the old one until
        they let go: nobody can say on which side of the move the thing is that they use.
        """
        group = self.group_of(door.workername)
        if group == door.group:
            return
        before, door.group = door.group, group
        members = self._members[before]
        members.discard(door)
        if not members:
            del self._members[before]
        self._members.setdefault(group, set()).add(door)
        old, new = self.table.of(before), self.table.of(group)
        for claim in door.claims:
            if door.follows(claim.access) and new not in claim.semaphores:
                new.adopt(claim.owner, claim.access, claim.semaphores[0])
                claim.semaphores.append(new)
        for requester in old.came_through(door):
            old.move(requester, new)

    def label(self, group: Group) -> str:
        """As people are told; a worker may be called as a group is."""
        name = clean(group.name, LABEL)
        return f'worker {name}' if group.own and self.lockid.is_group(group.name) else name

    # for the table

    def _make(self, name: str, limit: int | None, turns: Turns, group: Group) -> Semaphore:
        return Semaphore(name, limit, turns)

    def _limit(self, group: Group) -> int | None:
        return self.lockid.limit_of(group)

    def _describe(self, group: Group) -> str:
        name = f'worker {group.name}' if group.own else clean(group.name, 60)
        return f'<{self.kind}({self.lockName}, {self._limit(group)})[{name}]>'

    def _opened(self, group: Group) -> None:
        for door in list(self._members.get(group, ())):
            door.release_subs.deliver()
