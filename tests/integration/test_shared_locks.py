# SPDX-License-Identifier: GPL-2.0-or-later
"""Locks that all masters share: one real master, and another that only takes and gives back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from buildbot.util.twisted import async_to_deferred
from support.logs import LogLines
from support.masters import HeldStep
from support.masters import MasterCase
from support.other_master import OtherMaster
from twisted.internet import reactor
from twisted.internet import task

from buildbot_balancer.cluster.want import Want
from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.locks.shared import SharedMasterLock
from buildbot_balancer.master.balancer import Balancer

ONE = Want('licence', '', 1)


class SharedCase(MasterCase):
    proto = 'null'

    async def with_locks(
        self,
        builder_locks: Any = (),
        step_locks: Any = (),
        names: tuple[str, ...] = ('w1', 'w2'),
        builders: dict[str, tuple[str, ...]] | None = None,
        **more: Any,
    ) -> None:
        url = f'sqlite:///{Path("state.sqlite").resolve()}'
        await self.start(
            names=names,
            steps=lambda: [HeldStep(locks=list(step_locks))],
            builders=builders or {name: (name,) for name in names},
            builder={'locks': builder_locks},
            services=more.pop('services', None) or [Balancer()],
            db_url=url,
            **more,
        )
        await self.until(lambda: all(map(self.is_attached, names)))
        self.other = OtherMaster(url)
        self.addCleanup(self.other.dispose)
        await self.other.begin()

    @property
    def sharing(self) -> Any:
        return self.balancer.sharing

    def let_know(self) -> None:
        """What the other gives back is told at once."""
        self.other.freed = lambda locks: [self.sharing.opened(key) for key in locks]

    async def until_quiet(self) -> None:
        await self.until(lambda: self.sharing.quiet)
        self.assertEqual(await self.other.holders(), {})

    async def work_off(self, count: int) -> None:
        async def look() -> bool:
            self.let_all_go()
            return sum(one['complete'] for one in await self.builds()) >= count

        end = time.monotonic() + 30
        while not await look():
            self.assertLess(time.monotonic(), end, list(self.sharing))
            await task.deferLater(reactor, 0.02)

    async def complete(self, count: int) -> list[dict[str, Any]]:
        end = time.monotonic() + 30
        while True:
            found = [one for one in await self.builds() if one['complete']]
            if len(found) >= count:
                return found
            self.assertLess(time.monotonic(), end, list(self.sharing))
            await task.deferLater(reactor, 0.02)


class ABuilderLock(SharedCase):
    @async_to_deferred
    async def test_a_build_has_it_while_it_runs(self) -> None:
        await self.with_locks([SharedMasterLock('licence').access('counting')])
        await self.request('w1')
        await self.started(1)
        self.assertFalse(await self.other.has('request:1', ONE))
        (holder,) = (await self.other.holders())['licence', '']
        self.assertTrue(holder.startswith(('build:', 'request:')))
        self.let_all_go()
        await self.complete(1)
        await self.until_quiet()

    @async_to_deferred
    async def test_it_waits_while_another_master_has_it(self) -> None:
        await self.with_locks([SharedMasterLock('licence').access('counting')])
        self.let_know()
        self.assertTrue(await self.other.has('build:1000', ONE))
        await self.request('w1')
        await self.stays(lambda: not HeldStep.running)
        self.assertEqual(await self.other.waiters(), {('licence', ''): ['request:1']})
        await self.other.give_back('build:1000')
        await self.started(1)
        self.let_all_go()
        await self.complete(1)
        await self.until_quiet()

    @async_to_deferred
    async def test_the_build_knows_its_token_and_the_next_one_has_a_larger_one(self) -> None:
        await self.with_locks([SharedMasterLock('licence').access('exclusive')])
        tokens = []
        for number in (1, 2):
            await self.request('w1')
            await self.started(1)
            (step,) = HeldStep.running
            tokens.append(step.getProperty('balancer_token_licence'))
            self.let_all_go()
            await self.complete(number)
        self.assertLess(tokens[0], tokens[1])
        await self.until_quiet()

    @async_to_deferred
    async def test_a_request_that_goes_while_it_waits_leaves_the_line(self) -> None:
        await self.with_locks([SharedMasterLock('licence').access('counting')])
        await self.other.has('build:1000', ONE)
        request = await self.request('w1')
        await self.until(lambda: len(list(self.sharing)) == 1)
        await self.master.data.control('cancel', {'reason': ''}, ('buildrequests', str(request)))
        await self.until(lambda: self.sharing.quiet)
        self.assertEqual(await self.other.waiters(), {})

    @async_to_deferred
    async def test_all_requests_are_served_over_two_groups(self) -> None:
        group = WorkerGroupLock(
            'host', 1, workerToGroup={'w1': 'a', 'w2': 'a', 'w3': 'b'}, shared=True
        )
        await self.with_locks(
            [group.access('counting')], names=('w1', 'w2', 'w3'), builders={'b': ('w1', 'w2', 'w3')}
        )
        await self.other.has('build:1000', Want('host', 'a', 1))
        for _ in range(3):
            await self.request('b')
        await self.started(1)
        await self.stays(lambda: [s.build.workername for s in HeldStep.running] == ['w3'])
        self.let_know()
        await self.other.give_back('build:1000')
        await self.started(2)
        await self.work_off(3)
        await self.until_quiet()


class SeveralLocks(SharedCase):
    @async_to_deferred
    async def test_a_build_takes_all_or_none(self) -> None:
        first, second = SharedMasterLock('licence'), BranchLock('version', shared=True)
        await self.with_locks([first.access('exclusive'), second.access('exclusive')])
        self.let_know()
        await self.other.has('build:1000', Want('version', 'main', 1))
        await self.request('w1')
        await self.until(lambda: any(bid.state.value == 'waits' for bid in self.sharing))
        self.assertTrue(await self.other.has('build:1001', ONE, running=True))
        await self.other.give_back('build:1000')
        await self.stays(lambda: not HeldStep.running)
        await self.other.give_back('build:1001')
        await self.started(1)
        self.assertEqual(len(await self.other.holders()), 2)
        self.let_all_go()
        await self.complete(1)
        await self.until_quiet()

    @async_to_deferred
    async def test_a_lock_of_this_master_alone_may_stand_beside_them(self) -> None:
        own, shared = BranchLock('own'), SharedMasterLock('licence')
        await self.with_locks([own.access('exclusive'), shared.access('exclusive')])
        for name in ('w1', 'w2', 'w1', 'w2'):
            await self.request(name)
        for number in range(4):
            await self.started(1)
            self.assertEqual(len(HeldStep.running), 1)
            self.let_all_go()
            await self.complete(number + 1)
        await self.until_quiet()


class AStepLock(SharedCase):
    @async_to_deferred
    async def test_a_step_waits_and_then_has_it(self) -> None:
        first, second = SharedMasterLock('licence'), SharedMasterLock('printer')
        await self.with_locks(
            step_locks=[second.access('counting'), first.access('counting')], names=('w1',)
        )
        self.let_know()
        await self.other.has('build:1000', ONE)
        await self.request('w1')
        await self.until(lambda: len(list(self.sharing)) == 1)
        await self.stays(lambda: not HeldStep.running)
        self.assertTrue(await self.other.has('build:1001', Want('printer'), running=True))
        await self.other.give_back('build:1000', 'build:1001')
        await self.started(1)
        (step,) = HeldStep.running
        self.assertTrue(step.getProperty('balancer_token_licence'))
        self.assertTrue(step.getProperty('balancer_token_printer'))
        self.let_all_go()
        await self.complete(1)
        await self.until_quiet()

    @async_to_deferred
    async def test_a_step_that_is_interrupted_while_it_waits_leaves_nothing(self) -> None:
        await self.with_locks(
            step_locks=[SharedMasterLock('licence').access('counting')], names=('w1',)
        )
        await self.other.has('build:1000', ONE)
        await self.request('w1')
        await self.until(lambda: any(bid.state.value == 'waits' for bid in self.sharing))
        (build,) = self.master.botmaster.builders['w1'].building
        await build.stopBuild('enough')
        await self.complete(1)
        await self.other.give_back('build:1000')
        await self.until_quiet()


class ABuilderThatIsNotServed(SharedCase):
    @async_to_deferred
    async def test_its_build_waits_on_its_worker(self) -> None:
        await self.with_locks(
            [SharedMasterLock('licence').access('counting')],
            services=[Balancer(builders=['w2'])],
        )
        self.let_know()
        await self.other.has('build:1000', ONE)
        await self.request('w1')
        await self.until(lambda: any(bid.state.value == 'waits' for bid in self.sharing))
        await self.other.give_back('build:1000')
        await self.started(1)
        self.let_all_go()
        await self.complete(1)
        await self.until_quiet()


class ALostLease(SharedCase):
    @async_to_deferred
    async def test_who_waits_begins_anew(self) -> None:
        await self.with_locks([SharedMasterLock('licence').access('counting')])
        self.let_know()
        await self.other.has('build:1000', ONE)
        await self.request('w1')
        await self.until(lambda: any(bid.state.value == 'waits' for bid in self.sharing))
        await self.lose()
        await self.other.give_back('build:1000')
        await self.started(1)
        self.let_all_go()
        await self.complete(1)
        await self.until_quiet()

    @async_to_deferred
    async def test_a_build_goes_on_without_its_units_and_that_is_said(self) -> None:
        await self.with_locks([SharedMasterLock('licence').access('counting')])
        self.let_know()
        await self.request('w1')
        await self.started(1)
        lines = LogLines(self)
        await self.lose()
        self.assertIn('build:1 (licence)', ' '.join(lines.ours()))
        self.assertTrue(await self.other.has('build:1000', ONE))
        self.let_all_go()
        await self.complete(1)
        self.assertEqual(await self.other.holders(), {('licence', ''): ['build:1000']})
        await self.other.give_back('build:1000')
        await self.until_quiet()

    @async_to_deferred
    async def test_nothing_starts_while_it_is_not_sure(self) -> None:
        await self.with_locks([SharedMasterLock('licence').access('counting')])
        self.let_know()
        await self.request('w1')
        await self.started(1)
        self.let_all_go()
        await self.complete(1)
        self.sharing.lease = Unsure(self.sharing.lease)
        await self.request('w1')
        await self.until(lambda: any(bid.is_in_hand for bid in self.sharing))
        await self.stays(lambda: not HeldStep.running)
        self.sharing.lease = self.sharing.lease.real
        self.sharing.lease_sure(self.sharing.lease.incarnation)
        await self.started(1)
        self.let_all_go()
        await self.complete(2)
        await self.until_quiet()

    async def lose(self) -> None:
        membership = self.sharing.lease
        await self.other.store.end(membership.incarnation)
        before = membership.incarnation
        membership._next.reset(0)
        await self.until(lambda: membership.incarnation not in {None, before})


class Unsure:
    is_sure = False

    def __init__(self, real: Any) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class ALimit(SharedCase):
    @async_to_deferred
    async def test_one_that_a_reconfig_raises_lets_in_who_waits(self) -> None:
        await self.with_locks([SharedMasterLock('licence', 1).access('counting')])
        await self.request('w1')
        await self.request('w2')
        await self.started(1)
        await self.until(lambda: any(bid.state.value == 'waits' for bid in self.sharing))
        await self.reconfig_locks([SharedMasterLock('licence', 2).access('counting')])
        await self.started(2)
        await self.work_off(2)
        await self.until_quiet()

    @async_to_deferred
    async def test_one_that_a_reconfig_lowers_takes_nothing_back_and_lets_nobody_in(self) -> None:
        await self.with_locks([SharedMasterLock('licence', 2).access('counting')])
        await self.request('w1')
        await self.started(1)
        await self.reconfig_locks([SharedMasterLock('licence', 1).access('counting')])
        await self.request('w2')
        await self.until(lambda: any(bid.state.value == 'waits' for bid in self.sharing))
        await self.stays(lambda: len(HeldStep.running) == 1)
        await self.work_off(2)
        await self.until_quiet()

    async def reconfig_locks(self, locks: Any) -> None:
        for one in self.config['builders']:
            one.locks = locks
        self.master.config_loader.config_dict = self.config
        await self.master.reconfig()


class WhatIsShown(SharedCase):
    @async_to_deferred
    async def test_holders_and_waiters_of_other_masters_are_among_it(self) -> None:
        await self.with_locks([SharedMasterLock('licence', 2).access('counting')])
        await self.other.has('build:1000', Want('licence', '', 2))
        await self.request('w1')
        await self.started(1)
        self.assertFalse(await self.other.has('request:1001', Want('licence', '', 2)))

        def whole() -> bool:
            (sight,) = self.balancer.sight.locks()
            return sight.held == 2 and [one.what for one in sight.waiters] == [
                'request 1001 on other'
            ]

        await self.until(whole)
        (sight,) = self.balancer.sight.locks()
        self.assertEqual({one.what for one in sight.holders}, {'build 1000 on other', 'w1 #1'})
        await self.other.store.end(self.other.incarnation)
        await self.work_off(1)

    @async_to_deferred
    async def test_a_lock_that_only_others_use_is_among_it(self) -> None:
        await self.with_locks([BranchLock('version', shared=True).access('exclusive')])
        await self.other.has('build:1000', Want('version', 'main', 1, 'exclusive'))
        await self.until(lambda: self.balancer.sight.locks()[0].holders)
        (sight,) = self.balancer.sight.locks()
        self.assertEqual((sight.name, sight.group, sight.held), ('version', 'main', 1))
        self.assertIn('build 1000 on other (alone', sight.summary)

    @async_to_deferred
    async def test_why_names_the_other_master(self) -> None:
        await self.with_locks([SharedMasterLock('licence').access('counting')])
        await self.other.has('build:1000', ONE)
        request = await self.request('w1')
        await self.until(lambda: any(bid.state.value == 'waits' for bid in self.sharing))
        said = []

        async def why() -> bool:
            said[:] = [(await self.balancer.sight.request(request)).reason]
            return 'build 1000 on other' in said[0]

        end = time.monotonic() + 20
        while not await why():
            self.assertLess(time.monotonic(), end, said)
            await task.deferLater(reactor, 0.1)
        await self.other.give_back('build:1000')
        self.let_know()
        await self.started(1)
        await self.work_off(1)
