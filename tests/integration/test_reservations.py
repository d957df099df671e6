# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from buildbot.config import BuilderConfig
from buildbot.plugins import util
from buildbot.process.factory import BuildFactory
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.masters import MasterCase
from twisted.internet import defer

from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.master import balancer

STOCK = util.MasterLock('stock')
OURS = WorkerGroupLock('ours', workerToGroup={'w*': 'all'})


class ReservationCase(MasterCase):
    """Builders 'a' on w1, 'b' on w2, 'unserved' and 'stepper' on w3; a gate before each build gets
    its number holds up its start.
    """

    proto = 'null'
    lock: Any = STOCK

    async def start_gated(self, **more: Any) -> None:
        self.gates: list[defer.Deferred[None]] = []
        self.gated = False
        access = self.lock.access('exclusive')
        builders = {'a': ('w1',), 'b': ('w2',), 'unserved': ('w3',)}
        served = util.Balancer(builders=['a', 'b'], recheck=600)
        config = self.make_config(
            ('w1', 'w2', 'w3'),
            builders=builders,
            builder={'locks': [access], **more},
            services=[served],
        )
        factory = BuildFactory([HeldStep(locks=[access])])
        config['builders'].append(
            BuilderConfig(name='stepper', workernames=['w3'], factory=factory)
        )
        self.config = config
        self.basedir = self.mktemp()
        await self.setup_master(config, startWorker=False, basedir=self.basedir)
        self.add_build = self.master.data.updates.addBuild
        self.master.data.updates.addBuild = self.gate
        self.addCleanup(self.check_nothing_is_kept)
        self.addCleanup(self.end_all)

    def gate(self, *args: Any, **kwargs: Any) -> Any:
        if not self.gated:
            return self.add_build(*args, **kwargs)
        held: defer.Deferred[None] = defer.Deferred()
        self.gates.append(held)
        return held.addCallback(lambda _: self.add_build(*args, **kwargs))

    def open_gate(self) -> None:
        self.gated = False
        gates, self.gates = self.gates, []
        for one in gates:
            one.callback(None)

    @property
    def engine(self) -> Any:
        return self.balancer.engine

    def running(self) -> list[str]:
        return sorted(step.build.builder.name for step in HeldStep.running)

    def parked(self) -> list[str]:
        """Builders whose build waits for a lock."""
        builders = self.master.botmaster.builders.values()
        return [one.name for one in builders for build in one.building if build._acquiringLock]

    async def done(self, brid: int, tries: int = 1) -> int:
        """The result of the last build."""
        while True:
            found = [b for b in await self.builds() if b['buildrequestid'] == brid]
            if len(found) >= tries and found[-1]['complete']:
                return int(found[-1]['results'])
            await self.breathe()

    async def breathe(self) -> None:
        waited: defer.Deferred[None] = defer.Deferred()
        self.master.reactor.callLater(0.02, waited.callback, None)
        await waited

    async def end_all(self) -> None:
        self.open_gate()
        while any(b.building for b in self.master.botmaster.builders.values()):
            for step in list(HeldStep.running):
                step.let_go()
            await self.breathe()

    async def check_nothing_is_kept(self) -> None:
        await self.until(lambda: not len(self.engine.reservations))
        for lock in await self.real_locks():
            self.assertTrue(lock.isAvailable(None, self.lock.access('exclusive')), lock)

    async def real_locks(self) -> list[Any]:
        real = await self.master.botmaster.getLockByID(self.lock, 0)
        return [real.getLockForWorker(name) for name in ('w1', 'w2', 'w3')]


