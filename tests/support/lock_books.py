# SPDX-License-Identifier: GPL-2.0-or-later
"""The books of a model of all that reserves locks, beside the real thing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from buildbot.locks import LockAccess
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.util import eventual
from hypothesis.stateful import RuleBasedStateMachine
from twisted.internet.task import Clock
from twisted.python import log

from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.master.distribution.releases import Releases
from buildbot_balancer.master.locks.guards import Guards
from buildbot_balancer.master.locks.lines import Lines
from buildbot_balancer.master.locks.reservations import Reservations
from support.lock_actors import Entry
from support.lock_actors import OneWorker
from support.lock_actors import Request
from support.lock_actors import Start
from support.lock_actors import settle

STOCK, OURS = ('master', 'worker'), ('group', 'branch')
OF_WORKERS = {'w1': 'box', 'w2': 'rack', 'w3': 'rack'}  # a lock of Buildbot's own and one of ours
WORKERS = tuple(OF_WORKERS)


class LockBooks(RuleBasedStateMachine):
    """The model knows who may rely on what, and nothing of how it is done."""

    # all want one lock of ours, and no reconfig wakes everybody
    crowd = False

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.clock.advance(1000)
        settle()
        eventual._setReactor(self.clock)
        self.errors: list[Any] = []
        log.addObserver(self.heard)
        self.guards = Guards()
        self.reservations = Reservations(self.clock, self.guards.keeper, lambda call: call())
        self.lines = Lines(self.clock)
        self.releases = Releases(self.wake)
        self.limits = {'master': 2, 'worker': 1, 'group': 2, 'branch': 1, 'box': 2, 'rack': 1}
        self.groups = {'w1': 'a', 'w2': 'a', 'w3': 'a' if self.crowd else 'b'}
        self.lockids: dict[str, Any] = {}
        self.real: dict[str, Any] = {}
        for name in self.limits:
            self.update(name)
        self.workers = [OneWorker(name) for name in WORKERS]
        for worker in self.workers:
            name = OF_WORKERS[worker.workername]
            lock = self.real[name].getLockForWorker(worker.workername)
            worker.locks = [(lock, LockAccess(self.lockids[name], 'counting'))]
            lock.subscribeToReleases(lambda one=worker.workername: self.worker_opened(one))
        self.number = 0
        self.books: list[Entry] = []
        self.pending: list[Request] = []
        self.starts: list[Start] = []
        self.steps: list[Any] = []
        self.ended_quietly: set[int] = set()  # stock locks that forgot whom a stopped one held up

    def heard(self, event: Any) -> None:
        if event.get('isError') and 'log_failure' in event:
            self.failed(event['log_failure'].value)

    def failed(self, error: BaseException) -> None:
        self.errors.append(error)

    def update(self, name: str) -> None:
        limit, in_racks = self.limits[name], {'w2': 'r', 'w3': 'r'}
        lockid: Any = {
            'master': lambda: MasterLock(name, limit),
            'worker': lambda: WorkerLock(name, limit),
            'box': lambda: WorkerLock(name, limit),
            'group': lambda: WorkerGroupLock(name, limit, workerToGroup=self.groups),
            'rack': lambda: WorkerGroupLock(name, limit, workerToGroup=in_racks),
            'branch': lambda: BranchLock(name, limit),
        }[name]()
        self.lockids[name] = lockid
        self.real.setdefault(name, lockid.lockClass(name)).updateFromLockId(lockid, 0)

    def teardown(self) -> None:
        try:
            self.quiet()
        finally:
            log.removeObserver(self.heard)
            settle()
            eventual._setReactor()

    # words

    def wanted(self, wants: Any) -> Any:
        return [('group', wants[0][1])] if self.crowd else wants

    def pairs(self, wants: Any, worker: str) -> list[Any]:
        """As the config says now."""
        return [
            (self.real[name].getLockForWorker(worker), LockAccess(self.lockids[name], *how))
            for name, how in wants
        ]

    def key(self, name: str, worker: str, branch: str) -> Any:
        return name, {'master': '', 'group': self.groups[worker], 'branch': branch}.get(
            name, 'r' if name == 'rack' else worker
        )

    def entries(self, owner: Any, wants: Any, worker: str, branch: str) -> list[Entry]:
        return [
            Entry(owner, self.key(name, worker, branch), mode, count, worker)
            for name, (mode, count) in wants
            if count
        ]

    def grant(self, entries: list[Entry]) -> None:
        """Invariant 3: no grant takes held plus reserved units above the limit."""
        self.see_who_was_swept()
        for entry in entries:
            others = [one for one in self.books if one.key == entry.key and one is not entry]
            assert not any(one.mode == 'exclusive' for one in others)
            if entry.mode == 'exclusive':
                assert not others
            else:
                limit = self.limits[entry.key[0]]
                assert sum(one.count for one in others) + entry.count <= limit
        self.books += [entry for entry in entries if not any(entry is one for one in self.books)]

    def strike(self, entries: list[Entry]) -> None:
        self.books = [one for one in self.books if not any(one is entry for entry in entries)]

    def wake(self, builders: Any) -> None:
        for request in self.pending:
            request.woken = request.woken or request.builder in builders

    def worker_opened(self, worker: str) -> None:
        """As Buildbot does it: who was refused for the worker's own locks is looked at."""
        for request in self.pending:
            request.woken = request.woken or worker in request.blocked

    def wake_all(self) -> None:
        for request in self.pending:
            request.woken = True

    def in_state(self, *states: str) -> list[Start]:
        return [one for one in self.starts if one.state in states]

    def waiting(self) -> Iterator[tuple[Any, Any, Any, Any]]:
        builds = [one.build for one in self.in_state('waits') if not one.build.claimed]
        for one in (*builds, *self.steps):
            if one.waited and not one.claimed:
                yield (one, *one.waited[-1])
