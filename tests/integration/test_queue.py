# SPDX-License-Identifier: GPL-2.0-or-later
"""The queue of a real master: Buildbot's own events, claims, cancels and tables."""

from __future__ import annotations

from typing import Any

from buildbot.process.results import SKIPPED
from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.masters import MasterCase
from twisted.internet import reactor

from buildbot_balancer.master.requests.facts import Facts
from buildbot_balancer.master.requests.intake import Intake
from buildbot_balancer.master.requests.queue import Queue
from buildbot_balancer.master.requests.unclaimed import fetch_unclaimed


class Case(MasterCase):
    async def start_queue(self, **more: Any) -> None:
        """A master whose only worker is not connected, and its queue."""
        await self.start(('w1',), connect=False, **more)
        self.queue, self.intake = await self.make_queue('b')
        self.told: list[int] = []
        self.queue.on_added(lambda pending: self.told.append(pending.id))

    async def make_queue(self, *builders: str) -> tuple[Queue, Intake]:
        queue = Queue()
        intake = Intake(self.master.mq, reactor, queue, lambda: fetch_unclaimed(self.master))
        await intake.serve([await self.builderid(name) for name in builders])
        await intake.start()
        self.addCleanup(self.stop, intake)
        return queue, intake

    @async_to_deferred
    async def stop(self, intake: Intake) -> None:
        await intake.stop()

    async def builderid(self, name: str) -> int:
        return int(await self.master.data.updates.findBuilderId(name))

    def ids(self) -> list[int]:
        return [pending.id for pending in self.queue.in_order()]

    def count_calls(self) -> list[Any]:
        calls: list[Any] = []
        pool = self.master.db.pool
        do = pool.do

        def counted(*args: Any, **kwargs: Any) -> Any:
            calls.append(args)
            return do(*args, **kwargs)

        pool.do = counted
        self.addCleanup(setattr, pool, 'do', do)
        return calls

    async def execute(self, statement: Any) -> None:
        def thd(connection: Any) -> None:
            with connection.begin():
                connection.execute(statement)

        await self.master.db.pool.do(thd)


class Events(Case):
    @async_to_deferred
    async def test_requests_are_there_when_they_are_announced_and_in_order(self) -> None:
        await self.start_queue()
        plain, urgent = await self.request(), await self.request(priority=3)
        await self.until(lambda: len(self.queue) == 2)
        self.assertEqual(self.ids(), [urgent, plain])
        pending = self.queue.first(await self.builderid('b'))
        row = await self.master.db.buildrequests.getBuildRequest(urgent)
        self.assertEqual(
            (pending.buildsetid, pending.submitted_at),
            (row.buildsetid, row.submitted_at.timestamp()),
        )

    @async_to_deferred
    async def test_a_cancelled_request_is_gone(self) -> None:
        await self.start_queue()
        first, second = await self.request(), await self.request()
        await self.until(lambda: len(self.queue) == 2)
        await self.master.data.control('cancel', {}, ('buildrequests', str(first)))
        await self.until(lambda: self.ids() == [second])

    @async_to_deferred
    async def test_a_request_whose_claim_is_given_back_waits_again(self) -> None:
        await self.start_queue()
        request = await self.request()
        await self.until(lambda: self.told == [request])
        await self.master.data.updates.claimBuildRequests([request])
        self.assertEqual(self.ids(), [])
        await self.master.data.updates.unclaimBuildRequests([request])
        self.assertEqual((self.ids(), self.told), ([request], [request, request]))

    @async_to_deferred
    async def test_requests_that_buildbot_collapses_are_gone(self) -> None:
        await self.start_queue()
        self.master.botmaster.builders['b'].config.collapseRequests = True
        requests = [await self.request() for _ in range(3)]
        await self.until(lambda: self.ids() == requests[-1:])
        row = await self.master.db.buildrequests.getBuildRequest(requests[0])
        self.assertEqual(row.results, SKIPPED)
        await self.stays(lambda: self.ids() == requests[-1:])

    @async_to_deferred
    async def test_a_build_takes_its_request_away_and_a_lost_worker_brings_it_back(self) -> None:
        await self.start_queue()
        request = await self.request()
        await self.until(lambda: self.told == [request])
        await self.connect('w1', reporter=False)
        await self.started(1)
        self.assertEqual(self.ids(), [])
        await self.disconnect('w1')
        await self.until(lambda: self.ids() == [request])

    @async_to_deferred
    async def test_after_a_burst_of_builds_nothing_is_left_and_nothing_comes_back(self) -> None:
        names = tuple(f'b{n}' for n in range(20))
        await self.start_queue(builders=dict.fromkeys(('b', *names), ('w1',)))
        self.queue, _ = await self.make_queue('b', *names)
        await self.connect('w1', reporter=False)
        builderids = [await self.builderid(name) for name in names]
        await self.master.data.updates.addBuildset(
            waited_for=False,
            builderids=builderids,
            sourcestamps=[{'codebase': '', 'branch': '', 'repository': '', 'project': ''}],
        )

        done: list[Any] = []
        consumer = await self.master.mq.startConsuming(
            lambda key, message: done.append(key), ('buildsets', None, 'complete')
        )
        self.addCleanup(consumer.stopConsuming)
        await self.until(lambda: self.let_all_go() or done)
        await self.stays(lambda: self.ids() == [])


