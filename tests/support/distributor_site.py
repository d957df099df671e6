# SPDX-License-Identifier: GPL-2.0-or-later
"""The distributor and all that decides, as Distribution puts it together, but with no database."""

from __future__ import annotations

from collections import Counter
from random import Random
from types import SimpleNamespace
from typing import Any

from buildbot.locks import MasterLock
from buildbot.locks import RealMasterLock
from twisted.internet import defer
from twisted.internet.task import Clock

from buildbot_balancer.availability.standing import Rules
from buildbot_balancer.master.choice.engine import Engine
from buildbot_balancer.master.distribution.distribution import Distribution
from buildbot_balancer.master.distribution.releases import Releases
from buildbot_balancer.master.distribution.urgency import Urgency
from buildbot_balancer.master.hooks import Hooks
from buildbot_balancer.master.record.pauses import Pauses
from buildbot_balancer.master.requests.pending import Pending
from buildbot_balancer.master.requests.queue import Queue
from buildbot_balancer.master.settings import Settings
from buildbot_balancer.master.starts.endings import Endings
from buildbot_balancer.master.workers.fleet import Fleet
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.policy import default_filters
from buildbot_balancer.policy.verdict import Verdict
from support.distributor_builders import OneBuilder
from support.distributor_builders import make_request
from support.lock_actors import settle
from support.masterparts import connect
from support.masterparts import make_workers

NOW = 1_800_000_000
LIVELOCK = 2000  # looks at one instant; the machines have some dozens of requests
RECHECK = 30.0


class ByName:
    """w1 is the best."""

    looks_at_worker_only = True

    def score(self, request: Any, worker: Any, now: float) -> float:
        return 100.0 - int(worker.name[1:])


class NotBefore:
    def check(self, request: Any, worker: Any, now: float) -> Any:
        at = request.properties.get('not_before', 0)
        if now >= at:
            return Verdict.yes()
        return Verdict.not_now('hour', 'waits for the hour', again_at=at, fact='time')


class OneBacklog:
    """Its requests are in memory alone."""

    def __init__(self) -> None:
        self.queue = Queue()
        self.facts = SimpleNamespace(forget=lambda request: None)
        self.breqs: dict[int, Any] = {}
        self.waits: Any = None  # a Deferred: the database is slow

    def get(self, request: int) -> Any:
        return self.queue.get(request)

    async def breq(self, pending: Pending) -> Any:
        if self.waits is not None:
            await self.waits
        found = self.breqs.get(pending.id)
        if found is None:
            self.queue.discard(pending.id)
        else:
            found.priority = pending.priority
        return found

    async def has_parent(self, pending: Pending) -> bool:
        return bool(pending.waited_for)


