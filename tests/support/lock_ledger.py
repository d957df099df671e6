# SPDX-License-Identifier: GPL-2.0-or-later
"""A ledger of the locks of a master that is none."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from buildbot.config import BuilderConfig
from buildbot.locks import LockAccess
from buildbot.process.botmaster import LockRetrieverMixin
from buildbot.process.build import Build
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.factory import BuildFactory
from buildbot.util import eventual
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.explain.event import Event
from buildbot_balancer.master.locks.guards import Guards
from buildbot_balancer.master.locks.ledger import Ledger
from buildbot_balancer.master.locks.reservations import Reservations
from buildbot_balancer.master.sight.locksights import LockSights
from support.lock_actors import settle


class ARequest(BuildRequest):
    def __init__(self, number: int, branch: str = 'x') -> None:
        self.id, self.priority, self.submittedAt = number, 0, number
        self.buildername, self.builderid = 'b', 5
        self.sources = {'': SimpleNamespace(branch=branch, codebase='')}


class ABuild(Build):
    def __init__(self, request: ARequest, number: int | None = None, worker: str = 'w1') -> None:
        self.requests, self.sources = [request], list(request.sources.values())
        self.builder = SimpleNamespace(name='b')
        self.number, self.buildid = number, None if number is None else 100 + number
        self.workername = worker
        self.finished = self.stopped = self.woken = False
        self.executedSteps: list[Any] = []
        self._acquiringLock: Any = None
        self.woken = False
        self.deferred: Any = None

    def wake(self, _: Any) -> None:
        self.woken = True


class ABuilder:
    name = 'b'

    def __init__(self, config: Any) -> None:
        self.config = config
        self.building: list[Any] = []

    def getBuilderId(self) -> Any:
        return defer.succeed(5)


class AWorker:
    def __init__(self, name: str) -> None:
        self.workername = name
        self.locks: list[Any] = []
        self.workerforbuilders: dict[str, Any] = {}

    def acquire(self) -> bool:
        """As buildbot.worker.base does it."""
        if not all(lock.isAvailable(self, access) for lock, access in self.locks):
            return False
        for lock, access in self.locks:
            lock.claim(self, access)
        return True


class Botmaster(LockRetrieverMixin):
    """What Buildbot asks for locks; they are its services."""

    def __init__(self) -> None:
        self.builders: dict[str, Any] = {}
        self.namedServices: dict[str, Any] = {}
        self.services: list[Any] = []
        self.master: Any = None

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self.services))

    def addService(self, service: Any) -> Any:
        self.services.append(service)
        self.namedServices[service.name] = service
        return defer.succeed(None)


class Site:
    """`accesses`: what the only builder's config names. `lock(lockid)` makes what stands behind."""

    def __init__(self, clock: Clock, *accesses: Any) -> None:
        self.clock = clock
        self.heard: list[Any] = []
        config = SimpleNamespace(locks=list(accesses), steps=[])
        self.workers = {name: AWorker(name) for name in ('w1', 'w2', 'w3')}
        self.master = SimpleNamespace(
            botmaster=Botmaster(),
            config=AConfig(list(accesses)),
            config_version=0,
            workers=SimpleNamespace(workers=self.workers),
            mq=SimpleNamespace(startConsuming=self.listen),
            reactor=clock,
        )
        self.master.botmaster.master = self.master
        self.builder = ABuilder(config)
        self.master.botmaster.builders['b'] = self.builder
        self.guards = Guards()
        self.reservations = Reservations(clock, self.guards.keeper, lambda call: call())
        self.events: list[Event] = []
        self.changed: list[tuple[str, str]] = []
        self.ledger = Ledger(self.master, clock, self.guards, self.reservations)
        self.ledger.record = self.events.append
        self.ledger.tell = lambda name, group: self.changed.append((name, group))
        self.sights = LockSights(self.master, self.ledger)

    def listen(self, callback: Any, key: Any) -> Any:
        consumer = SimpleNamespace(
            callback=callback, key=key, stopConsuming=lambda: self.heard.remove(consumer)
        )
        self.heard.append(consumer)
        return defer.succeed(consumer)

    def say(self, request: int, event: str) -> None:
        for one in self.heard:
            if one.key[2] == event:
                one.callback(('buildrequests', str(request), event), {})

    def start(self) -> None:
        _done(defer.ensureDeferred(self.ledger.start()))

    def stop(self) -> None:
        _done(defer.ensureDeferred(self.ledger.stop()))

    def real(self, lockid: Any) -> Any:
        return _done(self.master.botmaster.getLockByID(lockid, self.master.config_version))

    def lock(self, lockid: Any, worker: str = 'w1') -> Any:
        return self.real(lockid).getLockForWorker(worker)

    def said(self) -> list[tuple[str, str | None, float | None]]:
        return [(one.kind, one.group, one.duration) for one in self.events]


class AConfig:
    """As a MasterConfig, as far as locks go."""

    def __init__(self, locks: list[Any]) -> None:
        self.workers: list[Any] = []
        builder = BuilderConfig(
            name='b', workernames=['w1', 'w2', 'w3'], factory=BuildFactory(), locks=locks
        )
        self.builders = [builder]


class SiteCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        settle()
        eventual._setReactor(self.clock)
        self.addCleanup(eventual._setReactor)
        self.addCleanup(settle)

    def site(self, *accesses: Any, start: bool = True) -> Site:
        made = Site(self.clock, *accesses)
        if start:
            made.start()
            self.addCleanup(made.stop)
        return made


def units(lockid: Any, count: int = 1) -> LockAccess:
    return LockAccess(lockid, 'counting', count)


def alone(lockid: Any) -> LockAccess:
    return LockAccess(lockid, 'exclusive')


def _done(deferred: Any) -> Any:
    """It must not wait for anything."""
    results: list[Any] = []
    deferred.addBoth(results.append)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result
