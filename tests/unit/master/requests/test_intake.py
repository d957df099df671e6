# SPDX-License-Identifier: GPL-2.0-or-later
"""Events and queries in every order; a query is answered when the test says so."""

from __future__ import annotations

from buildbot.db.buildrequests import BuildRequestModel
from buildbot.mq.simple import SimpleMQ
from buildbot.util import epoch2datetime
from support.logs import LogLines
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.requests import reconciliation
from buildbot_balancer.master.requests.intake import EVERY
from buildbot_balancer.master.requests.intake import SOON
from buildbot_balancer.master.requests.intake import Intake
from buildbot_balancer.master.requests.pending import Pending
from buildbot_balancer.master.requests.queue import Queue
from buildbot_balancer.master.requests.tombstones import Tombstones

NOW = 1_800_000_000
BUILDER, FOREIGN = 1, 66


def pending(request, builder=BUILDER, priority=0, at=0):
    return Pending(request, builder, request, priority, NOW + at, waited_for=False)


def message(one, **more):
    return {
        'buildrequestid': one.id,
        'builderid': one.builderid,
        'buildsetid': one.buildsetid,
        'priority': one.priority,
        'submitted_at': epoch2datetime(one.submitted_at),
        'waited_for': one.waited_for,
        'claimed': False,
        'complete': False,
        **more,
    }


class Case(SynchronousTestCase):
    """`rows` is what the database says; with `slow` a query is answered by answer()."""

    def setUp(self):
        self.clock = Clock()
        self.clock.advance(NOW)
        self.mq = SimpleMQ()
        self.queue = Queue()
        self.told = []
        self.queue.on_added(lambda one: self.told.append(one.id))
        self.rows = {}
        self.slow = False
        self.queries = []
        self.asked = 0
        self.intake = Intake(self.mq, self.clock, self.queue, self.fetch)
        self.successResultOf(defer.ensureDeferred(self.intake.serve({BUILDER})))

    def fetch(self):
        self.asked += 1
        rows = [one.row for one in self.rows.values()]
        if not self.slow:
            return defer.succeed(rows)
        query = defer.Deferred()
        self.queries.append((query, rows))
        return query

    def answer(self):
        query, rows = self.queries.pop(0)
        query.callback(rows)

    def start(self, *rows):
        self.save(*rows)
        return defer.ensureDeferred(self.intake.start())

    def started(self, *rows):
        self.successResultOf(self.start(*rows))
        self.told.clear()

    def check(self):
        return defer.ensureDeferred(self.intake.check())

    def serve(self, *builders):
        return defer.ensureDeferred(self.intake.serve(builders))

    def save(self, *rows):
        self.rows.update({one.id: one for one in rows})

    def event(self, name, one, **more):
        self.mq.produce(('buildrequests', str(one.id), name), message(one, **more))

    def ids(self):
        return [one.id for one in self.queue.in_order()]


