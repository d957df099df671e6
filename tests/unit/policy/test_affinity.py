# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from buildbot_balancer.interfaces import IScorer
from buildbot_balancer.policy import affinity
from buildbot_balancer.policy.affinity import Affinity
from buildbot_balancer.policy.past import PastBuild
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import SourceView
from buildbot_balancer.policy.views import WorkerView

T0 = 1_700_000_000.0
BUILT = st.tuples(st.sampled_from('bc'), st.sampled_from(['x', None]), st.sampled_from('vw'))


def past(worker, **more):
    facts = {'builder': 'b', 'branch': 'x', 'succeeded': True, 'ran': True, 'at': T0, **more}
    return PastBuild(worker=worker, seconds=10.0, **facts)


def score(scorer, worker, branch='x', builder='b', sources=1):
    stamps = (SourceView(branch=branch),) * sources
    request = RequestView(id=1, builder=builder, sources=stamps)
    return scorer.score(request, WorkerView(name=worker), T0)


class AffinityTest(SynchronousTestCase):
    def setUp(self):
        self.scorer = Affinity()

    def test_it_is_a_scorer_that_looks_at_the_request_too(self):
        self.assertTrue(verifyObject(IScorer, self.scorer))
        policy = Policy(scorers=[(self.scorer, 1)])
        self.assertFalse(policy.looks_at_workers_only)
        self.assertEqual(list(policy.problems()), [])

    def test_the_worker_that_last_built_it_gets_all(self):
        self.scorer.learn('b', 'x', 'w1', T0)
        self.scorer.learn('b', 'x', 'w2', T0 + 1)
        self.assertEqual((score(self.scorer, 'w1'), score(self.scorer, 'w2')), (0, 100))

    def test_another_branch_or_builder_says_nothing(self):
        self.scorer.learn('b', 'x', 'w1', T0)
        self.assertIsNone(score(self.scorer, 'w1', branch='y'))
        self.assertIsNone(score(self.scorer, 'w1', branch=None))
        self.assertIsNone(score(self.scorer, 'w1', builder='c'))

    def test_the_default_branch_is_a_branch(self):
        self.scorer.learn('b', None, 'w1', T0)
        self.assertEqual(score(self.scorer, 'w1', branch=None), 100)

    def test_a_request_with_several_sourcestamps_or_none_has_no_branch(self):
        self.scorer.learn('b', None, 'w1', T0)
        for sources in (0, 2):
            self.assertIsNone(score(self.scorer, 'w1', branch=None, sources=sources))

    def test_a_build_that_is_heard_of_late_does_not_take_the_place_of_a_later_one(self):
        self.scorer.learn('b', 'x', 'w2', T0 + 1)
        self.scorer.learn('b', 'x', 'w1', T0)
        self.assertEqual(score(self.scorer, 'w2'), 100)

    def test_a_build_that_failed_leaves_its_checkout_behind(self):
        self.scorer.ended(past('w1', succeeded=False))
        self.assertEqual(score(self.scorer, 'w1'), 100)

    def test_one_that_did_not_run_to_its_end_or_had_several_sources_does_not(self):
        self.scorer.ended(past('w1', succeeded=False, ran=False))
        self.scorer.ended(past('w1', sources=2, branch=None))
        self.scorer.ended(past('w1', sources=0, branch=None))
        self.scorer.began('b', 'w1')
        self.assertIsNone(score(self.scorer, 'w1'))
        self.assertIsNone(score(self.scorer, 'w1', branch=None))

    def test_a_million_branches_do_not_fill_the_memory(self):
        with mock.patch.object(affinity, 'MOST', 100):
            for n in range(1000):
                self.scorer.learn('b', 'x', 'w1', T0 + n)  # built again and again
                self.scorer.learn('b', f'feature/{n}', 'w1', T0 + n)
                self.assertEqual(score(self.scorer, 'w1'), 100)
        self.assertEqual(len(self.scorer._warm), 100)
        self.assertEqual(score(self.scorer, 'w1', branch='feature/999'), 100)
        self.assertIsNone(score(self.scorer, 'w1', branch='feature/900'))

    def test_what_it_has_learned_makes_it_no_other_scorer(self):
        self.scorer.learn('b', 'x', 'w1', T0)
        self.assertEqual(self.scorer, Affinity())

    @given(st.lists(BUILT, max_size=12), st.randoms(use_true_random=False))
    def test_in_whatever_order_it_hears_of_builds_the_last_one_counts(self, builds, random):
        told = list(enumerate(builds))
        random.shuffle(told)
        scorer = Affinity()
        for n, (builder, branch, worker) in told:
            scorer.learn(builder, branch, worker, T0 + n)
        last = {(builder, branch): worker for builder, branch, worker in builds}
        for builder in 'bc':
            for branch in ('x', None):
                warm = last.get((builder, branch))
                for worker in 'vw':
                    expected = None if warm is None else 100 if worker == warm else 0
                    self.assertEqual(score(scorer, worker, branch, builder), expected)
