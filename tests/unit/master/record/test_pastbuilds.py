# SPDX-License-Identifier: GPL-2.0-or-later
"""The statements, on Buildbot's own tables."""

from __future__ import annotations

from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SKIPPED
from buildbot.process.results import SUCCESS
from buildbot.process.results import WARNINGS
from buildbot.test import fakedb
from buildbot.test.fake import fakemaster
from buildbot.test.reactor import TestReactorMixin
from buildbot.util.twisted import async_to_deferred
from twisted.trial.unittest import TestCase

from buildbot_balancer.master.record.pastbuilds import PastBuilds
from buildbot_balancer.policy.past import PastBuild

MASTER = fakedb.FakeDBConnector.MASTER_ID


class Case(TestReactorMixin, TestCase):
    @async_to_deferred
    async def setUp(self):
        self.setup_test_reactor()
        self.master = await fakemaster.make_master(self, wantDb=True)
        self.past = PastBuilds(self.master)
        await self.insert(
            fakedb.Master(id=MASTER),
            fakedb.Master(id=2),
            fakedb.Builder(id=77, name='b'),
            fakedb.Worker(id=7, name='w'),
            fakedb.SourceStamp(id=1, branch='x'),
            fakedb.SourceStamp(id=2, branch=None),
            fakedb.Buildset(id=5),
            fakedb.BuildsetSourceStamp(buildsetid=5, sourcestampid=1),
            fakedb.BuildRequest(id=10, buildsetid=5, builderid=77),
        )

    async def insert(self, *rows):
        await self.master.db.insert_test_data(list(rows))

    def build(self, number, **more):
        facts = {'started_at': 1000, 'complete_at': 1060, 'results': SUCCESS, **more}
        facts = {'buildrequestid': 10, 'builderid': 77, 'workerid': 7, 'masterid': MASTER, **facts}
        return fakedb.Build(id=number, number=number, **facts)


class Reading(Case):
    @async_to_deferred
    async def test_a_build_is_read_with_its_names_its_time_and_its_branch(self):
        await self.insert(self.build(1))
        (found,) = await self.past.last(10)
        self.assertEqual(
            found,
            PastBuild(
                builder='b',
                worker='w',
                seconds=60.0,
                at=1060.0,
                succeeded=True,
                ran=True,
                sources=1,
                branch='x',
            ),
        )

    @async_to_deferred
    async def test_the_wait_for_locks_is_no_work(self):
        await self.insert(self.build(1), self.build(2))
        for build, seconds in ((1, 50), (2, 99)):
            await self.master.db.builds.add_build_locks_duration(build, seconds)
        self.assertEqual([one.seconds for one in await self.past.last(10)], [10, 0])

    @async_to_deferred
    async def test_results_say_whether_it_succeeded_and_whether_it_ran(self):
        await self.insert(*(self.build(1 + results, results=results) for results in range(7)))
        found = dict(enumerate(await self.past.last(10)))
        succeeded = {results for results, one in found.items() if one.succeeded}
        ran = {results for results, one in found.items() if one.ran}
        self.assertEqual(succeeded, {SUCCESS, WARNINGS})
        self.assertEqual(ran, {SUCCESS, WARNINGS, FAILURE})
        self.assertEqual(set(found) - ran, {SKIPPED, EXCEPTION, RETRY, CANCELLED})

    @async_to_deferred
    async def test_one_that_runs_or_had_no_worker_is_not_there(self):
        await self.insert(
            self.build(1, complete_at=None, results=None), self.build(2, workerid=None)
        )
        self.assertEqual(await self.past.last(10), [])
        self.assertEqual(await self.past.among([1, 2]), [])

    @async_to_deferred
    async def test_the_default_branch_several_sourcestamps_and_none(self):
        await self.insert(
            fakedb.Buildset(id=6),
            fakedb.BuildsetSourceStamp(buildsetid=6, sourcestampid=2),
            fakedb.BuildRequest(id=11, buildsetid=6, builderid=77),
            fakedb.Buildset(id=8),
            fakedb.BuildsetSourceStamp(buildsetid=8, sourcestampid=1),
            fakedb.BuildsetSourceStamp(buildsetid=8, sourcestampid=2),
            fakedb.BuildRequest(id=12, buildsetid=8, builderid=77),
            fakedb.Buildset(id=9),
            fakedb.BuildRequest(id=13, buildsetid=9, builderid=77),
            *(self.build(n, buildrequestid=10 + n) for n in (1, 2, 3)),
        )
        found = [(one.sources, one.branch) for one in await self.past.last(10)]
        self.assertEqual(found, [(1, None), (2, None), (0, None)])

    @async_to_deferred
    async def test_only_the_last_ones_are_read_the_oldest_of_them_first(self):
        await self.insert(*(self.build(n, complete_at=1000 + n) for n in range(1, 8)))
        self.assertEqual([one.seconds for one in await self.past.last(3)], [5, 6, 7])

    @async_to_deferred
    async def test_those_that_are_named_are_read_whichever_master_ran_them(self):
        masters = (MASTER, 2)
        await self.insert(
            *(self.build(n, complete_at=1000 + n, masterid=masters[n % 2]) for n in range(1, 8))
        )
        self.assertEqual([one.seconds for one in await self.past.among([5, 2, 99])], [2, 5])
        self.assertEqual(await self.past.among([]), [])

    @async_to_deferred
    async def test_each_is_one_call_of_the_database(self):
        await self.insert(*(self.build(n) for n in range(1, 8)))
        calls, do = [], self.master.db.pool.do

        def counted(*args, **kwargs):
            calls.append(args)
            return do(*args, **kwargs)

        self.master.db.pool.do = counted
        await self.past.last(10)
        await self.past.among([1, 2, 3])
        self.assertEqual(len(calls), 2)
