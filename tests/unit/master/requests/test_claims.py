# SPDX-License-Identifier: GPL-2.0-or-later
"""A database that fails before a claim is written, or after."""

from __future__ import annotations

from types import SimpleNamespace

from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.requests.claims import PAUSES
from buildbot_balancer.master.requests.claims import Claimed
from buildbot_balancer.master.requests.claims import Claims

OURS, THEIRS = 1, 2
REQUEST = 7


class Database:
    """`failing`: what happens to the next calls, such as 'before' or 'after' it was written."""

    def __init__(self):
        self.claimed_by = None
        self.complete = False
        self.failing = []
        self.calls = []
        self.waits = None

    def fault(self, name):
        self.calls.append(name)
        return self.failing.pop(0) if self.failing else ''

    async def claimBuildRequests(self, requests, claimed_at=None):
        fault = self.fault('claim')
        if fault == 'before':
            raise OSError(fault)
        if self.waits is not None:
            await self.waits
        free = self.claimed_by is None
        if free:
            self.claimed_by = OURS
        if fault == 'after':
            raise OSError(fault)
        return free

    async def unclaimBuildRequests(self, requests):
        if self.fault('unclaim'):
            raise OSError
        if self.claimed_by == OURS:
            self.claimed_by = None

    async def getBuildRequest(self, request):
        if self.fault('get'):
            raise OSError
        return SimpleNamespace(claimed_by_masterid=self.claimed_by, complete=self.complete)


class Botmaster:
    def __init__(self):
        self.in_progress = set()

    def add_in_progress_buildrequest(self, request):
        self.in_progress.add(request)

    def remove_in_progress_buildrequest(self, request):
        self.in_progress.discard(request)


class Case(SynchronousTestCase):
    def setUp(self):
        self.clock, self.db, self.botmaster = Clock(), Database(), Botmaster()
        master = SimpleNamespace(
            masterid=OURS,
            botmaster=self.botmaster,
            data=SimpleNamespace(updates=self.db),
            db=SimpleNamespace(buildrequests=self.db),
        )
        self.claims = Claims(master, self.clock)

    def claim(self):
        return defer.ensureDeferred(self.claims.claim(REQUEST))

    def claimed(self):
        result = self.claim()
        self.clock.pump([*PAUSES, 0.1])
        self.flushLoggedErrors(OSError)
        return self.successResultOf(result)


class Claiming(Case):
    def test_one_that_is_free_is_ours_and_in_progress(self):
        self.assertEqual(self.claimed(), Claimed.OURS)
        self.assertEqual(self.botmaster.in_progress, {REQUEST})
        self.assertEqual(self.db.calls, ['claim'])

    def test_it_is_in_progress_before_the_database_is_asked(self):
        self.db.waits = defer.Deferred()
        result = self.claim()
        self.assertEqual(self.botmaster.in_progress, {REQUEST})
        self.db.waits.callback(None)
        self.successResultOf(result)

    def test_a_lost_race_is_quiet_and_costs_one_query(self):
        self.db.claimed_by = THEIRS
        self.assertEqual(self.successResultOf(self.claim()), Claimed.LOST)
        self.assertEqual(self.db.calls, ['claim'])
        self.assertEqual(self.botmaster.in_progress, set())
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_one_that_raises_is_tried_again_and_logged(self):
        self.db.failing = ['before', 'before']
        result = self.claim()
        self.clock.advance(PAUSES[0])
        self.assertNoResult(result)
        self.clock.advance(PAUSES[1])
        self.assertEqual(self.successResultOf(result), Claimed.OURS)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)
        self.assertEqual(self.botmaster.in_progress, {REQUEST})

    def test_one_that_raises_for_ever_is_given_up_and_leaves_nothing(self):
        self.db.failing = ['before'] * 100
        self.assertEqual(self.claimed(), Claimed.FAILED)
        self.assertEqual(self.db.calls, ['claim'] * (len(PAUSES) + 1))
        self.assertEqual(self.botmaster.in_progress, set())

    def test_one_that_raises_and_was_written_all_the_same_is_ours(self):
        self.db.failing = ['after']
        self.assertEqual(self.claimed(), Claimed.OURS)
        self.assertEqual(self.botmaster.in_progress, {REQUEST})

    def test_so_it_is_when_the_question_whose_it_is_fails_too(self):
        self.db.failing = ['after', '', 'get fails', '', '']
        self.assertEqual(self.claimed(), Claimed.OURS)
        self.assertEqual(self.db.calls, ['claim', 'claim', 'get', 'claim', 'get'])

    def test_who_was_faster_while_ours_raised_has_it(self):
        self.db.failing = ['before']
        self.db.claimed_by = THEIRS
        self.assertEqual(self.claimed(), Claimed.LOST)
        self.assertEqual(self.botmaster.in_progress, set())

    def test_one_that_was_written_and_cancelled_meanwhile_is_lost(self):
        self.db.failing = ['after']
        self.db.complete = True
        self.assertEqual(self.claimed(), Claimed.LOST)
        self.assertEqual(self.botmaster.in_progress, set())

    def test_one_that_was_written_while_the_database_failed_for_long_is_ours_in_the_end(self):
        self.db.failing = ['after', *['before'] * len(PAUSES)]
        self.assertEqual(self.claimed(), Claimed.FAILED)
        self.assertEqual(self.claimed(), Claimed.OURS)


class GivingBack(Case):
    def test_it_is_free_and_in_progress_no_more(self):
        self.claimed()
        self.successResultOf(defer.ensureDeferred(self.claims.give_back(REQUEST)))
        self.assertIsNone(self.db.claimed_by)
        self.assertEqual(self.botmaster.in_progress, set())

    def test_it_is_tried_again_when_the_database_fails(self):
        self.claimed()
        self.db.failing = ['unclaim fails']
        result = defer.ensureDeferred(self.claims.give_back(REQUEST))
        result.addErrback(lambda _: None)
        self.clock.pump([*PAUSES, 0.1])
        self.flushLoggedErrors(OSError)
        self.assertIsNone(self.db.claimed_by)
        self.assertEqual(self.botmaster.in_progress, set())