class Looks(Case):
    @async_to_deferred
    async def test_a_restarted_master_loads_all_in_one_query(self) -> None:
        await self.start_queue()
        requests = [await self.request(priority=n % 2) for n in range(4)]
        calls = self.count_calls()
        queue, _ = await self.make_queue('b')
        # one for the builder's id
        self.assertEqual(len(calls), 2)
        self.assertEqual([one.id for one in queue.in_order()], requests[1::2] + requests[::2])

    @async_to_deferred
    async def test_what_a_master_that_died_had_claimed_is_found_when_its_claims_are_deleted(
        self,
    ) -> None:
        await self.start_queue()
        request = await self.request()
        await self.until(lambda: self.told == [request])
        dead = await self.master.db.masters.findMasterId('dead')
        requests = self.master.db.buildrequests
        await requests._claim_buildrequests_for_master([request], 1, dead)
        await self.intake.check()
        self.assertEqual(self.ids(), [])
        await requests._unclaim_buildrequests_for_master([request], dead)
        await self.intake.check()
        self.assertEqual(self.ids(), [request])

    @async_to_deferred
    async def test_another_priority_in_the_database_is_found(self) -> None:
        await self.start_queue()
        first, second = await self.request(), await self.request()
        await self.until(lambda: len(self.queue) == 2)
        table = self.master.db.model.buildrequests
        await self.execute(table.update().where(table.c.id == second).values(priority=9))
        await self.intake.check()
        self.assertEqual(self.ids(), [second, first])

    @async_to_deferred
    async def test_the_builder_that_a_reconfig_brings_has_its_requests_at_once(self) -> None:
        await self.start_queue()
        waiting = await self.request('later')
        await self.intake.check()
        self.assertEqual(self.ids(), [])
        await self.intake.serve([await self.builderid('b'), await self.builderid('later')])
        self.assertEqual((self.ids(), self.told), ([waiting], [waiting]))


class OfARealMaster(Case):
    @async_to_deferred
    async def test_facts_cost_at_most_two_calls_and_a_build_runs_with_them(self) -> None:
        await self.start_queue()
        await self.master.data.updates.addChange(
            author='me', files=['a.c'], comments='c', revision='r', branch='main', codebase=''
        )
        builderid = await self.builderid('b')
        stamps = await self.master.db.sourcestamps.getSourceStamps()
        await self.master.data.updates.addBuildset(
            waited_for=False,
            builderids=[builderid],
            sourcestamps=[stamps[0].ssid],
            properties={'colour': ('red', 'test')},
        )
        await self.until(lambda: self.queue.first(builderid))
        facts = Facts(self.master, {builderid: 'b'}.get)
        calls = self.count_calls()
        breq = await facts.of(self.queue.first(builderid))
        self.assertLessEqual(len(calls), 2)
        await self.connect('w1', reporter=False)
        await self.started(1)
        build = HeldStep.running[0].build
        self.assertEqual(build.requests[0].sources[''].asDict(), breq.sources[''].asDict())
        self.assertEqual(build.requests[0].properties.asDict(), breq.properties.asDict())
        self.assertEqual(
            [change.asChDict() for change in build.requests[0].sources[''].changes],
            [change.asChDict() for change in breq.sources[''].changes],
        )
        self.let_all_go()
