# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.workers.throttle import BURST
from buildbot_balancer.master.workers.throttle import RATE
from buildbot_balancer.master.workers.throttle import Throttle


class TheNewest(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.taken = []
        self.throttle = Throttle(self.clock, self.taken.append)

    def offer(self, what):
        if self.throttle.admits(what):
            self.taken.append(what)

    def test_what_comes_slowly_is_taken_at_once(self):
        for number in range(100):
            self.offer(number)
            self.assertEqual(self.taken[-1], number)
            self.clock.advance(1 / RATE)

    def test_a_hundred_a_second_cost_as_much_as_the_rate_allows(self):
        for number in range(1000):
            self.offer(number)
            self.clock.advance(0.01)
        self.assertLessEqual(len(self.taken), BURST + 10 * RATE + 1)
        self.assertGreater(len(self.taken), 10 * RATE)

    def test_nothing_is_taken_after_it_has_stopped(self):
        for number in range(100):
            self.offer(number)
        before = list(self.taken)
        self.throttle.stop()
        self.clock.advance(60)
        self.assertEqual(self.taken, before)

    @given(st.lists(st.floats(0, 0.5), max_size=80))
    def test_the_last_is_always_taken_and_the_order_kept(self, waits):
        self.setUp()
        for number, wait in enumerate(waits):
            self.offer(number)
            self.clock.advance(wait)
        self.clock.advance(1 / RATE + 0.001)
        self.assertEqual(self.taken, sorted(self.taken))
        if waits:
            self.assertEqual(self.taken[-1], len(waits) - 1)
