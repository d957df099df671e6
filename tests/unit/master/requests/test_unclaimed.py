# SPDX-License-Identifier: GPL-2.0-or-later
"""The one statement, on Buildbot's own tables."""

from __future__ import annotations

from buildbot.test import fakedb
from buildbot.test.fake import fakemaster
from buildbot.test.reactor import TestReactorMixin
from buildbot.util.twisted import async_to_deferred
from twisted.trial.unittest import TestCase

from buildbot_balancer.master.requests.pending import Pending
from buildbot_balancer.master.requests.unclaimed import fetch_unclaimed


class Case(TestReactorMixin, TestCase):
    @async_to_deferred
    async def setUp(self):
        self.setup_test_reactor()
        self.master = await fakemaster.make_master(self, wantDb=True)
        await self.master.db.insert_test_data(
            [
                fakedb.Master(id=fakedb.FakeDBConnector.MASTER_ID),
                fakedb.Master(id=2),
                fakedb.Builder(id=77, name='b'),
                fakedb.Builder(id=78, name='of-another-master'),
                fakedb.Buildset(id=5),
                *(
                    fakedb.BuildRequest(
                        id=n, buildsetid=5, builderid=77 + n % 2, priority=n, submitted_at=100 + n
                    )
                    for n in range(1, 5)
                ),
                fakedb.BuildRequest(id=8, buildsetid=5, builderid=77, waited_for=1),
                fakedb.BuildRequest(id=9, buildsetid=5, builderid=77, complete=1),
                fakedb.BuildRequestClaim(brid=1, masterid=2, claimed_at=120),
            ]
        )

    @async_to_deferred
    async def test_it_finds_what_nobody_has_claimed_and_is_not_complete(self):
        rows = await fetch_unclaimed(self.master)
        self.assertEqual(sorted(row[0] for row in rows), [2, 3, 4, 8])

    @async_to_deferred
    async def test_each_row_is_a_request_as_buildbot_itself_reads_it(self):
        rows = {row[0]: Pending(*row) for row in await fetch_unclaimed(self.master)}
        self.assertEqual(rows[3], Pending(3, 78, 5, 3, 103, waited_for=False))
        self.assertIs(rows[8].waited_for, True)
        for request, pending in rows.items():
            model = await self.master.db.buildrequests.getBuildRequest(request)
            self.assertEqual(
                (model.builderid, model.buildsetid, model.priority, model.waited_for),
                (pending.builderid, pending.buildsetid, pending.priority, pending.waited_for),
            )
            self.assertEqual(model.submitted_at.timestamp(), pending.submitted_at)

    @async_to_deferred
    async def test_the_claims_of_a_master_that_died_count_until_they_are_deleted(self):
        await self.master.db.buildrequests._unclaim_buildrequests_for_master([1], 2)
        rows = await fetch_unclaimed(self.master)
        self.assertIn(1, [row[0] for row in rows])

    @async_to_deferred
    async def test_it_is_one_call_of_the_database(self):
        calls, do = [], self.master.db.pool.do

        def counted(*args, **kwargs):
            calls.append(args)
            return do(*args, **kwargs)

        self.master.db.pool.do = counted
        await fetch_unclaimed(self.master)
        self.assertEqual(len(calls), 1)