class Hearing(Case):
    def setUp(self):
        super().setUp()
        self.started()

    def test_a_new_request_is_there_and_told_in_the_turn_of_its_event(self):
        self.event('new', pending(1))
        self.assertEqual((self.ids(), self.told), ([1], [1]))
        self.assertEqual(self.queue.first(BUILDER), pending(1))

    def test_whatever_says_that_it_is_gone_takes_it_away(self):
        for name in ('claimed', 'complete', 'cancel'):
            one = pending(len(self.told) + 1)
            self.event('new', one)
            self.event(name, one)
            self.assertEqual(self.ids(), [], name)

    def test_a_cancel_counts_by_its_key_whatever_it_carries(self):
        row = BuildRequestModel(1, 1, BUILDER, 'b', epoch2datetime(NOW))
        for request, carried in ((1, row), (2, None)):
            self.event('new', pending(request))
            self.mq.produce(('buildrequests', str(request), 'cancel'), carried)
        self.assertEqual(self.ids(), [])

    def test_a_claim_that_is_heard_before_the_new_request_wins(self):
        self.event('claimed', pending(1))
        self.event('new', pending(1))
        self.assertEqual((self.ids(), self.told), ([], []))

    def test_a_new_request_that_was_claimed_when_the_event_was_made_is_not_taken_in(self):
        self.event('new', pending(1), claimed=True)
        self.event('new', pending(2), complete=True)
        self.assertEqual(self.ids(), [])

    def test_a_request_whose_claim_is_given_back_waits_again(self):
        for name in ('new', 'claimed', 'unclaimed'):
            self.event(name, pending(1))
        self.assertEqual((self.ids(), self.told), ([1], [1, 1]))

    def test_one_that_is_complete_never_comes_back(self):
        for name in ('new', 'claimed', 'complete', 'unclaimed', 'new'):
            self.event(name, pending(1))
        self.assertEqual(self.ids(), [])

    def test_an_event_that_comes_twice_counts_once(self):
        for name in ('new', 'new', 'claimed', 'claimed', 'unclaimed', 'unclaimed'):
            self.event(name, pending(1))
        self.assertEqual((self.ids(), self.told), ([1], [1, 1]))

    def test_a_late_second_new_does_not_bring_an_old_priority_back(self):
        self.event('new', pending(1))
        self.save(pending(1, priority=5))
        self.successResultOf(self.check())
        self.event('new', pending(1))
        self.assertEqual(self.queue.get(1).priority, 5)

    def test_a_request_on_its_way_to_a_claim_is_not_brought_back_by_a_second_new(self):
        self.event('new', pending(1))
        self.queue.remove(1)
        self.event('new', pending(1))
        self.assertEqual(self.ids(), [])
        self.event('claimed', pending(1))
        self.assertFalse(self.queue.put_back(1))

    def test_requests_of_builders_that_are_not_served_are_not_kept(self):
        self.event('new', pending(1, FOREIGN))
        self.event('unclaimed', pending(2, FOREIGN))
        self.assertEqual((self.ids(), self.told), ([], []))

    def test_what_is_forgotten_of_those_that_are_gone_is_bounded(self):
        self.patch(self.intake, '_tombstones', Tombstones(limit=100))
        for request in range(1000):
            self.event('claimed', pending(request))
        self.assertEqual(len(self.intake._tombstones), 100)

    def test_an_event_that_cannot_be_used_is_one_line_and_the_slow_look_finds_the_request(self):
        lines = LogLines(self)
        self.mq.produce(('buildrequests', '1', 'new'), None)
        self.mq.produce(('buildrequests', '1', 'new'), {'buildrequestid': 1})
        self.assertEqual(len(lines.ours()), 2)
        self.assertIn('buildrequests/1/new cannot be used', lines.ours()[0])
        self.save(pending(1))
        self.clock.advance(EVERY)
        self.assertEqual(self.ids(), [1])

    def test_other_events_of_requests_and_those_of_other_things_mean_nothing(self):
        self.event('new', pending(1))
        self.mq.produce(('buildrequests', '1', 'rejoiced'), message(pending(1)))
        self.mq.produce(('buildsets', '1', 'complete'), {})
        self.mq.produce(('builders', '1', 'buildrequests', '1', 'claimed'), message(pending(1)))
        self.assertEqual(self.ids(), [1])


class Loading(Case):
    def test_what_waits_already_is_there_after_one_query(self):
        self.successResultOf(self.start(pending(1), pending(2, priority=1), pending(3, FOREIGN)))
        self.assertEqual((self.ids(), self.asked), ([2, 1], 1))

    def test_what_is_heard_while_it_loads_is_newer_than_the_rows(self):
        self.slow = True
        loading = self.start(pending(1), pending(2), pending(3))
        self.event('claimed', pending(1))
        self.event('complete', pending(2))
        self.event('new', pending(4))
        self.answer()
        self.successResultOf(loading)
        self.assertEqual(self.ids(), [3, 4])

    def test_a_failure_is_logged_and_soon_it_is_tried_again(self):
        self.slow = True
        loading = self.start(pending(1))
        self.queries.pop()[0].errback(RuntimeError('no table'))
        self.successResultOf(loading)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.slow = False
        self.clock.advance(SOON)
        self.assertEqual(self.ids(), [1])

    def test_many_rows_are_taken_in_portions_and_events_between_two_portions_win(self):
        self.patch(reconciliation, 'AT_ONCE', 10)
        seen = []

        def between():
            seen.append(len(self.queue))
            if len(seen) == 1:
                self.event('claimed', pending(5))
                self.event('claimed', pending(50))
                self.event('new', pending(200, at=200))
            if len(seen) < 8:
                self.clock.callLater(0, between)

        loading = self.start(*(pending(n, at=n) for n in range(100)))
        self.clock.callLater(0, between)
        self.clock.advance(0)
        self.successResultOf(loading)
        self.assertEqual(seen, [20, 30, 40, 50, 59, 69, 79, 89])
        self.assertEqual(self.ids(), [n for n in range(100) if n not in {5, 50}] + [200])

    def test_soon_after_the_start_it_looks_once_more_and_then_at_the_slow_beat(self):
        self.started()
        for wait in (SOON, EVERY, EVERY):
            asked = self.asked
            self.clock.advance(wait - 0.1)
            self.assertEqual(self.asked, asked)
            self.clock.advance(0.1)
            self.assertEqual(self.asked, asked + 1)


