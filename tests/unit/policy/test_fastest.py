# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import math
from collections import Counter
from random import Random
from unittest import mock

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from buildbot_balancer.interfaces import IScorer
from buildbot_balancer.policy import fastest
from buildbot_balancer.policy.fastest import FastestFirst
from buildbot_balancer.policy.past import PastBuild
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

T0 = 1_700_000_000.0


def score(scorer, worker, builder='b'):
    return scorer.score(RequestView(id=1, builder=builder), WorkerView(name=worker), T0)


def past(worker, seconds=10.0, **more):
    facts = {'builder': 'b', 'at': T0, 'succeeded': True, 'ran': True, **more}
    return PastBuild(worker=worker, seconds=seconds, **facts)


class Learning(SynchronousTestCase):
    def setUp(self):
        self.scorer = FastestFirst()

    def test_it_is_a_scorer_that_looks_at_the_request_too(self):
        self.assertTrue(verifyObject(IScorer, self.scorer))
        self.assertFalse(Policy(scorers=[(self.scorer, 1)]).looks_at_workers_only)

    def test_before_it_knows_anything_it_has_no_opinion(self):
        self.assertIsNone(score(self.scorer, 'w'))

    def test_each_builder_is_learned_by_itself(self):
        self.scorer.learn('b', 'w1', 10, T0)
        self.scorer.learn('b', 'w2', 20, T0)
        self.scorer.learn('c', 'w2', 10, T0)
        self.assertEqual((score(self.scorer, 'w1'), score(self.scorer, 'w2')), (100, 50))
        self.assertEqual(score(self.scorer, 'w2', builder='c'), 100)
        self.assertIsNone(score(self.scorer, 'w1', builder='unknown'))

    def test_how_long_a_build_took_that_did_not_succeed_says_nothing(self):
        self.scorer.ended(past('w1', 20))
        self.scorer.ended(past('w2', 10, succeeded=False))
        self.assertEqual(score(self.scorer, 'w1'), 100)
        self.scorer.ended(past('w2', 10))
        self.assertEqual(score(self.scorer, 'w1'), 50)

    def test_what_it_has_learned_makes_it_no_other_scorer(self):
        self.scorer.learn('b', 'w1', 10, T0)
        self.assertEqual(self.scorer, FastestFirst())
        self.assertNotEqual(self.scorer, FastestFirst(probe_every=5))

    def test_the_pairs_used_longest_ago_are_forgotten(self):
        with mock.patch.object(fastest, 'MOST', 4):
            for worker in ('w1', 'w2'):
                for builder in ('a', 'b'):
                    self.scorer.learn(builder, worker, 10, T0)
            self.scorer.began('a', 'w1')
            self.scorer.learn('c', 'w1', 10, T0)  # in the place of b and w1
            self.scorer.learn('d', 'w1', 10, T0)  # in the place of a and w2
            self.scorer.learn('e', 'w1', 10, T0)  # in the place of b and w2
        self.assertEqual(set(self.scorer._builders), {'a', 'c', 'd', 'e'})
        self.assertEqual(len(self.scorer._used), 4)


class Healing(SynchronousTestCase):
    def run_builds(self, scorer, true, first, count, seed=1):
        """Where `count` builds run, one after the other, when the first build of each worker took
        the time of `first` and all later ones that of `true`.
        """
        policy, random = Policy(filters=[], scorers=[(scorer, 1)]), Random(seed)
        workers = [WorkerView(name=name) for name in true]
        built = []
        for number in range(count):
            request = RequestView(id=number, builder='b')
            best = next(iter(policy.rank(request, workers, T0, random))).worker.name
            scorer.began('b', best)
            seconds = true[best] if best in built else first[best]
            scorer.learn('b', best, seconds, T0 + 60.0 * number)
            built.append(best)
        return built

    def test_a_good_worker_whose_first_build_was_slow_is_found(self):
        true = {'good': 30, 'bad': 60}
        first = {'good': 300, 'bad': 60}
        built = self.run_builds(FastestFirst(probe_every=10), true, first, 100)
        self.assertGreater(Counter(built[50:])['good'], 40)

    def test_without_probes_it_is_not(self):
        true = {'good': 30, 'bad': 60}
        first = {'good': 300, 'bad': 60}
        built = self.run_builds(FastestFirst(probe_every=None), true, first, 100)
        self.assertEqual(Counter(built)['good'], 1)

    def test_of_many_slow_workers_each_gets_its_probe_and_the_fast_one_all_the_rest(self):
        true = {'fast': 30, **{f'slow{n}': 90 for n in range(5)}}
        built = self.run_builds(FastestFirst(probe_every=10), true, true, 200)
        counts = Counter(built[100:])
        self.assertEqual([counts[f'slow{n}'] for n in range(5)], [2] * 5)
        self.assertEqual(counts['fast'], 90)

    @settings(deadline=None, max_examples=40)
    @given(
        st.dictionaries(
            st.sampled_from('abcd'), st.tuples(st.integers(1, 50), st.integers(1, 5000)), min_size=2
        ),
        st.integers(2, 12),
        st.integers(0, 99),
    )
    def test_whatever_the_first_impressions_were_the_fastest_is_used_most_in_the_end(
        self, workers, every, seed
    ):
        true = {name: 1000 + 100 * seconds for name, (seconds, _) in workers.items()}
        first = {name: seconds for name, (_, seconds) in workers.items()}
        learned = 12 * every * len(workers)
        built = self.run_builds(FastestFirst(every), true, first, learned + 10 * every, seed)
        best = min(true.values())
        fast = [name for name in built[learned:] if true[name] == best]
        self.assertGreaterEqual(len(fast), 10 * (every - 1))


class Config(SynchronousTestCase):
    def test_the_defaults_are_fine(self):
        for scorer in (FastestFirst(), FastestFirst(2, 1), FastestFirst(None, half_life=0.5)):
            self.assertEqual(list(scorer.problems()), [])

    def test_what_no_master_could_mean_is_told_in_a_sentence_each(self):
        for wrong in (0, 1, -5, 2.5, True, '20', math.nan):
            (problem,) = Policy(scorers=[(FastestFirst(probe_every=wrong), 1)]).problems()
            self.assertIn('FastestFirst: probe_every must be', problem)
        for wrong in (0, -1, None, True, '60', math.nan, math.inf):
            (problem,) = Policy(scorers=[(FastestFirst(half_life=wrong), 1)]).problems()
            self.assertIn('FastestFirst: half_life must be', problem)
