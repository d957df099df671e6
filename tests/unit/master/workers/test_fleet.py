# SPDX-License-Identifier: GPL-2.0-or-later
"""What time alone changes, and that the kept answer is never another one than the true one."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule
from support.masterparts import connect
from support.masterparts import disconnect
from support.masterparts import make_master
from support.masterparts import make_workers
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.announcement import Announcement
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import Report
from buildbot_balancer.availability.standing import Rules
from buildbot_balancer.errors import WireError
from buildbot_balancer.master.workers.fleet import GONE
from buildbot_balancer.master.workers.fleet import WILLING
from buildbot_balancer.master.workers.fleet import Fleet

NOW = 1_800_000_000.0


def report(seq=1, mood=Mood.EAGER, incarnation='i', **more):
    return Report(incarnation=incarnation, seq=seq, mood=mood, **more).to_wire()


class Case(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(NOW)
        self.workers = make_workers('w1')
        self.worker = self.workers['w1']
        self.told = []
        self.fleet = self.make(Rules())

    def make(self, rules):
        return Fleet(make_master(self.workers), self.clock, rules, self.hear)

    def hear(self, event, worker):
        self.told.append((event, worker.workername))

    def attach(self, announcement=None, **more):
        connection = connect(self.worker, announcement, **more)
        return self.fleet.attached(self.worker, connection)

    def send(self, payload):
        return self.fleet.hear(self.worker, self.worker.conn, payload)

    def wakes(self):
        return [event for event, _ in self.told if event in {WILLING, GONE}]


class Attaching(Case):
    def test_who_announces_a_reporter_is_held_for_the_grace_and_then_woken(self):
        self.assertTrue(self.attach())
        self.assertTrue(self.fleet.refuses(self.worker))
        self.clock.advance(9.9)
        self.assertTrue(self.fleet.refuses(self.worker))
        self.assertEqual(self.wakes(), [])
        self.clock.advance(0.2)
        self.assertFalse(self.fleet.refuses(self.worker))
        self.assertEqual(self.wakes(), [WILLING])

    def test_a_stock_worker_is_not_held(self):
        self.assertFalse(self.attach(reporter=False))
        self.assertFalse(self.fleet.refuses(self.worker))

    def test_the_first_report_ends_the_hold_at_once(self):
        self.attach()
        self.send(report())
        self.assertFalse(self.fleet.refuses(self.worker))
        self.assertEqual(self.wakes(), [WILLING])
        self.clock.advance(9)
        self.assertEqual(self.wakes(), [WILLING])  # and the timer wakes nobody again

    def test_after_the_grace_the_announced_word_holds_until_it_ends_by_the_clock(self):
        self.attach(Announcement(mood=Mood.OFFLINE, until=NOW + 60, word='x'))
        self.clock.advance(11)
        self.assertTrue(self.fleet.refuses(self.worker))
        self.assertEqual(self.wakes(), [])
        self.clock.advance(50)
        self.assertEqual(self.wakes(), [WILLING])
        self.assertFalse(self.fleet.refuses(self.worker))

    def test_a_chooser_that_asks_before_the_event_of_the_connection_is_refused_too(self):
        connect(self.worker, Announcement(mood=Mood.OFFLINE, word='x'))
        self.assertTrue(self.fleet.refuses(self.worker))
        self.clock.advance(11)
        self.assertTrue(self.fleet.refuses(self.worker))

    def test_the_event_that_comes_later_does_not_begin_the_grace_anew(self):
        connection = connect(self.worker)
        self.fleet.refuses(self.worker)
        self.clock.advance(8)
        self.fleet.attached(self.worker, connection)
        self.clock.advance(2.5)
        self.assertFalse(self.fleet.refuses(self.worker))

    def test_each_new_connection_is_held_anew(self):
        self.attach()
        self.send(report())
        disconnect(self.worker)
        self.fleet.detached(self.worker)
        self.attach()
        self.assertTrue(self.fleet.refuses(self.worker))

    def test_an_announcement_that_cannot_be_read_is_one_line_and_the_hold_stays(self):
        connection = connect(self.worker)
        connection.info['balancer'] = '{'
        self.fleet.attached(self.worker, connection)
        self.assertTrue(self.fleet.refuses(self.worker))
        self.clock.advance(11)
        self.assertFalse(self.fleet.refuses(self.worker))


class Silence(Case):
    def test_the_word_of_a_silent_reporter_ends_by_the_masters_clock(self):
        self.attach()
        self.send(report(mood=Mood.OFFLINE, until=NOW + 20))
        self.clock.advance(21)  # it may still speak: its own clock decides
        self.assertTrue(self.fleet.refuses(self.worker))
        self.clock.advance(10)
        self.assertFalse(self.fleet.refuses(self.worker))
        self.assertEqual(self.wakes()[-1], WILLING)

    def test_the_word_of_a_silent_reporter_without_an_end_holds(self):
        self.attach()
        self.send(report(mood=Mood.OFFLINE))
        self.clock.pump([60] * 60)
        self.assertTrue(self.fleet.refuses(self.worker))

    def test_the_load_is_unknown_when_the_report_is_stale(self):
        self.attach()
        self.send(report(load=0.5))
        self.assertEqual(self.fleet.standing(self.worker).load, 0.5)
        self.clock.advance(31)
        self.assertIsNone(self.fleet.standing(self.worker).load)

    def test_no_timer_is_left_after_stop_and_none_comes(self):
        self.attach()
        self.fleet.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.fleet.refuses(self.worker)
        self.attach()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_worker_that_left_the_config_leaves_no_timer(self):
        self.attach()
        self.fleet.keep_only(set())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_new_rules_count_at_once(self):
        disconnect(self.worker)
        self.assertFalse(self.fleet.refuses(self.worker))
        self.fleet.set_rules(Rules(unreported=Mood.OFFLINE))
        self.assertTrue(self.fleet.refuses(self.worker))


class Events(Case):
    def test_going_and_coming_are_told_once_each(self):
        self.attach()
        self.send(report(1))
        self.told.clear()
        for seq, mood in enumerate((Mood.EAGER, Mood.OFFLINE, Mood.OFFLINE, Mood.EAGER), 2):
            self.send(report(seq, mood))
        self.assertEqual(self.wakes(), [GONE, WILLING])

    def test_one_that_becomes_more_willing_wakes_too(self):
        self.attach()
        self.send(report(1, Mood.RELUCTANT))
        self.told.clear()
        self.send(report(2, Mood.EAGER))
        self.send(report(3, Mood.RELUCTANT))
        self.assertEqual(self.wakes(), [WILLING])

    def test_a_report_that_is_refused_or_old_changes_nothing(self):
        self.attach()
        self.send(report(5, Mood.OFFLINE))
        before = self.fleet.standing(self.worker)
        self.told.clear()
        self.assertRaises(WireError, self.send, '{')
        self.assertIsNone(self.send(report(4, Mood.EAGER)))
        self.assertEqual(self.fleet.standing(self.worker), before)
        self.assertEqual(self.told, [])


class NeverStale(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.clock.advance(NOW)
        self.workers = make_workers('w1')
        self.worker = self.workers['w1']
        self.heard_willing = None
        self.fleet = Fleet(make_master(self.workers), self.clock, Rules(), self.hear)
        self.seq = 0
        self.refused = self.fleet.refuses(self.worker)
        self.woken = False

    def hear(self, event, worker):
        self.woken = self.woken or event == WILLING

    untils = st.none() | st.floats(-10, 200).map(lambda wait: NOW + wait)

    @rule(
        mood=st.none() | st.sampled_from(Mood),
        until=untils,
        reporter=st.booleans(),
        told=st.booleans(),
    )
    def attach(self, mood, until, reporter, told):
        said = Announcement(mood=mood, until=until, word='x')
        connection = connect(self.worker, said, reporter=reporter)
        if told:
            self.fleet.attached(self.worker, connection)

    @rule(told=st.booleans())
    def detach(self, told):
        disconnect(self.worker)
        if told:
            self.fleet.detached(self.worker)

    @precondition(lambda self: self.worker.conn is not None)
    @rule(mood=st.sampled_from(Mood), until=untils, incarnation=st.sampled_from('ab'))
    def report(self, mood, until, incarnation):
        self.seq += 1
        payload = report(self.seq, mood, incarnation, until=until)
        self.fleet.hear(self.worker, self.worker.conn, payload)

    @rule(seconds=st.floats(0.01, 150))
    def time_passes(self, seconds):
        refused, self.woken = self.fleet.refuses(self.worker), False
        self.clock.advance(seconds)
        # what the clock alone makes willing wakes the builders, with no other event
        if refused and not self.fleet.standing(self.worker).refuses:
            assert self.woken

    @rule(grace=st.sampled_from([0.0, 10.0, 60.0]), unreported=st.sampled_from(Mood))
    def reconfigure(self, grace, unreported):
        self.fleet.set_rules(Rules(report_grace=grace, unreported=unreported))

    @invariant()
    def the_kept_answer_is_the_true_one(self):
        assert self.fleet.refuses(self.worker) == self.fleet.standing(self.worker).refuses


NeverStale.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestNeverStale = NeverStale.TestCase
