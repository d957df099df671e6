# SPDX-License-Identifier: GPL-2.0-or-later
"""Who asks for locks: requests, builds, steps and workers that do as Buildbot's do, and no more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import attrs
from buildbot.process.build import Build
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.buildstep import BuildStep
from buildbot.util import eventual


def settle() -> None:
    """What other tests left in Buildbot's queue would come at the wrong time."""
    while eventual._theSimpleQueue._events:
        eventual._theSimpleQueue._turn()


class Request(BuildRequest):
    def __init__(self, number: int, branch: str, wants: Any) -> None:
        self.id, self.priority, self.submittedAt = number, 0, number
        self.sources = {'': SimpleNamespace(branch=branch, codebase='')}
        self.branch, self.wants, self.builder = branch, wants, f'b{number}'
        self.woken = True
        self.never = False  # a lock is too small for it somewhere
        self.lined: set[Any] = set()
        self.blocked: set[str] = set()  # workers whose own locks were taken


class OneBuild(Build):
    """Takes its locks by Buildbot's own method."""

    def __init__(self, request: Request, worker: Any, claimed: Any, failed: Any) -> None:
        self.requests, self.sources = [request], list(request.sources.values())
        self.builder, self.number, self.results = SimpleNamespace(name='b', building=[]), 1, None
        self.worker, self.branch, self.on_claimed = worker, request.branch, claimed
        self.on_failed = failed
        self.finished = self.stopped = self.claimed = False
        self._acquiringLock: Any = None
        self._locks_to_acquire: list[Any] = []
        self.waited: list[Any] = []

    def acquireLocks(self, res: Any = None) -> Any:
        try:
            d = super().acquireLocks(res)
            if self._acquiringLock is not None:
                self.waited.append(self._acquiringLock)
            elif not self.stopped:
                self.claimed, self.waited = True, []
                self.on_claimed(self)
        except Exception as e:
            self.on_failed(e)
        else:
            return d


class OneStep(BuildStep):
    """Of a build that has no locks."""

    def acquireLocks(self, res: Any = None) -> Any:
        try:
            d = super().acquireLocks(res)
            self.waited = list(self._acquiringLocks)
            if not self.stopped and not self._acquiringLocks:
                self.claimed = True
                self.on_claimed(self)
        except Exception as e:
            self.build.on_failed(e)
        else:
            return d


class OneWorker:
    """As buildbot.worker.base does it."""

    def __init__(self, name: str) -> None:
        self.workername = name
        self.locks: list[Any] = []

    def locksAvailable(self) -> bool:
        return all(lock.isAvailable(self, access) for lock, access in self.locks)

    def acquireLocks(self) -> bool:
        if not self.locksAvailable():
            return False
        for lock, access in self.locks:
            lock.claim(self, access)
        return True


@attrs.define(eq=False)
class Entry:
    """In the model's own books: who has what, or may rely on it."""

    owner: Any
    key: Any
    mode: str
    count: int
    worker: str
    held: bool = False


@attrs.define(eq=False)
class Start:
    request: Request
    worker: OneWorker
    served: bool = True
    state: str = 'reserved'
    reservation: Any = None
    build: Any = None
    entries: list[Entry] = attrs.field(factory=list)
    excused: bool = False  # its worker has moved to a group that has no room for it
    of_worker: list[Entry] = attrs.field(factory=list)
