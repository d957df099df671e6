# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from support.logs import LogLines
from twisted.internet import defer
from twisted.internet import task
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cluster.membership import Membership
from buildbot_balancer.cluster.membership import Told
from buildbot_balancer.cluster.membership import steady
from buildbot_balancer.errors import BalancerError

LEASE = 30.0


class Store:
    """`slow`: what is asked waits for `answer`; `refuses`: it cannot be asked; `beats`: what a
    heartbeat is told."""

    def __init__(self):
        self.asked = []
        self.waiting = []
        self.slow = self.refuses = False
        self.beats = True
        self.dead = []

    def begin(self, name, masterid, lease):
        number = sum(one[0] == 'begin' for one in self.asked) + 1
        return self._ask(('begin', name, masterid, lease), f'run{number}')

    def beat(self, incarnation):
        return self._ask(('beat', incarnation), self.beats)

    def end_dead(self, incarnation):
        dead, self.dead = self.dead, []
        return self._ask(('end_dead', incarnation), dead)

    def end(self, incarnation):
        return self._ask(('end', incarnation), None)

    async def _ask(self, what, answer):
        self.asked.append(what)
        asked = defer.Deferred()
        self.waiting.append((asked, answer))
        if not self.slow:
            self.answer()
        return await asked

    def answer(self):
        while self.waiting:
            asked, answer = self.waiting.pop(0)
            if self.refuses:
                asked.errback(BalancerError('the database says: no'))
            else:
                asked.callback(answer)

    def said(self, *words):
        return [one[0] for one in self.asked if one[0] in words]


class Ear(Told):
    def __init__(self):
        self.heard = []

    def lease_began(self, incarnation):
        self.heard.append(('began', incarnation))

    def lease_unsure(self, incarnation):
        self.heard.append(('unsure', incarnation))

    def lease_sure(self, incarnation):
        self.heard.append(('sure', incarnation))

    def lease_lost(self, incarnation):
        self.heard.append(('lost', incarnation))


