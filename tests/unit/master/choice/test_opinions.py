# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.master.choice.opinions import KEPT
from buildbot_balancer.master.choice.opinions import Opinions
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import WorkerView


class ByWorker:
    """A filter or scorer that says of each worker what the test says."""

    looks_at_worker_only = True

    def __init__(self, said):
        self.said = said
        self.asked = []

    def check(self, request, worker, now):
        self.asked.append(worker.name)
        return Verdict.yes() if self.said.get(worker.name, True) else Verdict.not_now('no', 'no')

    def score(self, request, worker, now):
        return self.said.get(worker.name)


class OfRequests(ByWorker):
    looks_at_worker_only = False


class Case(SynchronousTestCase):
    def setUp(self):
        self.now = 1000.0
        self.views = {name: WorkerView(name=name) for name in ('w1', 'w2', 'w3')}
        self.opinions = Opinions(self.views.get, lambda: self.now, Random(1))
        self.passes, self.scores = ByWorker({}), ByWorker({})
        self.policy = Policy(filters=[self.passes], scorers=[(self.scores, 1)])

    def order(self, policy=None):
        return list(self.opinions.best_first(policy or self.policy, self.views))


class BestFirst(Case):
    def test_the_scores_decide_and_who_does_not_pass_is_left_out(self):
        self.passes.said = {'w2': False}
        self.scores.said = {'w1': 10, 'w2': 100, 'w3': 90}
        self.assertEqual(self.order(), ['w3', 'w1'])

    def test_an_eager_one_is_before_a_reluctant_one_whatever_the_scores(self):
        self.views['w1'] = WorkerView(name='w1', mood=Mood.RELUCTANT)
        self.scores.said = {'w1': 100, 'w2': 1, 'w3': 2}
        self.assertEqual(self.order(), ['w3', 'w2', 'w1'])

    def test_one_that_is_not_there_is_left_out(self):
        self.assertFalse(self.opinions.of(self.policy, 'nobody').passes)
        self.assertEqual(list(self.opinions.best_first(self.policy, ['nobody', 'w1'])), ['w1'])

    def test_equal_ones_share_the_builds(self):
        firsts = Counter(self.order()[0] for _ in range(300))
        self.assertEqual(set(firsts), {'w1', 'w2', 'w3'})
        self.assertGreater(min(firsts.values()), 50)

    def test_filters_and_scorers_of_requests_are_not_asked(self):
        asked = OfRequests({'w1': False, 'w2': 5})
        policy = Policy(filters=[asked], scorers=[(asked, 1)])
        self.assertTrue(self.opinions.of(policy, 'w1').passes)
        self.assertEqual(self.opinions.of(policy, 'w2').score, 0)
        self.assertEqual(asked.asked, [])

    def test_a_filter_that_raises_lets_nothing_pass_and_stops_nothing(self):
        class Broken(ByWorker):
            def check(self, request, worker, now):
                if worker.name == 'w1':
                    raise RuntimeError
                return Verdict.yes()

        policy = Policy(filters=[Broken({})], scorers=[(self.scores, 1)])
        self.assertEqual(set(self.order(policy)), {'w2', 'w3'})

    @given(st.dictionaries(st.sampled_from('abcdefgh'), st.integers(0, 100), min_size=1))
    def test_it_is_the_order_of_the_scores(self, scores):
        views = {name: WorkerView(name=name) for name in scores}
        opinions = Opinions(views.get, lambda: 0.0, Random(1))
        policy = Policy(filters=[], scorers=[(ByWorker(scores), 3)])
        found = [scores[name] for name in opinions.best_first(policy, views)]
        self.assertEqual(found, sorted(scores.values(), reverse=True))


class Kept(Case):
    def test_an_opinion_is_asked_for_once(self):
        for _ in range(3):
            self.order()
        self.assertEqual(sorted(self.passes.asked), ['w1', 'w2', 'w3'])

    def test_a_worker_that_changed_is_judged_anew_and_no_other(self):
        self.order()
        self.passes.said = {'w1': False}
        self.opinions.forget('w1')
        self.assertEqual(set(self.order()), {'w2', 'w3'})
        self.assertEqual(sorted(self.passes.asked), ['w1', 'w1', 'w2', 'w3'])

    def test_by_the_time_alone_all_are_judged_anew(self):
        self.order()
        self.passes.said = {'w1': False}
        self.now += KEPT
        self.assertIn('w1', self.order())
        self.now += 0.1
        self.assertNotIn('w1', self.order())

    def test_each_policy_has_its_own(self):
        other = Policy(filters=[ByWorker({'w1': False})], scorers=[])
        self.assertIn('w1', self.order())
        self.assertNotIn('w1', self.order(other))
        self.passes.said = {'w2': False}
        self.opinions.forget('w2')
        self.assertNotIn('w2', self.order())
        self.assertIn('w2', self.order(other))

    def test_a_policy_that_has_gone_leaves_no_opinion_to_the_next(self):
        for number in range(50):
            policy = Policy(filters=[ByWorker({'w1': number % 2 == 0})], scorers=[])
            self.assertEqual(self.opinions.of(policy, 'w1').passes, number % 2 == 0)
            del policy

    def test_cleared_all_are_judged_anew(self):
        self.order()
        self.passes.said = {'w1': False}
        self.opinions.clear()
        self.assertNotIn('w1', self.order())