class Stock(ReservationCase):
    @async_to_deferred
    async def test_a_second_request_waits_without_a_worker_while_the_first_prepares(self) -> None:
        await self.start_gated()
        self.gated = True
        await self.request('a')
        await self.until(lambda: self.gates)
        second = await self.request('b')
        await self.until(lambda: second in self.engine.decisions)
        self.assertIn('lock', self.engine.decisions[second].reasons)
        self.assertEqual(self.master.botmaster.builders['b'].building, [])
        self.open_gate()
        await self.until(lambda: self.running() == ['a'])
        HeldStep.running[0].let_go()
        await self.until(lambda: self.running() == ['b'])
        self.assertEqual(self.parked(), [])

    @async_to_deferred
    async def test_a_step_and_an_unserved_builder_wait_for_what_is_reserved(self) -> None:
        await self.start_gated()
        self.gated = True
        await self.request('a')
        await self.until(lambda: self.gates)
        self.gated = False
        await self.request('stepper')
        await self.until(self.stepper_waits)
        await self.request('unserved')
        self.open_gate()
        await self.until(lambda: self.running() == ['a'])
        HeldStep.running[0].let_go()
        await self.until(lambda: self.running() == ['stepper'])

    def stepper_waits(self) -> bool:
        building = self.master.botmaster.builders['stepper'].building
        return any(b.currentStep is not None and b.currentStep._acquiringLocks for b in building)

    @async_to_deferred
    async def test_a_build_that_is_cancelled_while_it_starts_frees_worker_and_locks(self) -> None:
        await self.start_gated()
        self.gated = True
        first = await self.request('a')
        await self.until(lambda: self.gates)
        await self.master.data.control('cancel', {'reason': 'typo'}, ('buildrequests', first))
        await self.request('b')
        self.open_gate()
        self.assertEqual(await self.done(first), CANCELLED)
        await self.until(lambda: self.running() == ['b'])
        await self.until_result(first, CANCELLED)
        await self.request('a')
        HeldStep.running[0].let_go()
        await self.until(lambda: self.running() == ['a'])

    @async_to_deferred
    async def test_a_do_build_if_that_raises_ends_the_request_and_frees_all(self) -> None:
        def raises(build: Any) -> bool:
            if build.requests[0].priority:
                raise RuntimeError('a defect of the config')
            return True

        await self.start_gated(do_build_if=raises)
        first = await self.request('a', priority=1)
        await self.until(lambda: not self.master.botmaster.builders['a'].building)
        await self.until(lambda: len(self.flushLoggedErrors(RuntimeError)) == 1)
        await self.until_result(first, EXCEPTION)
        await self.request('b')
        await self.until(lambda: self.running() == ['b'])

    async def until_result(self, brid: int, results: int) -> None:
        while (await self.master.data.get(('buildrequests', brid)))['results'] != results:
            await self.breathe()

    @async_to_deferred
    async def test_a_start_that_the_database_refuses_is_tried_again(self) -> None:
        await self.start_gated()
        failing = [RuntimeError('no database')]
        add_build = self.master.data.updates.addBuild

        def refuse(*args: Any, **kwargs: Any) -> Any:
            return defer.fail(failing.pop()) if failing else add_build(*args, **kwargs)

        self.master.data.updates.addBuild = refuse
        await self.request('a')
        await self.until(lambda: not failing)
        self.buildbot_worker('w1').quarantine_initial_timeout = 0.1
        await self.until(lambda: self.running() == ['a'])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    @async_to_deferred
    async def test_a_claim_that_raises_leaves_nothing_reserved(self) -> None:
        await self.start_gated()
        claim = self.master.data.updates.claimBuildRequests
        failing = [RuntimeError('no database')]

        def refuse(*args: Any, **kwargs: Any) -> Any:
            return defer.fail(failing.pop()) if failing else claim(*args, **kwargs)

        self.master.data.updates.claimBuildRequests = refuse
        await self.request('a')
        await self.until(lambda: len(self.flushLoggedErrors(RuntimeError)) == 1)
        await self.request('b')
        ran = set()
        while ran != {'a', 'b'}:  # the next wake brings the other one
            await self.until(lambda: len(HeldStep.running) == 1)
            ran.add(self.running()[0])
            HeldStep.running[0].let_go()

    @async_to_deferred
    async def test_a_claim_that_is_lost_wakes_who_waited_for_the_lock(self) -> None:
        await self.start_gated()
        claim = self.master.data.updates.claimBuildRequests
        lost: list[Any] = []
        answer: defer.Deferred[bool] = defer.Deferred()

        def lose(brids: Any, **kwargs: Any) -> Any:
            if not lost:
                lost.append(brids)
                return answer
            return claim(brids, **kwargs)

        self.master.data.updates.claimBuildRequests = lose
        first = await self.request('a')
        await self.until(lambda: lost)
        self.assertEqual(len(self.engine.reservations), 1)
        await self.master.db.buildrequests.claimBuildRequests([first])  # by another one
        answer.callback(False)
        await self.request('b')
        await self.until(lambda: self.running() == ['b'])

    @async_to_deferred
    async def test_a_balancer_that_leaves_gives_all_back(self) -> None:
        await self.start_gated()
        self.gated = True
        await self.request('a')
        await self.until(lambda: self.gates)
        locks = await self.real_locks()
        self.assertEqual('isAvailable' in locks[0].__dict__, self.lock is STOCK)
        service = self.balancer
        await service.disownServiceParent()
        self.assertNotIn('isAvailable', locks[0].__dict__)
        self.assertNotIn('claim', locks[0].__dict__)
        self.assertTrue(locks[0].isAvailable(None, self.lock.access('exclusive')))
        await service.setServiceParent(self.master.service_manager)
        await service.reconfigServiceWithSibling(util.Balancer(builders=['a', 'b']))
        self.open_gate()
        await self.until(lambda: self.running() == ['a'])


class Ours(Stock):
    lock = OURS


class Heavy(ReservationCase):
    lock = WorkerGroupLock('heavy', maxCount=2, workerToGroup={'w*': 'all'})

    @async_to_deferred
    async def test_a_request_for_many_units_is_not_passed_for_ever_by_lighter_ones(self) -> None:
        light, heavy = self.lock.access('counting'), self.lock.access('counting', 2)
        config = self.make_config(
            ('w1', 'w2', 'w3'),
            builders={'a': ('w1',), 'b': ('w2',), 'heavy': ('w3',)},
            builder={'locks': [light]},
            services=[balancer.Balancer(recheck=600)],
        )
        config['builders'][2].locks = [heavy]
        await self.setup_master(config, startWorker=False, basedir=self.mktemp())
        self.addCleanup(self.end_all)
        await self.request('a')
        await self.until(lambda: self.running() == ['a'])
        waits = await self.request('heavy')
        await self.until(lambda: waits in self.engine.decisions)
        later = await self.request('b', priority=5)
        await self.until(lambda: later in self.engine.decisions)
        self.assertEqual(self.running(), ['a'])
        HeldStep.running[0].let_go()
        await self.until(lambda: self.running() == ['heavy'])
        HeldStep.running[0].let_go()
        await self.until(lambda: self.running() == ['b'])
        self.assertEqual(len(self.engine.lines), 0)

    async def end_all(self) -> None:
        self.gates = []
        await super().end_all()


class NoReserve(ReservationCase):
    lock = WorkerGroupLock('free', workerToGroup={'w*': 'all'}, reserve=False)

    @async_to_deferred
    async def test_reserve_false_lets_others_in_while_a_worker_prepares(self) -> None:
        await self.start_gated()
        self.gated = True
        await self.request('a')
        await self.until(lambda: self.gates)
        self.gated = False
        await self.request('b')
        await self.until(lambda: self.running() == ['b'])
        self.open_gate()
        await self.until(lambda: self.parked() == ['a'])