class Members(SynchronousTestCase):
    def setUp(self):
        self.lines = LogLines(self)
        self.store, self.ear, self.reactor = Store(), Ear(), task.Clock()
        self.skew = 0.0  # what the clock has gone on while this process did nothing
        self.member = Membership(
            self.reactor,
            self.store,
            lambda: ('m', 7),
            self.ear,
            lease=LEASE,
            clock=lambda: self.reactor.seconds() + self.skew,
        )

    def begin(self):
        self.member.need()
        self.reactor.advance(0)

    def advance(self, seconds, step=1.0):
        for _ in range(int(seconds / step)):
            self.reactor.advance(step)

    def test_a_run_keeps_its_lease_and_the_next_one_has_the_new_one(self):
        self.member.next_lease = LEASE / 10
        self.begin()
        self.assertEqual(self.store.asked[0], ('begin', 'm', 7, LEASE / 10))
        self.advance(LEASE / 2, step=0.25)
        self.assertEqual(self.ear.heard, [('began', 'run1')])  # never unsure
        self.member.next_lease = LEASE
        self.advance(LEASE / 2, step=0.25)
        self.assertEqual(self.ear.heard, [('began', 'run1')])

    def test_it_asks_nothing_until_somebody_needs_it(self):
        self.advance(100)
        self.assertEqual((self.store.asked, self.member.is_sure), ([], False))
        self.member.need()
        self.member.need()
        self.reactor.advance(0)
        self.assertEqual(self.store.asked[0], ('begin', 'm', 7, LEASE))
        self.assertEqual((self.member.incarnation, self.member.is_sure), ('run1', True))
        self.assertEqual(self.ear.heard, [('began', 'run1')])
        self.assertEqual(self.store.said('begin'), ['begin'])

    def test_it_beats_three_times_in_a_lease_and_stays_sure(self):
        self.begin()
        self.advance(10 * LEASE)
        self.assertEqual(len(self.store.said('beat')), 30)
        self.assertTrue(self.member.is_sure)
        self.assertEqual((self.ear.heard, self.lines.ours()), ([('began', 'run1')], []))

    def test_the_lease_counts_from_the_question_and_not_from_the_answer(self):
        self.begin()
        self.store.slow = True
        self.reactor.advance(LEASE / 3)
        self.skew = LEASE / 2
        self.store.answer()
        left = self.member.seconds_left
        self.assertLess(left, LEASE / 2)
        self.assertGreater(left, 0)

    def test_a_beat_that_does_not_come_back_makes_it_unsure_before_the_lease_is_over(self):
        self.begin()
        self.store.slow = True
        self.advance(LEASE - 1)
        self.assertFalse(self.member.is_sure)
        self.assertEqual(self.ear.heard[1:], [('unsure', 'run1')])
        self.assertEqual(len(self.store.said('beat')), 1)

    def test_a_beat_without_an_answer_is_given_up_after_a_lease_for_another_one(self):
        self.begin()
        self.store.slow = True
        self.advance(LEASE)
        (given_up, _) = self.store.waiting.pop()
        self.store.slow = False
        self.advance(LEASE)
        self.assertTrue(self.member.is_sure)
        self.assertEqual(self.ear.heard[1:], [('unsure', 'run1'), ('sure', 'run1')])
        self.assertIn('the database does not answer', self.lines.ours()[1])
        given_up.callback(False)
        self.assertEqual(self.ear.heard[-1], ('sure', 'run1'))

    def test_a_late_answer_that_nothing_was_lost_makes_it_sure_with_the_next_beat(self):
        self.begin()
        self.store.slow = True
        self.advance(LEASE / 3)
        self.advance(LEASE - 1)
        self.store.slow = False
        self.store.answer()
        self.assertFalse(self.member.is_sure)
        self.advance(LEASE / 3)
        self.assertTrue(self.member.is_sure)
        self.assertEqual(self.ear.heard[1:], [('unsure', 'run1'), ('sure', 'run1')])
        self.assertEqual(len(self.lines.ours()), 2)

    def test_a_process_that_was_stopped_is_not_sure_before_it_has_run_a_single_call(self):
        self.begin()
        self.skew = LEASE
        self.assertFalse(self.member.is_sure)
        self.reactor.advance(LEASE / 3)
        self.assertTrue(self.member.is_sure)

    def test_a_lost_lease_is_said_and_a_new_run_begun(self):
        self.begin()
        self.store.beats = False
        self.reactor.advance(LEASE / 3)
        self.assertEqual(self.ear.heard[1:], [('lost', 'run1'), ('began', 'run2')])
        self.assertEqual((self.member.incarnation, self.member.is_sure), ('run2', True))
        (line,) = self.lines.ours()
        self.assertIn('the lease of this master was lost', line)

    def test_while_a_new_run_cannot_begin_nothing_is_sure(self):
        self.begin()
        self.store.beats = False
        self.store.slow = True
        self.reactor.advance(LEASE / 3)
        self.store.answer = lambda: None
        (asked, answer) = self.store.waiting.pop()
        asked.callback(answer)
        self.assertEqual((self.member.incarnation, self.member.is_sure), (None, False))
        self.assertEqual(self.member.seconds_left, 0)

    def test_a_loss_after_it_was_unsure_is_not_called_good(self):
        self.begin()
        self.store.slow = True
        self.advance(LEASE)
        self.store.slow, self.store.beats = False, False
        (asked, _) = self.store.waiting.pop()
        asked.callback(False)
        told = [what for what, _ in self.ear.heard]
        self.assertEqual(told, ['began', 'unsure', 'lost', 'began'])
        self.store.beats = True
        self.advance(LEASE)
        self.assertEqual(len(self.ear.heard), 4)

    def test_a_database_that_refuses_is_asked_more_often_and_said_once(self):
        self.begin()
        self.store.refuses = True
        self.advance(LEASE)
        self.assertGreater(len(self.store.said('beat')), 4)
        lines = [line for line in self.lines.ours() if 'no heartbeat' in line]
        self.assertEqual(len(lines), 1)
        self.store.refuses = False
        self.advance(LEASE)
        self.assertTrue(self.member.is_sure)
        self.assertEqual(self.ear.heard[-1], ('sure', 'run1'))

    def test_a_database_that_refuses_at_first_is_asked_until_it_does_not(self):
        self.store.refuses = True
        self.begin()
        self.advance(LEASE)
        self.assertIsNone(self.member.incarnation)
        self.store.refuses = False
        self.advance(LEASE)
        self.assertTrue(self.member.is_sure)

    def test_a_defect_does_not_end_the_heartbeat(self):
        self.begin()
        stock, self.store.beat = self.store.beat, lambda incarnation: 1 / 0
        self.advance(LEASE / 3)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.store.beat = stock
        self.advance(LEASE)
        self.assertTrue(self.member.is_sure)

    def test_it_says_whose_lease_it_has_ended(self):
        self.begin()
        self.store.dead = ['n']
        self.reactor.advance(LEASE / 3)
        (line,) = self.lines.ours()
        self.assertIn('the lease of master n is over', line)

    def test_one_that_stops_gives_all_back_and_asks_nothing_more(self):
        self.begin()
        self.successResultOf(defer.ensureDeferred(self.member.stop()))
        self.assertEqual(self.store.asked[-1], ('end', 'run1'))
        self.assertEqual((self.member.incarnation, self.member.is_sure), (None, False))
        count = len(self.store.asked)
        self.advance(10 * LEASE)
        self.assertEqual(len(self.store.asked), count)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_one_that_stops_in_the_middle_of_a_beat_stops(self):
        self.begin()
        self.store.slow = True
        self.reactor.advance(LEASE / 3)
        stopping = defer.ensureDeferred(self.member.stop())
        self.store.slow = False
        self.store.answer()
        self.successResultOf(stopping)
        self.advance(10 * LEASE)
        self.assertEqual(len(self.store.said('beat')), 1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_where_nothing_can_be_given_back_it_says_when_it_will_be(self):
        self.begin()
        self.store.refuses = True
        self.successResultOf(defer.ensureDeferred(self.member.stop()))
        (line,) = self.lines.ours()
        self.assertIn('when the lease is over, in 30 s', line)

    def test_one_that_needed_nothing_gives_nothing_back(self):
        self.successResultOf(defer.ensureDeferred(self.member.stop()))
        self.assertEqual(self.store.asked, [])


class Clocks(SynchronousTestCase):
    def test_the_clock_goes_on(self):
        first = steady()
        self.assertGreaterEqual(steady(), first)
