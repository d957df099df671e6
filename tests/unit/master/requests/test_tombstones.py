# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.requests.tombstones import Tombstones


class Case(SynchronousTestCase):
    def setUp(self):
        self.stones = Tombstones(limit=3)

    def test_who_was_only_claimed_rises_when_the_claim_is_given_back(self):
        self.stones.bury(1, complete=False)
        self.assertIn(1, self.stones)
        self.assertTrue(self.stones.rises(1))
        self.assertNotIn(1, self.stones)

    def test_who_is_complete_never_rises_whatever_is_heard_afterwards(self):
        self.stones.bury(1, complete=True)
        self.stones.bury(1, complete=False)
        self.assertFalse(self.stones.rises(1))
        self.assertIn(1, self.stones)

    def test_who_was_never_buried_rises(self):
        self.assertTrue(self.stones.rises(1))

    def test_the_longest_unheard_of_is_forgotten_first(self):
        for request in (1, 2, 3, 1, 4):
            self.stones.bury(request, complete=False)
        self.assertEqual(
            [request in self.stones for request in range(1, 5)], [True, False, True, True]
        )
        self.assertEqual(len(self.stones), 3)
