# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.wakes import LEAST_WAIT
from buildbot_balancer.master.wakes import Wakes


class Case(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1000)
        self.woken = []
        self.wakes = Wakes(self.clock, self.woken.append)


class Moments(Case):
    def test_a_builder_is_woken_at_the_moment_and_once(self):
        self.wakes.at('b', 1010)
        self.clock.advance(9.9)
        self.assertEqual(self.woken, [])
        self.clock.advance(0.2)
        self.clock.advance(1000)
        self.assertEqual(self.woken, ['b'])

    def test_an_earlier_moment_wins_whichever_was_asked_first(self):
        for moments in ((1010, 1005), (1005, 1010)):
            self.woken.clear()
            wakes = Wakes(self.clock, self.woken.append)
            now = self.clock.seconds()
            for moment in moments:
                wakes.at('b', now + moment - 1000)
            self.clock.advance(5.1)
            self.assertEqual(self.woken, ['b'])
            self.clock.advance(100)
            self.assertEqual(self.woken, ['b'])

    def test_a_moment_that_has_passed_comes_soon_and_does_not_spin(self):
        self.wakes.at('b', 5)
        self.assertEqual(self.woken, [])
        self.clock.advance(LEAST_WAIT)
        self.assertEqual(self.woken, ['b'])

    def test_one_that_is_woken_may_ask_again(self):
        def wake(builder):
            self.woken.append(self.clock.seconds())
            wakes.at(builder, self.clock.seconds() + 10)

        wakes = Wakes(self.clock, wake)
        wakes.at('b', 1010)
        self.clock.pump([1] * 35)
        self.assertEqual(self.woken, [1010, 1020, 1030])

    def test_builders_have_moments_of_their_own(self):
        self.wakes.at('b', 1010)
        self.wakes.at('c', 1005)
        self.clock.pump([5, 5])
        self.assertEqual(self.woken, ['c', 'b'])

    def test_many_that_ask_are_one_timer_a_builder(self):
        for moment in range(2000, 1000, -1):
            self.wakes.at('b', moment)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)


class Facts(Case):
    def test_only_who_waits_for_that_fact_of_that_worker_is_woken(self):
        self.wakes.on('lighter', 'w1', 'b')
        self.wakes.on('gone', 'w1', 'c')
        self.wakes.on('lighter', 'w2', 'd')
        self.wakes.happened('lighter', 'w1')
        self.assertEqual(self.woken, ['b'])

    def test_it_is_woken_once_and_must_ask_again(self):
        self.wakes.on('gone', 'w1', 'b')
        self.wakes.on('gone', 'w1', 'b')
        self.wakes.happened('gone', 'w1')
        self.wakes.happened('gone', 'w1')
        self.assertEqual(self.woken, ['b'])

    def test_one_that_asks_again_while_it_is_woken_is_woken_the_next_time(self):
        def wake(builder):
            self.woken.append(builder)
            wakes.on('gone', 'w1', builder)

        wakes = Wakes(self.clock, wake)
        wakes.on('gone', 'w1', 'b')
        wakes.happened('gone', 'w1')
        self.assertEqual(self.woken, ['b'])
        wakes.happened('gone', 'w1')
        self.assertEqual(self.woken, ['b', 'b'])

    def test_what_nobody_waits_for_wakes_nobody(self):
        self.wakes.happened('gone', 'w9')
        self.assertEqual(self.woken, [])


class Stopping(Case):
    def test_after_it_nobody_is_woken(self):
        self.wakes.at('b', 1010)
        self.wakes.on('gone', 'w1', 'c')
        self.wakes.stop()
        self.wakes.happened('gone', 'w1')
        self.clock.advance(100)
        self.assertEqual(self.woken, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