class Looking(Case):
    def setUp(self):
        super().setUp()
        self.started(pending(1), pending(2))
        self.clock.advance(SOON)

    def beat(self):
        self.clock.advance(EVERY)

    def test_a_lost_event_costs_a_delay_and_never_a_build(self):
        self.save(pending(3))
        del self.rows[1]
        self.beat()
        self.assertEqual((self.ids(), self.told), ([2, 3], [3]))

    def test_what_a_dead_master_had_claimed_is_found_when_it_is_free_again(self):
        self.event('claimed', pending(1))
        self.beat()
        self.assertEqual((self.ids(), self.told), ([1, 2], [1]))

    def test_another_priority_is_found_and_moves_the_request(self):
        self.save(pending(2, priority=3))
        self.beat()
        self.assertEqual((self.ids(), self.told), ([2, 1], [2]))

    def test_events_during_the_query_are_newer_than_its_rows(self):
        self.slow = True
        self.beat()
        self.event('claimed', pending(1))
        self.event('new', pending(3))
        self.event('claimed', pending(2))
        self.event('unclaimed', pending(2, priority=7))
        self.answer()
        self.assertEqual(self.ids(), [2, 3])
        self.assertEqual(self.queue.get(2).priority, 7)

    def test_one_that_is_being_claimed_is_not_offered_though_its_row_is_still_free(self):
        self.queue.remove(1)
        self.slow = True
        self.beat()
        self.queue.remove(2)
        self.answer()
        self.assertEqual(self.ids(), [])

    def test_one_whose_claim_was_never_heard_of_again_is_offered_after_a_whole_beat(self):
        self.queue.remove(1)
        self.beat()
        self.assertEqual(self.ids(), [2])
        self.beat()
        self.assertEqual((self.ids(), self.told), ([1, 2], [1]))

    def test_one_whose_claim_is_in_the_database_cannot_be_put_back(self):
        self.queue.remove(1)
        del self.rows[1]
        self.beat()
        self.assertFalse(self.queue.put_back(1))
        self.assertEqual(self.queue.taken(), [])

    def test_requests_that_no_event_told_of_are_one_line(self):
        lines = LogLines(self)
        self.save(pending(3, at=-60), pending(4, at=-60), pending(5, at=1000))
        self.beat()
        self.assertEqual(len(lines.ours()), 1)
        self.assertIn('2 of the requests', lines.ours()[0])
        self.beat()
        self.assertEqual(len(lines.ours()), 1)

    def test_a_failed_query_changes_nothing_and_is_soon_made_again(self):
        self.slow = True
        self.beat()
        del self.rows[1]
        self.queries.pop()[0].errback(RuntimeError('gone away'))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.ids(), [1, 2])
        self.slow = False
        self.clock.advance(SOON)
        self.assertEqual(self.ids(), [2])

    def test_no_two_queries_run_at_once(self):
        self.slow = True
        first, second = self.check(), self.check()
        self.assertEqual(len(self.queries), 1)
        self.answer()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.answer()
        self.successResultOf(second)


class Serving(Case):
    def test_the_requests_of_a_builder_that_a_reconfig_brings_are_there_at_once(self):
        self.started(pending(1), pending(2, FOREIGN))
        self.event('new', pending(3, FOREIGN))
        self.save(pending(3, FOREIGN))
        self.successResultOf(self.serve(BUILDER, FOREIGN))
        self.assertEqual((self.ids(), self.told), ([1, 2, 3], [2, 3]))

    def test_those_of_a_builder_that_left_are_gone_at_once_without_a_query(self):
        self.started(pending(1), pending(2))
        asked = self.asked
        self.successResultOf(self.serve())
        self.assertEqual((self.ids(), self.asked), ([], asked))

    def test_one_that_left_while_a_query_ran_does_not_come_back_with_its_rows(self):
        self.started(pending(1))
        self.slow = True
        looking = self.check()
        self.successResultOf(self.serve())
        self.answer()
        self.successResultOf(looking)
        self.assertEqual(self.ids(), [])

    def test_one_that_comes_while_a_query_runs_gets_a_query_of_its_own(self):
        self.started()
        self.slow = True
        looking = self.check()
        self.save(pending(2, FOREIGN))
        serving = self.serve(BUILDER, FOREIGN)
        self.answer()
        self.successResultOf(looking)
        self.assertNoResult(serving)
        self.answer()
        self.successResultOf(serving)
        self.assertEqual(self.ids(), [2])


class Stopping(Case):
    def stop(self):
        return defer.ensureDeferred(self.intake.stop())

    def test_nothing_is_heard_and_no_timer_is_left(self):
        self.started(pending(1))
        self.successResultOf(self.stop())
        self.event('new', pending(2))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual((self.mq.qrefs, self.ids()), ([], [1]))

    def test_it_waits_for_a_query_that_runs_and_leaves_the_queue_alone(self):
        self.started()
        self.slow = True
        looking, other = self.check(), self.check()
        stopping = self.stop()
        self.assertNoResult(stopping)
        self.save(pending(1))
        self.queries[0][1].append(pending(1).row)
        self.answer()
        for done in (looking, other, stopping):
            self.successResultOf(done)
        self.assertEqual((self.ids(), self.clock.getDelayedCalls()), ([], []))

    def test_one_that_never_started_stops(self):
        self.successResultOf(self.stop())
