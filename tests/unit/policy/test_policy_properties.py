# SPDX-License-Identifier: GPL-2.0-or-later
"""Policy.rank with any filters, any scorers and any workers: what always holds."""

from __future__ import annotations

from random import Random

from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.interfaces import IFilter
from buildbot_balancer.interfaces import IFleetFilter
from buildbot_balancer.interfaces import IScorer
from buildbot_balancer.policy.filters import MaxLoad
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.policy import default_filters
from buildbot_balancer.policy.tiers import Tiers
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

NOW = 1_700_000_000.0
RAISE = 'raise'  # instead of an answer
NAMES = ['w1', 'w2', 'w3', 'fast-1', 'fast-2']


@implementer(IFilter)
class Scripted:
    """Says of each worker what it was told to say, whatever that is."""

    def __init__(self, said):
        self.said = said

    def check(self, request, worker, now):
        return answer(self.said.get(worker.name, Verdict.yes()))


@implementer(IFleetFilter)
class ScriptedFleet(Scripted):
    def check(self, request, worker, now):
        return Verdict.yes()

    def check_among(self, request, workers, now):
        return {
            worker.name: answer(self.said.get(worker.name, Verdict.yes())) for worker in workers
        }

    def tier(self, worker):
        return 0


@implementer(IScorer)
class Marks:
    def __init__(self, said):
        self.said = said

    def score(self, request, worker, now):
        return answer(self.said.get(worker.name))


def answer(said):
    if said == RAISE:
        raise LookupError('not in the table')
    return said


VERDICTS = st.dictionaries(
    st.sampled_from(NAMES),
    st.sampled_from(
        [
            Verdict.yes(),
            Verdict.not_now('later', 'is later'),
            Verdict.never('no', 'is never'),
            Verdict.unknown('unknown', 'is unknown'),
            RAISE,
            True,
            None,
            'yes',
        ]
    ),
)
MARKS = st.dictionaries(
    st.sampled_from(NAMES),
    st.one_of(
        st.floats(0, 100),
        st.integers(0, 100),
        st.sampled_from([RAISE, None, -1, 100.5, float('nan'), float('inf'), 10**400, '50', []]),
    ),
)
WORKERS = st.lists(
    st.builds(
        WorkerView,
        name=st.sampled_from(NAMES),
        # most pass the default filters: what comes after them is what is hard
        mood=st.sampled_from([Mood.EAGER] * 4 + [Mood.RELUCTANT] * 3 + list(Mood)),
        held=st.sampled_from([False] * 5 + [True]),
        connected=st.sampled_from([True] * 5 + [False]),
        latent=st.booleans(),
        paused=st.sampled_from([False] * 5 + [True]),
        running=st.integers(0, 3),
        max_builds=st.sampled_from([None, None, None, 1, 3]),
        load=st.none() | st.floats(0, 20),
        foreign_load=st.none() | st.floats(0, 2),
        locks_held=st.sampled_from([(), (), (), (), ('jtag',)]),
    ),
    max_size=5,
    unique_by=lambda worker: worker.name,
)
MORE_FILTERS = st.one_of(
    st.builds(Scripted, VERDICTS),
    st.builds(ScriptedFleet, VERDICTS),
    st.builds(Tiers, st.just(['fast-*']), overflow=st.sampled_from(['busy', 'disconnected', 30])),
    st.just(MaxLoad(1.0)),
)
WEIGHTS = st.floats(1e-3, 1e3)
POLICIES = st.builds(
    lambda more, marks, after: Policy([*default_filters(), *more], marks, after),
    st.lists(MORE_FILTERS, max_size=3),
    st.none() | st.lists(st.tuples(st.builds(Marks, MARKS), WEIGHTS), max_size=4),
    st.sampled_from([0, 20, 600]),
)
REQUESTS = st.floats(0, 700).map(
    lambda waited: RequestView(id=1, builder='b', submitted_at=NOW - waited, waited=waited)
)


def rank(policy, workers, request=None, seed=1):
    request = request or RequestView(id=1, builder='b', submitted_at=NOW)
    return policy.rank(request, workers, NOW, Random(seed))


def names(ranking):
    return [scored.worker.name for scored in ranking]


def fleet(*names, **values):
    return [WorkerView(name=name, **values) for name in names]


class AnyPolicy(SynchronousTestCase):
    @settings(deadline=None)
    @given(POLICIES, WORKERS, REQUESTS)
    def test_each_worker_is_either_ranked_or_has_a_verdict_that_says_why(
        self, policy, workers, request
    ):
        ranking = rank(policy, workers, request)
        self.assertEqual(
            sorted([*names(ranking), *ranking.verdicts]), sorted(worker.name for worker in workers)
        )
        for verdict in ranking.verdicts.values():
            self.assertFalse(verdict.passes)
            self.assertTrue(verdict.code)
            self.assertTrue(verdict.sentence)

    @settings(deadline=None)
    @given(POLICIES, WORKERS, REQUESTS)
    def test_nobody_is_ranked_whom_a_filter_refuses(self, policy, workers, request):
        for scored in rank(policy, workers, request):
            worker = scored.worker
            self.assertTrue(worker.mood.starts_builds and not worker.held)
            for one in policy.filters:
                self.assertEqual(one.check(request, worker, NOW), Verdict.yes())
                if isinstance(one, ScriptedFleet):
                    said = one.check_among(request, [worker], NOW)
                    self.assertEqual(said[worker.name], Verdict.yes())

    @settings(deadline=None)
    @given(POLICIES, WORKERS, REQUESTS)
    def test_eager_workers_come_before_reluctant_ones_and_those_wait(
        self, policy, workers, request
    ):
        ranking = rank(policy, workers, request)
        moods = [scored.worker.mood for scored in ranking]
        self.assertEqual(moods, sorted(moods, reverse=True))
        if request.waited < policy.reluctant_after:
            self.assertNotIn(Mood.RELUCTANT, moods)

    @settings(deadline=None)
    @given(POLICIES, WORKERS, REQUESTS)
    def test_scores_and_their_parts_are_0_to_100_and_fall_within_a_group(
        self, policy, workers, request
    ):
        for group in rank(policy, workers, request).groups:
            totals = [scored.total for scored in group]
            self.assertEqual(totals, sorted(totals, reverse=True))
            for total in (*totals, *(part for scored in group for _, part in scored.parts)):
                self.assertTrue(0 <= total <= 100, total)

    @settings(deadline=None)
    @given(st.lists(WEIGHTS, min_size=1, max_size=5))
    @example([4, 0.7, 4])
    def test_the_best_of_all_marks_is_100_and_not_more_whatever_the_weights(self, weights):
        policy = Policy(scorers=[(Marks({'w1': 100}), weight) for weight in weights])
        (scored,) = rank(policy, fleet('w1'))
        self.assertTrue(99.999 < scored.total <= 100, scored.total)

    @settings(deadline=None)
    @given(POLICIES, WORKERS, REQUESTS, st.randoms(use_true_random=False))
    def test_the_order_in_which_the_workers_are_given_does_not_matter(
        self, policy, workers, request, random
    ):
        shuffled = list(workers)
        random.shuffle(shuffled)
        one, other = rank(policy, workers, request), rank(policy, shuffled, request)
        self.assertEqual(one.verdicts, other.verdicts)
        self.assertEqual(len(one.problems), len(other.problems))
        for left, right in zip(one.groups, other.groups):
            self.assertEqual([s.total for s in left], [s.total for s in right])
            self.assertEqual({s.worker.name: s for s in left}, {s.worker.name: s for s in right})
        self.assertEqual(len(one.groups), len(other.groups))
