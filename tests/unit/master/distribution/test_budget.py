# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.distribution.budget import Budget


class Spending(SynchronousTestCase):
    def setUp(self):
        self.now = 0.0
        self.budget = Budget(lambda: self.now, at_once=10, a_second=2)

    def test_what_is_there_may_be_spent_once(self):
        self.assertTrue(self.budget.may_spend(6))
        self.assertFalse(self.budget.may_spend(6))
        self.assertTrue(self.budget.may_spend(4))

    def test_it_comes_back_and_does_not_pile_up(self):
        self.budget.may_spend(10)
        self.now = 2.0
        self.assertTrue(self.budget.may_spend(4))
        self.assertFalse(self.budget.may_spend(1))
        self.now = 99.0
        self.assertTrue(self.budget.may_spend(10))
        self.assertFalse(self.budget.may_spend(1))

    def test_more_than_there_ever_is_may_be_had_when_all_is_there(self):
        self.assertTrue(self.budget.may_spend(500))
        self.assertFalse(self.budget.may_spend(1))
