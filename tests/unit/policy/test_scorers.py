# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.interfaces import IScorer
from buildbot_balancer.policy.scorers import EagerFirst
from buildbot_balancer.policy.scorers import FewestBuilds
from buildbot_balancer.policy.scorers import LeastLoaded
from buildbot_balancer.policy.scorers import RunningBeforeLatent
from buildbot_balancer.policy.scorers import less_is_better
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

ALL = (EagerFirst(), LeastLoaded(), FewestBuilds(), RunningBeforeLatent())
WORKERS = st.builds(
    WorkerView,
    name=st.just('w'),
    mood=st.sampled_from(Mood),
    load=st.none() | st.floats(0, 1e6),
    running=st.integers(0, 2**20),
    latent=st.booleans(),
    connected=st.booleans(),
    compatible=st.none() | st.booleans(),
)


def score(scorer, **worker):
    return scorer.score(RequestView(id=1, builder='b'), WorkerView(name='w', **worker), 0.0)


class LessIsBetter(SynchronousTestCase):
    def test_nothing_is_best_and_half_is_half(self):
        self.assertEqual(less_is_better(0, half=3), 100)
        self.assertEqual(less_is_better(3, half=3), 50)
        self.assertEqual(less_is_better(-1, half=3), 100)

    @given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(1e-3, 1e3))
    @example(0.0, 0.0, 655.5725326208815)
    def test_more_is_never_better_and_the_score_stays_in_range(self, one, other, half):
        low, high = sorted((one, other))
        self.assertTrue(0 <= less_is_better(high, half) <= less_is_better(low, half) <= 100)

    def test_two_overloaded_workers_are_told_apart(self):
        self.assertTrue(less_is_better(200, half=1) < less_is_better(100, half=1))


class Scorers(SynchronousTestCase):
    def test_each_is_a_scorer(self):
        for one in ALL:
            self.assertTrue(verifyObject(IScorer, one))

    @given(WORKERS)
    def test_any_worker_gets_0_to_100_or_no_opinion(self, worker):
        for one in ALL:
            given_score = one.score(RequestView(id=1, builder='b'), worker, 0.0)
            if given_score is None:
                self.assertIsInstance(one, LeastLoaded)
                self.assertIsNone(worker.load)
            else:
                self.assertTrue(0 <= given_score <= 100, one)

    def test_a_more_willing_owner_scores_more(self):
        eager, reluctant, offline = (
            score(EagerFirst(), mood=mood) for mood in (Mood.EAGER, Mood.RELUCTANT, Mood.OFFLINE)
        )
        self.assertTrue(eager > reluctant > offline)

    def test_less_load_scores_more_and_an_unknown_one_is_no_opinion(self):
        self.assertTrue(score(LeastLoaded(), load=0.1) > score(LeastLoaded(), load=0.2))
        self.assertIsNone(score(LeastLoaded()))

    def test_fewer_builds_score_more(self):
        scores = [score(FewestBuilds(), running=running) for running in range(5)]
        self.assertEqual(scores, sorted(set(scores), reverse=True))

    def test_a_worker_that_must_be_started_scores_less_than_one_that_is_up(self):
        scorer = RunningBeforeLatent()
        up = score(scorer)
        self.assertEqual(score(scorer, latent=True, connected=True), up)
        self.assertEqual(score(scorer, latent=True, connected=True, compatible=True), up)
        self.assertTrue(score(scorer, latent=True, connected=False) < up)
        self.assertTrue(score(scorer, latent=True, connected=True, compatible=False) < up)