class Site:
    """`workers`: the names of each builder's; `max_builds` by worker."""

    def __init__(
        self, workers: dict[str, list[str]], max_builds: dict[str, Any], **settings: Any
    ) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.backlog = OneBacklog()
        self.queue = self.backlog.queue
        self.urgency = Urgency()
        self.workers: dict[str, Any] = {}
        for name, most in max_builds.items():
            self.workers.update(make_workers(name, max_builds=most))
        self.builders: dict[str, OneBuilder] = {}
        self.started: list[tuple[int, str]] = []  # (request, worker), in order
        self.botmaster = self._botmaster()
        self.master = self._master()
        for number, name in enumerate(workers):
            self.builders[name] = OneBuilder(number, name, self.botmaster)
            self.builders[name].asked = self.can_start
            self.builders[name].started = self.started
            self.builders[name].config.workernames = workers[name]
        self.closed: set[int] = set()  # requests to which the canStartBuild of the config says no
        self.asking: dict[int, Any] = {}  # Deferreds that it returns
        self.looks: list[int] = []
        self._at_once: Counter[float] = Counter()  # looks, by the time of the clock
        self.lock = RealMasterLock('m')
        self.lock.updateFromLockId(MasterLock('m'), 0)
        self.real_locks: dict[str, Any] = {'m': self.lock}
        self.settings = Settings(
            policy=Policy(
                filters=[*default_filters(), NotBefore(), *settings.pop('filters', [])],
                scorers=[(ByName(), 1)],
            ),
            recheck=settings.pop('recheck', RECHECK),
            **settings,
        )
        self._assemble()
        for name, worker in self.workers.items():
            worker.locks, worker.parent = [], SimpleNamespace(master=self.master)
            self.attach(name)

    def _botmaster(self) -> Any:
        in_progress: set[int] = set()
        return SimpleNamespace(
            builders=self.builders,
            shuttingDown=False,
            in_progress=in_progress,
            add_in_progress_buildrequest=in_progress.add,
            remove_in_progress_buildrequest=in_progress.discard,
            getLockFromLockAccesses=self._real_locks,
        )

    async def _real_locks(self, accesses: Any, version: int) -> list[Any]:
        return [(self.real_locks[access.lockid.name], access) for access in accesses]

    def _master(self) -> Any:
        return SimpleNamespace(
            masterid=1,
            reactor=self.clock,
            running=True,
            botmaster=self.botmaster,
            workers=SimpleNamespace(workers=self.workers, connections={}),
            config=SimpleNamespace(select_next_worker=None, prioritizeBuilders=None),
            data=SimpleNamespace(
                updates=SimpleNamespace(
                    claimBuildRequests=self.claim, unclaimBuildRequests=self.unclaim
                )
            ),
        )

    def _assemble(self) -> None:
        master, clock = self.master, self.clock
        self.fleet = Fleet(master, clock, Rules(), lambda event, worker: None)
        self.releases = Releases(self.opened)
        self.engine = Engine(master, clock, self.fleet, None, self.releases, Random(1))
        self.engine.settings = self.settings
        self.engine.parents.deadlock = self._no_deadlock
        self.hooks = Hooks(
            master,
            self.fleet,
            self.engine.complaints,
            self.engine.reservations,
            Pauses(clock, lambda builder: None),
            Endings(master, clock),
            self.engine.started,
        )
        distribution = Distribution(
            master, clock, self.engine, self.releases, self.hooks.guard_place
        )
        self.distributor = distribution._make(self.backlog)
        self.limits = distribution._limits
        look = self.distributor._look
        look.at, self._look_at = self._counted, look.at
        self.botmaster.brd = self.distributor
        self.botmaster.maybeStartBuildsForWorker = self.distributor.worker_changed
        self.botmaster.maybeStartBuildsForAllBuilders = self.distributor.everybody_woken
        self.queue.on_added(self._came)
        self.engine.lines.hears_of_ends = True
        self.queue.on_gone(self._went)
        self.configure()
        self.distributor.startService()

    async def _no_deadlock(self, *args: Any) -> None:
        return None

    async def _counted(self, lane: Any, first: Any, *more: Any) -> Any:
        self.looks.append(first.id)
        self._at_once[self.clock.seconds()] += 1
        if self._at_once[self.clock.seconds()] > LIVELOCK:
            raise AssertionError(f'it looks again and again: {self.looks[-8:]}')
        return await self._look_at(lane, first, *more)

    def opened(self, waiters: Any) -> None:
        self.distributor.lock_opened({one for one in waiters if isinstance(one, int)})

    def _came(self, pending: Pending) -> None:
        name = list(self.builders)[pending.builderid]
        self.distributor.request_came(name, pending.id, self.urgency.key(pending))

    def _went(self, request: int) -> None:
        self.engine.lines.leave(request)
        self.distributor.request_went(request)

    # the database

    async def claim(self, requests: list[int], claimed_at: Any = None) -> bool:
        self.queue.discard(requests[0])
        return True

    async def unclaim(self, requests: list[int]) -> None:
        breq = self.backlog.breqs[requests[0]]
        self.queue.add(self.pending(breq.id, breq.buildername, breq.priority, breq.submittedAt))

    def can_start(self, place: Any, breq: Any) -> Any:
        asking = self.asking.get(breq.id)
        if asking is not None:
            made: defer.Deferred[bool] = defer.Deferred()
            asking.append(made)
            return made
        return breq.id not in self.closed

    # what a test does

    def configure(self) -> None:
        workers = {name: frozenset(one.config.workernames) for name, one in self.builders.items()}
        self.limits.configure(self.settings.max_running, workers)
        self.distributor.configure(workers, self.settings.recheck)

    def pending(self, number: int, builder: str, priority: int, submitted_at: int) -> Pending:
        at = list(self.builders).index(builder)
        return Pending(number, at, number, priority, submitted_at, waited_for=False)

    def submit(self, number: int, builder: str, priority: int = 0, **properties: Any) -> None:
        self.queue.add(self.known(number, builder, priority, **properties))

    def known(self, number: int, builder: str, priority: int = 0, **properties: Any) -> Pending:
        """It is in the database, and no event has told of it yet."""
        pending = self.pending(number, builder, priority, NOW + number)
        self.backlog.breqs[number] = make_request(pending, builder, properties)
        return pending

    def has_places(self, name: str) -> list[OneBuilder]:
        return [one for one in self.builders.values() if name in one.config.workernames]

    def attach(self, name: str, *, told: bool = True) -> None:
        worker = self.workers[name]
        connect(worker, reporter=False)
        for builder in self.has_places(name):
            builder.attach(worker)
        if told:
            self.distributor.worker_changed(name)

    def detach(self, name: str) -> None:
        worker = self.workers[name]
        worker.conn = None
        for builder in self.builders.values():
            builder.detach(worker)
        self.distributor.worker_changed(name)

    def reconfigure(self, builder: str, names: list[str]) -> None:
        """The builder has these workers from now on."""
        one = self.builders[builder]
        for place in [place for place in one.workers if place.worker.workername not in names]:
            place.worker.removeWorkerForBuilder(place)
            one.workers.remove(place)
        known = {place.worker.workername for place in one.workers}
        one.config.workernames = names
        for name in names:
            if name not in known and self.workers[name].conn is not None:
                one.attach(self.workers[name])
        self.configure()
        for pending in list(self.queue.in_order()):  # as the backlog does
            self._came(pending)

    def use_lock(self, builder: str, *accesses: Any) -> None:
        """All builds of it take these, or the one lock that there is."""
        accesses = accesses or (MasterLock('m').access('exclusive'),)
        self.builders[builder].config.locks = list(accesses)
        self.builders[builder].real_locks = [(self.real_lock(one), one) for one in accesses]

    def real_lock(self, access: Any) -> Any:
        lockid = access.lockid
        if lockid.name not in self.real_locks:
            made = self.real_locks[lockid.name] = lockid.lockClass(lockid.name)
            made.updateFromLockId(lockid, 0)
        return self.real_locks[lockid.name]

    def release_locks(self, build: Any) -> None:
        build.release_locks()
        settle()

    def finish(self, build: Any) -> None:
        """Its locks are free already."""
        place = build.workerforbuilder
        build.finished = True
        place.buildFinished()
        place.builder.buildFinished(build, place)

    def builds(self) -> list[Any]:
        return [build for one in self.builders.values() for build in one.building]

    def settle(self) -> None:
        """Whatever is due now; nothing that waits for a beat."""
        settle()
        self.clock.pump([0.06, 0.06])

    def stop(self) -> Any:
        # a test may have stopped it already
        stopped = self.distributor.stopService() if self.distributor.running else None
        self.engine.stop()
        self.fleet.stop()
        self.releases.stop()
        return stopped
