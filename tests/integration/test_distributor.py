# SPDX-License-Identifier: GPL-2.0-or-later
"""Our distributor in the place of Buildbot's: put in, taken out, stopped, and with faults."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa
from buildbot.plugins import schedulers
from buildbot.plugins import steps
from buildbot.process.factory import BuildFactory
from buildbot.util.twisted import async_to_deferred
from support.distributor_master import DistributorCase
from support.masters import HeldStep
from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet import task

from buildbot_balancer.master.balancer import Balancer

TWO = {'b': ('w1', 'w2'), 'c': ('w2', 'w3')}


class InPlace(DistributorCase):
    @async_to_deferred
    async def test_it_serves_where_the_balancer_serves_all_builders(self) -> None:
        await self.start_with(TWO)
        self.assertTrue(self.is_ours())
        await self.reconfig(Balancer(builders=['*']))
        self.assertTrue(self.is_ours())
        await self.reconfig(Balancer(builders=['b']))
        self.assertFalse(self.is_ours())
        await self.reconfig(Balancer())
        self.assertTrue(self.is_ours())
        await self.reconfig()
        self.assertFalse(self.is_ours())

    @async_to_deferred
    async def test_nothing_is_lost_and_nothing_runs_twice_when_it_comes_and_goes(self) -> None:
        await self.start_with(TWO)
        requests = []
        for services in ([], [Balancer()], [Balancer(builders=['c'])], [Balancer(order='worker')]):
            requests += [await self.request(name) for name in 'bcb']
            await self.started(1)
            await self.reconfig(*services)
            requests.append(await self.request('c'))
            self.let_all_go()
        while len(await self.order()) < len(requests) or HeldStep.running:
            self.let_all_go()
            await self.until(lambda: HeldStep.running or not self.brd.active)
            await self.stays(lambda: True, 0.02)
        self.assertEqual(Counter(await self.order()), Counter(requests))

    @async_to_deferred
    async def test_it_is_taken_out_in_the_middle_of_a_claim(self) -> None:
        await self.start_with()
        answers, claim = [], self.master.data.updates.claimBuildRequests

        def slowly(*args: Any, **kwargs: Any) -> Any:
            answers.append(defer.Deferred())
            return answers[-1].addCallback(lambda _: claim(*args, **kwargs))

        self.patch(self.master.data.updates, 'claimBuildRequests', slowly)
        request = await self.request()
        await self.until(lambda: answers)
        going = defer.ensureDeferred(self.reconfig())
        await self.stays(lambda: True, 0.2)
        for one in answers:
            if not one.called:
                one.callback(None)
        self.patch(self.master.data.updates, 'claimBuildRequests', claim)
        await going
        self.assertFalse(self.is_ours())
        await self.started(1)
        self.assertEqual(await self.order(), [request])
        await self.no_builds()

    @async_to_deferred
    async def test_a_build_starts_before_buildbots_own_wake_for_new_requests(self) -> None:
        await self.start_with()
        woken: list[Any] = []
        self.patch(self.brd, 'maybeStartBuildsOn', woken.append)
        await self.request()
        await self.started(1)
        self.patch(self.master.botmaster, 'brd', self.brd)
        self.assertEqual(len(await self.order()), 1)
        self.assertLess(len(woken), 2)
        await self.no_builds()

    @async_to_deferred
    async def test_the_look_is_made_in_the_turn_of_the_event(self) -> None:
        await self.start_with()
        looks = self.count_looks()
        request = await self.request()
        message = await self.master.data.get(('buildrequests', str(request)))
        self.assertIsNotNone(message)
        self.assertEqual(looks[:1], [request])
        await self.started(1)
        await self.no_builds()


class CleanShutdown(DistributorCase):
    async def start_family(self) -> None:
        await self.start_with(
            {'parent': ('w1',), 'child': ('w2',)},
            more={'schedulers': [schedulers.Triggerable('to-child', ['child'])]},
        )
        trigger = steps.Trigger(schedulerNames=['to-child'], waitForFinish=True)
        self.builder('parent').config.factory = BuildFactory([HeldStep(), trigger])

    @async_to_deferred
    async def test_a_child_that_is_waited_for_starts_and_nothing_else_does(self) -> None:
        await self.start_family()
        await self.request('parent')
        await self.started(1)
        over = self.master.botmaster.cleanShutdown(stopReactor=False)
        other = await self.request('child')
        await self.stays(lambda: len(HeldStep.running) == 1, 0.3)
        HeldStep.running[0].let_go()
        await self.until(lambda: self.builder('child').building)
        await self.started(1)
        self.assertNotIn(other, await self.order())
        self.let_all_go()
        await over
        self.assertEqual(len(await self.order()), 2)

    @async_to_deferred
    async def test_when_it_is_cancelled_what_waited_starts(self) -> None:
        await self.start_family()
        await self.request('parent')
        await self.started(1)
        over = self.master.botmaster.cleanShutdown(stopReactor=False)
        other = await self.request('child')
        await self.stays(lambda: len(HeldStep.running) == 1, 0.3)
        self.master.botmaster.cancelCleanShutdown()
        HeldStep.running[0].let_go()
        while HeldStep.running or self.builder('parent').building:
            self.let_all_go()
            await self.stays(lambda: True, 0.05)
        await over
        for _ in range(100):
            self.let_all_go()
            if other in await self.order():
                break
            await self.stays(lambda: True, 0.05)
        self.assertIn(other, await self.order())
        await self.no_builds()


class Faults(DistributorCase):
    def fail_for_a_while(self, owner: Any, name: str, times: int) -> list[int]:
        calls: list[int] = []
        stock = getattr(owner, name)

        def failing(*args: Any, **kwargs: Any) -> Any:
            calls.append(1)
            if len(calls) <= times:
                return defer.fail(OSError('the database is away'))
            return stock(*args, **kwargs)

        self.patch(owner, name, failing)
        return calls

    @async_to_deferred
    async def test_a_claim_that_fails_for_a_while_delays_and_leaks_nothing(self) -> None:
        await self.start_with()
        self.fail_for_a_while(self.master.data.updates, 'claimBuildRequests', 2)
        request = await self.request()
        await self.started(1)
        self.assertEqual(await self.order(), [request])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)
        self.assertEqual(self.master.botmaster._starting_brid_to_cancel, {})
        await self.no_builds()
        self.assertTrue(await self.is_complete(request))

    @async_to_deferred
    async def test_facts_that_cannot_be_had_for_a_while_delay(self) -> None:
        await self.start_with(recheck=1)
        facts = self.brd._backlog.facts
        fetch, calls = facts._fetch, []

        async def failing(pending: Any) -> Any:
            calls.append(pending.id)
            if len(calls) < 3:
                raise OSError
            return await fetch(pending)

        self.patch(facts, '_fetch', failing)
        request = await self.request()
        await self.started(1)
        self.assertEqual(calls[:3], [request] * 3)  # two looks may fetch at a time
        self.assertEqual(await self.order(), [request])
        self.assertTrue(self.flushLoggedErrors(OSError))
        await self.no_builds()

    @async_to_deferred
    async def test_a_rank_that_cannot_be_asked_for_a_while_loses_nothing(self) -> None:
        await self.start_with(recheck=1, rank=lambda request: 1)
        facts = self.brd._backlog.facts
        fetch, calls = facts._fetch, []

        async def failing(pending: Any) -> Any:
            calls.append(pending.id)
            if len(calls) < 2:
                raise OSError
            return await fetch(pending)

        self.patch(facts, '_fetch', failing)
        request = await self.request()
        await self.started_within(8)
        self.assertEqual(await self.order(), [request])
        await self.no_builds()

    async def started_within(self, seconds: float) -> None:
        await self.until(lambda: HeldStep.running, seconds)

    def tearDown(self) -> None:
        self.flushLoggedErrors(OSError)

    @async_to_deferred
    async def test_a_priority_that_changes_in_the_database_is_found_by_the_slow_look(self) -> None:
        await self.start_with()
        await self.request()
        await self.started(1)
        first, second = await self.request(), await self.request()
        table = self.master.db.model.buildrequests

        def thd(connection: Any) -> None:
            with connection.begin():
                connection.execute(sa.update(table).where(table.c.id == second).values(priority=7))

        await self.master.db.pool.do(thd)
        await self.brd._backlog._intake.check()
        self.assertEqual((await self.work_off(3))[1:], [second, first])

    @async_to_deferred
    async def test_requests_that_are_cancelled_at_any_point_stop_nobody(self) -> None:
        await self.start_with()
        await self.request()
        await self.started(1)
        waiting, other = await self.request(), await self.request()
        await self.cancel(waiting)
        await self.until_complete(waiting)
        claim = self.master.data.updates.claimBuildRequests
        cancelled: list[int] = []

        async def cancels(brids: list[int], **kwargs: Any) -> Any:
            if not cancelled:  # in the middle of its claim
                cancelled.extend(brids)
                await self.cancel(brids[0])
                await self.until_complete(brids[0])
            return await claim(brids, **kwargs)

        def hooked(brids: list[int], **kwargs: Any) -> Any:
            return defer.ensureDeferred(cancels(brids, **kwargs))

        self.patch(self.master.data.updates, 'claimBuildRequests', hooked)
        HeldStep.running[0].let_go()
        await self.until(lambda: cancelled == [other])
        last = await self.request()
        await self.started(1)
        self.assertEqual((await self.order())[1:], [last])
        self.assertEqual(self.master.botmaster._starting_brid_to_cancel, {})
        await self.no_builds()

    async def cancel(self, request: int) -> None:
        await self.master.data.control('cancel', {}, ('buildrequests', str(request)))

    async def until_complete(self, request: int) -> None:
        for _ in range(500):
            if await self.is_complete(request):
                return
            await task.deferLater(reactor, 0.01)
        raise AssertionError(request)
