# SPDX-License-Identifier: GPL-2.0-or-later
"""What a dead master has left behind, on two real masters that share its database."""

from __future__ import annotations

from typing import Any
from typing import Callable

from buildbot.plugins import schedulers
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.several import SeveralMasters
from twisted.internet import defer

from buildbot_balancer.cluster import leftovers
from buildbot_balancer.cluster import orphans

LONG_AGO = 1000


class Case(SeveralMasters):
    """`dead` is the id of a master that once claimed requests, and runs no more."""

    async def begin_one(self, **more: Any) -> Any:
        self.patch(orphans, 'EVERY', 1000.0)  # the test looks itself
        master = await self.begin({'b': ('w1',)}, here=('w1',), **more)
        self.said = await self.heard(master, 'unclaimed')
        self.dead = await master.db.masters.findMasterId('dead')
        return master

    async def begin_two(self) -> tuple[Any, Any]:
        return await self.begin_one(), await self.begin({'b': ('w1',)}, (), elsewhere=('w1',))

    @async_to_deferred
    async def tearDown(self) -> None:
        await self.until(self._is_over)

    def _is_over(self) -> bool:
        self.let_all_go()
        return not any(m.botmaster.builders['b'].building for m in self.masters)

    async def heard(self, master: Any, event: str, kind: str = 'buildrequests') -> list[int]:
        """Ids, by Buildbot's own events; the bridge brings those of the other master."""
        found: list[int] = []
        await master.mq.startConsuming(
            lambda key, _: found.append(int(key[1])), (kind, None, event)
        )
        return found

    async def claimed(self, master: Any, at: int = LONG_AGO) -> int:
        """A request that nobody here can start first."""
        builderid = await master.botmaster.builders['b'].getBuilderId()
        await self.control_of(master).pause_builder(builderid, None, None, 'ann')
        request = await self.request_of(master)
        claim = master.db.buildrequests._claim_buildrequests_for_master
        await claim([request], at, self.dead)
        await self.control_of(master).resume_builder(builderid, 'ann')
        return request

    async def build_of(self, master: Any, request: int) -> int:
        """Which the dead master has not ended."""
        builderid = await master.botmaster.builders['b'].getBuilderId()
        add = master.db.builds.addBuild
        buildid, _ = await add(builderid, request, self.worker_id('w1'), self.dead, 'starting')
        stepid, _, _ = await master.db.steps.addStep(buildid, 'compile', 'running')
        await master.db.logs.addLog(stepid, 'stdio', 'stdio', 's')
        return int(buildid)

    def orphans_of(self, master: Any) -> Any:
        return self.neighbours_of(master)._orphans

    async def looks(self, master: Any, count: int = 2) -> None:
        for _ in range(count):
            await self.orphans_of(master).look()

    async def claim_of(self, master: Any, request: int) -> int | None:
        row = await master.db.buildrequests.getBuildRequest(request)
        return row.claimed_by_masterid if row.claimed else None

    def hold(self, master: Any, work: Callable[..., Any]) -> tuple[list[Any], defer.Deferred[None]]:
        """What a master asks the database by `work` waits, before it is asked."""
        database, held, go = self.orphans_of(master)._database, [], defer.Deferred()
        ask = database.ask

        async def asked(*args: Any) -> Any:
            if work in args:
                held.append(args)
                await go
            return await ask(*args)

        self.patch(database, 'ask', asked)
        return held, go


