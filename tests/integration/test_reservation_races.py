# SPDX-License-Identifier: GPL-2.0-or-later
"""What may happen between the look at the locks, the choice, the claim and the end."""

from __future__ import annotations

import time
from typing import Any

from buildbot.config import BuilderConfig
from buildbot.plugins import util
from buildbot.plugins import worker
from buildbot.process.factory import BuildFactory
from buildbot.process.properties import renderer
from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.masters import MasterCase
from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet import task

from buildbot_balancer.locks.access import NamedAccess
from buildbot_balancer.locks.group import WorkerGroupLock


class RaceCase(MasterCase):
    """`unserved`: with such a builder Buildbot's distributor stays, and our chooser is used."""

    proto = 'null'
    unserved = False

    def builder(self, name: str, places: list[str], locks: Any = (), **more: Any) -> Any:
        factory = BuildFactory([HeldStep()])
        return BuilderConfig(
            name=name,
            workernames=places,
            factory=factory,
            collapseRequests=False,
            locks=locks,
            **more,
        )

    def worker(self, name: str, **more: Any) -> Any:
        return worker.LocalWorker(name, missing_timeout=0, **more)

    def balancer_service(self) -> Any:
        return util.Balancer(builders=['?'] if self.unserved else None, recheck=600)

    async def boot(self, workers: list[Any], builders: list[Any], balanced: bool = True) -> None:
        names = [one.workername for one in workers]
        self.more = [self.builder('unserved', names)] if self.unserved else []
        self.config = {
            'workers': workers,
            'protocols': {'null': {}},
            'builders': [*builders, *self.more],
            'multiMaster': True,
            'buildbotNetUsageData': None,
            'services': [self.balancer_service()] if balanced else [],
        }
        self.basedir = self.mktemp()
        await self.setup_master(self.config, startWorker=False, basedir=self.basedir)
        self.addCleanup(self.end_all)

    async def reconfig(self, **changes: Any) -> None:
        if 'builders' in changes:
            changes['builders'] = [*changes['builders'], *self.more]
        self.config = {**self.config, **changes}
        self.master.config_loader.config_dict = self.config
        await self.master.reconfig()

    async def end_all(self) -> None:
        builders = self.master.botmaster.builders.values()
        while any(one.building for one in builders):
            for step in list(HeldStep.running):
                step.let_go()
            await task.deferLater(reactor, 0.02)

    def running(self) -> list[str]:
        return sorted(step.build.builder.name for step in HeldStep.running)

    def parked(self) -> list[str]:
        builders = self.master.botmaster.builders.values()
        return [one.name for one in builders for build in one.building if build._acquiringLock]

    def idle(self, name: str) -> bool:
        return not self.master.botmaster.builders[name].building

    async def real(self, lock: Any) -> Any:
        found = await self.master.botmaster.getLockByID(lock, self.master.config_version)
        return found.getLockForWorker('w1')

    def hold_claims(self) -> list[defer.Deferred[None]]:
        claim = self.master.data.updates.claimBuildRequests
        held: list[defer.Deferred[None]] = []

        def slow(*args: Any, **kwargs: Any) -> Any:
            self.master.data.updates.claimBuildRequests = claim
            held.append(defer.Deferred())
            return held[-1].addCallback(lambda _: claim(*args, **kwargs))

        self.master.data.updates.claimBuildRequests = slow
        return held


