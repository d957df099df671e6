# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.workers.order import REMEMBERED
from buildbot_balancer.master.workers.order import Order


class Lives(SynchronousTestCase):
    """A reporter lives several times; its reports may come late, doubled or never."""

    @given(st.data())
    def test_what_was_accepted_is_newer_than_all_that_was_accepted_before(self, data):
        lives = data.draw(st.integers(1, REMEMBERED))
        reports = [(life, seq) for life in range(lives) for seq in range(4)]
        # the first report of a life that is heard is no older than any of the lives before
        heard = data.draw(st.lists(st.sampled_from(reports), max_size=40))
        order, present, newest = Order(), -1, -1
        seen = set()
        for life, seq in heard:
            accepted = order.accepts(str(life), seq)
            if life == present:
                self.assertEqual(accepted, seq > newest)
            else:
                self.assertEqual(accepted, life not in seen)
            if accepted:
                present, newest = life, seq
                seen.add(life)

    @given(st.lists(st.integers(0, 50), min_size=1))
    def test_of_one_life_the_newest_that_came_counts(self, numbers):
        order = Order()
        accepted = [seq for seq in numbers if order.accepts('i', seq)]
        self.assertEqual(accepted, sorted(set(accepted)))
        self.assertEqual(accepted[-1], max(numbers))

    @given(st.integers(0, 100), st.integers(1, REMEMBERED))
    def test_a_life_that_was_replaced_never_comes_back(self, seq, others):
        order = Order()
        order.accepts('first', 0)
        for number in range(others):
            self.assertTrue(order.accepts(f'later{number}', 0))
        self.assertFalse(order.accepts('first', seq))


class Plain(SynchronousTestCase):
    def test_a_new_life_begins_anew_with_its_numbers(self):
        order = Order()
        self.assertTrue(order.accepts('a', 900))
        self.assertTrue(order.accepts('b', 1))
        self.assertFalse(order.accepts('a', 901))
        self.assertTrue(order.accepts('b', 2))

    def test_a_number_may_be_left_out(self):
        order = Order()
        self.assertTrue(order.accepts('a', 1))
        self.assertTrue(order.accepts('a', 7))
        self.assertFalse(order.accepts('a', 7))

    def test_a_late_report_of_an_old_life_does_not_forget_the_present_number(self):
        order = Order()
        order.accepts('a', 1)
        order.accepts('b', 5)
        order.accepts('a', 9)
        self.assertFalse(order.accepts('b', 5))

    def test_what_is_remembered_has_an_end(self):
        order = Order()
        for number in range(10 * REMEMBERED):
            order.accepts(str(number), 0)
        self.assertLessEqual(len(order._replaced), REMEMBERED)