class Requests(Case):
    @async_to_deferred
    async def test_buildbots_own_expiry_leaves_them_claimed_and_ours_gives_them_back(self) -> None:
        one = await self.begin_one()
        request = await self.claimed(one)
        await one.db.masters.setMasterState(self.dead, active=True)
        await self.silence(one)
        await one.data.updates.expireMasters()
        self.assertEqual((await self.claim_of(one, request), self.said), (self.dead, []))
        await self.looks(one)
        self.assertEqual(self.said, [request])
        await self.started(1)
        self.assertEqual(await self.claim_of(one, request), one.masterid)

    async def silence(self, master: Any) -> None:
        def work(connection: Any) -> None:
            masters = master.db.model.masters
            dead = masters.c.id == self.dead
            connection.execute(masters.update().where(dead).values(last_active=LONG_AGO))
            connection.commit()

        await master.db.pool.do(work)

    @async_to_deferred
    async def test_one_look_is_not_enough(self) -> None:
        one = await self.begin_one()
        request = await self.claimed(one)
        await self.looks(one, count=1)
        self.assertEqual(await self.claim_of(one, request), self.dead)

    @async_to_deferred
    async def test_two_masters_that_look_at_one_instant_give_each_back_once(self) -> None:
        one, two = await self.begin_two()
        requests = [await self.claimed(one) for _ in range(3)]
        for master in (one, two):
            await self.looks(master, count=1)
        first, go = self.hold(one, leftovers.unclaim)
        second, go_too = self.hold(two, leftovers.unclaim)
        looks = [defer.ensureDeferred(self.looks(each, count=1)) for each in (one, two)]
        await self.until(lambda: first and second)  # both have seen all of them
        go_too.callback(None)
        go.callback(None)
        await defer.gatherResults(looks)
        self.assertEqual(sorted(self.said), requests)

    @async_to_deferred
    async def test_who_comes_back_in_between_keeps_what_it_has(self) -> None:
        one = await self.begin_one()
        request = await self.claimed(one)
        await self.looks(one, count=1)
        held, go = self.hold(one, leftovers.unclaim)
        look = defer.ensureDeferred(self.looks(one, count=1))
        await self.until(lambda: held)
        await one.db.masters.setMasterState(self.dead, active=True)
        go.callback(None)
        await look
        self.assertEqual((await self.claim_of(one, request), self.said), (self.dead, []))

    @async_to_deferred
    async def test_a_claim_that_is_new_is_another_one(self) -> None:
        one = await self.begin_one()
        request = await self.claimed(one)
        await self.looks(one, count=1)
        held, go = self.hold(one, leftovers.unclaim)
        look = defer.ensureDeferred(self.looks(one, count=1))
        await self.until(lambda: held)
        db = one.db.buildrequests
        await db._unclaim_buildrequests_for_master([request], self.dead)
        await db._claim_buildrequests_for_master([request], LONG_AGO + 1, self.dead)
        go.callback(None)
        await look
        self.assertEqual((await self.claim_of(one, request), self.said), (self.dead, []))

    @async_to_deferred
    async def test_what_an_earlier_run_of_the_same_master_had_claimed_is_given_back(self) -> None:
        one = await self.begin_one()
        self.dead = one.masterid  # another one had called it dead before it came back
        running = await self.request_of(one)
        await self.started(1)
        request = await self.claimed(one)
        await self.looks(one)
        self.assertEqual(self.said, [request])
        self.assertEqual(await self.claim_of(one, running), one.masterid)

    @async_to_deferred
    async def test_what_a_master_claims_that_lives_is_left_alone(self) -> None:
        one, two = await self.begin_two()
        request = await self.request_of(one)
        await self.started(1)
        await self.looks(two)
        await two.db.masters.setMasterState(one.masterid, active=False)  # Buildbot errs, or it
        await self.looks(two)  # has just come back; it still says that it lives
        self.assertEqual((await self.claim_of(one, request), self.said), (one.masterid, []))

    @async_to_deferred
    async def test_one_that_was_built_is_complete_with_its_result_and_not_built_again(self) -> None:
        one = await self.begin_one()
        request = await self.claimed(one)
        buildid = await self.build_of(one, request)
        await one.db.builds.finishBuild(buildid, FAILURE)
        complete = await self.heard(one, 'complete')
        await self.looks(one)
        self.assertEqual((complete, self.said), ([request], []))
        row = await one.db.buildrequests.getBuildRequest(request)
        self.assertEqual((row.complete, row.results), (True, FAILURE))
        self.assertTrue((await one.db.buildsets.getBuildset(row.buildsetid)).complete)

    @async_to_deferred
    async def test_a_buildset_that_nobody_has_completed_is_completed(self) -> None:
        one = await self.begin_one()
        request = await self.claimed(one)
        await one.db.buildrequests.completeBuildRequests([request], SUCCESS)
        complete = await self.heard(one, 'complete', 'buildsets')
        await self.looks(one)
        row = await one.db.buildrequests.getBuildRequest(request)
        self.assertEqual(complete, [row.buildsetid])

    @async_to_deferred
    async def test_what_its_distributor_has_claimed_and_forgotten_takes_a_look_more(self) -> None:
        one = await self.begin_one()
        self.dead = one.masterid
        request = await self.claimed(one)
        one.botmaster.add_in_progress_buildrequest(request)  # as Buildbot's own does
        await self.looks(one)
        self.assertEqual(self.said, [])
        await self.looks(one, count=1)
        self.assertEqual(self.said, [request])

    @async_to_deferred
    async def test_a_master_that_is_alone_looks_after_its_own_only(self) -> None:
        one = await self.begin_one(
            multiMaster=False,
            schedulers=[schedulers.ForceScheduler(name='force', builderNames=['b'])],
        )
        others = await self.claimed(one)
        self.dead = one.masterid
        request = await self.claimed(one)
        await self.looks(one, count=3)
        self.assertEqual(self.said, [request])
        self.assertIsNotNone(await self.claim_of(one, others))

    @async_to_deferred
    async def test_after_some_looks_its_own_is_not_read_again_until_the_database_fails(
        self,
    ) -> None:
        one = await self.begin_one()
        held, go = self.hold(one, leftovers.find_own)
        go.callback(None)
        await self.looks(one, count=5)
        self.assertEqual(len(held), orphans.OWN)
        self.orphans_of(one)._look_at_own()
        await self.looks(one, count=1)
        self.assertEqual(len(held), orphans.OWN + 1)


class Builds(Case):
    @async_to_deferred
    async def test_one_that_nobody_has_ended_is_a_retry_and_so_are_its_steps(self) -> None:
        one, two = await self.begin_two()
        request = await self.claimed(one)
        buildid = await self.build_of(one, request)
        ended = await self.heard(one, 'finished', 'builds')
        for master in (one, two):
            await self.looks(master, count=1)
        first, go = self.hold(one, leftovers.finish)
        second, go_too = self.hold(two, leftovers.finish)
        looks = [defer.ensureDeferred(self.looks(each, count=1)) for each in (one, two)]
        await self.until(lambda: first and second)
        go.callback(None)
        go_too.callback(None)
        await defer.gatherResults(looks)
        self.assertEqual((ended.count(buildid), self.said), (1, [request]))
        build = await one.data.get(('builds', str(buildid)))
        self.assertEqual((build['complete'], build['results']), (True, RETRY))
        (step,) = await one.data.get(('builds', str(buildid), 'steps'))
        self.assertEqual((step['complete'], step['results']), (True, RETRY))
        (log,) = await one.data.get(('steps', step['stepid'], 'logs'))
        self.assertTrue(log['complete'])
        await self.until(lambda: HeldStep.running)  # the request starts anew

    @async_to_deferred
    async def test_one_of_a_living_master_goes_on(self) -> None:
        one, two = await self.begin_two()
        await self.request_of(one)
        await self.started(1)
        await self.looks(two)
        (build,) = await two.data.get(('builds',))
        self.assertFalse(build['complete'])
