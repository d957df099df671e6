# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.policy.ranking import Problem
from buildbot_balancer.policy.ranking import Ranking
from buildbot_balancer.policy.ranking import Scored
from buildbot_balancer.policy.views import WorkerView


class Rankings(SynchronousTestCase):
    def test_all_of_one_group_come_before_the_next_whatever_their_scores(self):
        first, second, third = (
            Scored(WorkerView(name=name), total)
            for name, total in (('w1', 20.0), ('w2', 10.0), ('w3', 90.0))
        )
        ranking = Ranking(((first, second), (third,)), {})
        self.assertEqual([scored.worker.name for scored in ranking], ['w1', 'w2', 'w3'])

    def test_a_ranking_of_nobody_is_empty(self):
        self.assertEqual(list(Ranking((), {})), [])

    def test_two_problems_are_never_taken_for_one(self):
        error = ValueError('x')
        self.assertNotEqual(Problem('Mine', error), Problem('Mine', error))
