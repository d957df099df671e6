# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.distribution.wakes import LEAST_WAIT
from buildbot_balancer.master.distribution.wakes import TOGETHER
from buildbot_balancer.master.distribution.wakes import WORKER_EVERY
from buildbot_balancer.master.distribution.wakes import Wakes

BUILDERS = {'w1': ['b', 'c'], 'w2': ['c', 'd']}


class Case(SynchronousTestCase):
    def setUp(self):
        self.begin()

    def begin(self):
        self.clock = Clock()
        self.clock.advance(1000)
        self.calls = []
        self.wakes = self.make(self.calls.append)

    def make(self, wake):
        return Wakes(self.clock, wake, lambda name: BUILDERS.get(name, []))

    def go_on(self, seconds, step=0.01):
        for _ in range(round(seconds / step)):
            self.clock.advance(step)


class Soon(Case):
    def test_who_is_to_be_woken_in_one_turn_is_woken_by_one_call_in_order(self):
        self.wakes.soon(['c', 'b'])
        self.wakes.soon(['a', 'b'])
        self.assertEqual(self.calls, [])
        self.clock.advance(TOGETHER)
        self.assertEqual(self.calls, [['a', 'b', 'c']])
        self.clock.advance(10)
        self.assertEqual(len(self.calls), 1)

    def test_nobody_is_no_call(self):
        self.wakes.soon([])
        self.clock.advance(1)
        self.assertEqual((self.calls, self.clock.getDelayedCalls()), ([], []))

    def test_who_asks_while_the_others_are_woken_is_not_forgotten(self):
        def wake(builders):
            self.calls.append(builders)
            if len(self.calls) == 1:
                wakes.soon(['late'])

        wakes = self.make(wake)
        wakes.soon(['b'])
        self.go_on(0.1)
        self.assertEqual(self.calls, [['b'], ['late']])


class Moments(Case):
    def test_a_builder_is_woken_at_the_moment_and_once(self):
        self.wakes.at('b', 1010)
        self.clock.advance(9.9)
        self.assertEqual(self.calls, [])
        self.go_on(0.2)
        self.clock.advance(1000)
        self.clock.advance(1)
        self.assertEqual(self.calls, [['b']])

    def test_an_earlier_moment_wins_whichever_was_asked_first(self):
        for moments in ((1010, 1005), (1005, 1010)):
            self.begin()
            for moment in moments:
                self.wakes.at('b', moment)
            self.go_on(5.1)
            self.assertEqual(self.calls, [['b']])
            self.go_on(10)
            self.assertEqual(self.calls, [['b']])

    def test_a_moment_that_has_passed_comes_soon_and_does_not_spin(self):
        self.wakes.at('b', 5)
        self.go_on(LEAST_WAIT - 0.05)
        self.assertEqual(self.calls, [])
        self.go_on(0.1)
        self.assertEqual(self.calls, [['b']])

    def test_one_that_asks_for_a_moment_that_passed_each_time_is_slowed_down(self):
        def wake(builders):
            self.calls.append(builders)
            wakes.at('b', 0)

        wakes = self.make(wake)
        wakes.at('b', 0)
        self.go_on(2)
        self.assertLessEqual(len(self.calls), 2 / LEAST_WAIT)
        self.assertGreater(len(self.calls), 3)

    @given(st.lists(st.tuples(st.sampled_from('bcd'), st.floats(1, 20)), min_size=1))
    def test_every_builder_is_woken_at_the_earliest_of_its_moments(self, asked):
        self.begin()
        found = {}
        wakes = self.make(lambda names: [found.setdefault(n, self.clock.seconds()) for n in names])
        for builder, wait in asked:
            wakes.at(builder, 1000 + wait)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)  # one timer for all
        self.go_on(21, step=0.02)
        for builder, at in found.items():
            first = 1000 + min(wait for name, wait in asked if name == builder)
            self.assertTrue(first - TOGETHER <= at <= first + 0.1, (builder, at, first))
        self.assertEqual(set(found), {name for name, _ in asked})
        self.assertEqual(self.clock.getDelayedCalls(), [])


class OfAWorker(Case):
    def test_the_builders_that_have_it_are_woken_at_once(self):
        self.wakes.worker('w1')
        self.clock.advance(TOGETHER)
        self.assertEqual(self.calls, [['b', 'c']])
        self.wakes.worker('w9')
        self.clock.advance(1)
        self.assertEqual(len(self.calls), 1)

    def test_one_that_flaps_is_slowed_down_and_its_last_change_is_not_lost(self):
        for _ in range(20):
            self.wakes.worker('w1')
            self.go_on(0.02)
        self.assertEqual(len(self.calls), 1)
        self.go_on(WORKER_EVERY)
        self.assertEqual(self.calls, [['b', 'c']] * 2)
        self.go_on(10, step=0.1)
        self.assertEqual(len(self.calls), 2)

    def test_one_that_flaps_does_not_slow_another_down(self):
        self.wakes.worker('w1')
        self.clock.advance(TOGETHER)
        self.wakes.worker('w2')
        self.clock.advance(TOGETHER)
        self.assertEqual(self.calls, [['b', 'c'], ['c', 'd']])


class Facts(Case):
    def happened(self, fact, about):
        self.wakes.happened(fact, about)
        self.clock.advance(TOGETHER)

    def test_only_who_waits_for_that_fact_of_that_worker_is_woken(self):
        self.wakes.on('load', 'w1', 'b')
        self.wakes.on('gone', 'w1', 'c')
        self.wakes.on('load', 'w2', 'd')
        self.happened('load', 'w1')
        self.assertEqual(self.calls, [['b']])

    def test_it_is_woken_once_and_must_ask_again(self):
        for _ in range(2):
            self.wakes.on('gone', 'w1', 'b')
        for _ in range(2):
            self.happened('gone', 'w1')
        self.assertEqual(self.calls, [['b']])
        self.wakes.on('gone', 'w1', 'b')
        self.happened('gone', 'w1')
        self.assertEqual(self.calls, [['b']] * 2)


class Stopping(Case):
    def test_after_it_nobody_is_woken(self):
        self.wakes.at('b', 1010)
        self.wakes.on('gone', 'w1', 'c')
        self.wakes.soon(['d'])
        self.wakes.stop()
        self.wakes.happened('gone', 'w1')
        self.wakes.soon(['e'])
        self.wakes.at('f', 1001)
        self.wakes.worker('w1')
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(100)
        self.assertEqual(self.calls, [])