class Races(RaceCase):
    async def check_config_changes_before_the_claim(self, lock: Any, old: Any, new: Any) -> None:
        await self.boot([self.worker('w1')], [self.builder('a', ['w1'], [old])])
        held = self.hold_claims()
        await self.request('a')
        await self.until(lambda: held)
        await self.reconfig(builders=[self.builder('a', ['w1'], new)])
        held[0].callback(None)
        await self.until(lambda: self.running() == ['a'])
        real = await self.real(lock)
        left = lock.access('counting', lock.maxCount - sum(one.count for one in new))
        await self.until(lambda: real.isAvailable(None, left), 5)

    @async_to_deferred
    async def test_a_lock_that_leaves_the_config_meanwhile_is_kept_for_nobody(self) -> None:
        lock = util.MasterLock('m')
        await self.check_config_changes_before_the_claim(lock, lock.access('exclusive'), [])

    @async_to_deferred
    async def test_a_lock_of_ours_that_leaves_the_config_is_kept_for_nobody(self) -> None:
        lock = WorkerGroupLock('m')
        await self.check_config_changes_before_the_claim(lock, lock.access('exclusive'), [])

    @async_to_deferred
    async def test_units_that_are_wanted_no_more_are_kept_for_nobody(self) -> None:
        lock = util.MasterLock('m', maxCount=3)
        old, new = lock.access('counting', 2), lock.access('counting', 1)
        await self.check_config_changes_before_the_claim(lock, old, [new])

    @async_to_deferred
    async def test_a_worker_that_is_freed_while_locks_are_rendered_is_left_for_later(self) -> None:
        lock = WorkerGroupLock('host')
        waiting: list[defer.Deferred[str]] = []

        @renderer
        def group(props: Any) -> Any:
            waiting.append(defer.Deferred())
            return waiting[-1]

        access = lock.access('exclusive', group=group)
        await self.boot(
            [self.worker('w1'), self.worker('w2')], [self.builder('a', ['w1', 'w2'], [access])]
        )
        real = await self.real(lock)
        held, stranger = NamedAccess(lock, 'exclusive', 1, 'x'), object()
        real.claim(stranger, held)
        self.addCleanup(lambda: real.release(stranger, held))
        self.buildbot_worker('w2')._paused = True
        await self.request('a')
        await self.until(lambda: waiting)
        self.buildbot_worker('w2')._paused = False

        def go_on() -> bool:
            for one in [one for one in waiting if not one.called]:
                one.callback('x')
            return not self.parked() and self.idle('a')

        await self.stays(go_on)

    async def check_no_hot_loop(self, lock: Any) -> None:
        access = lock.access('counting')
        await self.boot([self.worker('w1', locks=[access])], [self.builder('a', ['w1'], [access])])
        real = await self.real(lock)
        stranger = object()
        real.claim(stranger, access)
        looks: list[float] = []
        stock = self.balancer.engine.outlook

        def outlook(*args: Any) -> Any:
            looks.append(time.monotonic())
            return stock(*args)

        self.balancer.engine.outlook = outlook
        await self.request('a')
        await self.until(lambda: looks)
        await self.stays(lambda: len(looks) < 10, 1)
        real.release(stranger, access)
        await self.until(lambda: self.running() == ['a'])

    @async_to_deferred
    async def test_one_unit_for_a_build_and_its_worker_is_waited_for_in_peace(self) -> None:
        await self.check_no_hot_loop(util.MasterLock('m', maxCount=2))

    @async_to_deferred
    async def test_one_unit_of_ours_for_a_build_and_its_worker_is_waited_for_in_peace(self) -> None:
        await self.check_no_hot_loop(WorkerGroupLock('m', maxCount=2))

    @async_to_deferred
    async def test_a_release_wakes_also_who_was_refused_at_the_last_moment(self) -> None:
        access = util.MasterLock('m').access('exclusive')
        asked: list[defer.Deferred[bool]] = []

        def can_start(builder: Any, wfb: Any, breq: Any) -> Any:
            asked.append(defer.Deferred())
            return asked[-1]

        await self.boot(
            [self.worker('w1')], [self.builder('a', ['w1'], [access], canStartBuild=can_start)]
        )
        real = await self.real(access.lockid)
        await self.request('a')
        await self.until(lambda: asked)
        step = object()
        real.claim(step, access)
        asked[0].callback(True)
        await self.stays(lambda: not self.running())
        real.release(step, access)
        await self.until(lambda: len(asked) > 1)
        asked[-1].callback(True)
        await self.until(lambda: self.running() == ['a'])

    @async_to_deferred
    async def test_a_config_that_changes_during_the_choice_is_obeyed(self) -> None:
        access = util.MasterLock('m').access('exclusive')
        asked: list[defer.Deferred[bool]] = []

        def can_start(builder: Any, wfb: Any, breq: Any) -> Any:
            if asked:
                return True
            asked.append(defer.Deferred())
            return asked[-1]

        def make(locks: Any) -> list[Any]:
            return [
                self.builder('a', ['w1'], locks, canStartBuild=can_start),
                self.builder('b', ['w2'], [access]),
            ]

        await self.boot([self.worker('w1'), self.worker('w2')], make([]))
        await self.request('b')
        await self.until(lambda: self.running() == ['b'])
        await self.request('a')
        await self.until(lambda: asked)
        changing = defer.ensureDeferred(self.reconfig(builders=make([access]), title='other'))
        await self.until(lambda: self.master.botmaster.builders['a'].config.locks)
        asked[0].callback(True)
        await changing
        await self.stays(lambda: not self.parked() and self.running() == ['b'])
        HeldStep.running[0].let_go()
        await self.until(lambda: self.running() == ['a'])

    @async_to_deferred
    async def test_a_build_older_than_the_balancer_gives_back_its_workers_lock(self) -> None:
        access = util.WorkerLock('tool', maxCount=2).access('counting')
        await self.boot(
            [self.worker('w1', max_builds=2, locks=[access])],
            [self.builder('a', ['w1']), self.builder('b', ['w1'])],
            balanced=False,
        )
        await self.request('a')
        await self.until(lambda: self.running() == ['a'])
        await self.reconfig(services=[self.balancer_service()])
        await self.request('b')
        await self.until(lambda: self.running() == ['a', 'b'])
        real = await self.real(access.lockid)
        for name, left in (('a', 1), ('b', 0)):
            next(s for s in HeldStep.running if s.build.builder.name == name).let_go()
            await self.until(lambda name=name: self.idle(name))
            self.assertEqual(len(real.owners), left)

    @async_to_deferred
    async def test_a_builder_that_leaves_the_config_gives_back_its_workers_lock_at_once(
        self,
    ) -> None:
        access = util.MasterLock('box').access('exclusive')
        others = [self.builder('b', ['w2']), self.builder('c', ['w1'])]
        await self.boot(
            [self.worker('w1', locks=[access]), self.worker('w2', locks=[access])],
            [self.builder('a', ['w1']), *others],
        )
        await self.request('a')
        await self.until(lambda: self.running() == ['a'])
        await self.reconfig(builders=others)
        await self.request('b')
        HeldStep.running[0].let_go()
        await self.until(lambda: self.running() == ['b'], 5)  # the sweep needs twice ten seconds
        self.flushLoggedErrors(AttributeError)  # Buildbot's, of a builder without a master

    @async_to_deferred
    async def test_a_balancer_that_leaves_during_a_start_leaves_no_guard_behind(self) -> None:
        access = util.MasterLock('m').access('exclusive')
        await self.boot([self.worker('w1')], [self.builder('a', ['w1'], [access])])
        builder = self.master.botmaster.builders['a']
        stock = builder.setup_properties
        held: list[defer.Deferred[None]] = []

        def slow(props: Any) -> Any:
            held.append(defer.Deferred())
            return held[-1].addCallback(lambda _: stock(props))

        builder.setup_properties = slow
        await self.request('a')
        await self.until(lambda: held)
        builder.setup_properties = stock
        real = await self.real(access.lockid)
        leaving = defer.maybeDeferred(self.balancer.disownServiceParent)
        held[0].callback(None)
        await leaving
        await self.until(lambda: self.running() == ['a'])
        self.assertNotIn('isAvailable', real.__dict__)


class RacesOfTheChooser(Races):
    unserved = True
