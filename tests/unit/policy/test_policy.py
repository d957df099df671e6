# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.interfaces import IFilter
from buildbot_balancer.interfaces import IFleetFilter
from buildbot_balancer.interfaces import IScorer
from buildbot_balancer.policy.filters import Filter
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.policy import default_filters
from buildbot_balancer.policy.policy import default_scorers
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

NOW = 1_700_000_000.0


@implementer(IFilter)
class Scripted:
    def __init__(self, said):
        self.said = said

    def check(self, request, worker, now):
        return self.said.get(worker.name, Verdict.yes())


@implementer(IScorer)
class Marks:
    def __init__(self, said):
        self.said = said

    def score(self, request, worker, now):
        return self.said.get(worker.name)


def rank(policy, workers, request=None, seed=1):
    request = request or RequestView(id=1, builder='b', submitted_at=NOW)
    return policy.rank(request, workers, NOW, Random(seed))


def names(ranking):
    return [scored.worker.name for scored in ranking]


def fleet(*names, **values):
    return [WorkerView(name=name, **values) for name in names]


class Choosing(SynchronousTestCase):
    def test_the_best_score_comes_first(self):
        policy = Policy(scorers=[(Marks({'w1': 10, 'w2': 90, 'w3': 50}), 1)])
        for seed in range(20):
            ranking = rank(policy, fleet('w1', 'w2', 'w3'), seed=seed)
            self.assertEqual(names(ranking), ['w2', 'w3', 'w1'])

    def test_weights_decide_between_scorers(self):
        policy = Policy(
            scorers=[(Marks({'w1': 100, 'w2': 0}), 1), (Marks({'w1': 0, 'w2': 100}), 3)]
        )
        first, second = rank(policy, fleet('w1', 'w2'))
        self.assertEqual((first.worker.name, first.total), ('w2', 75))
        self.assertEqual(second.total, 25)
        self.assertEqual(first.parts, (('Marks', 0), ('Marks', 100)))

    def test_who_cannot_be_judged_is_taken_for_the_worst_of_the_others(self):
        policy = Policy(scorers=[(Marks({'w1': 80, 'w2': 30, 'w3': None}), 1)])
        totals = {
            scored.worker.name: scored.total for scored in rank(policy, fleet('w1', 'w2', 'w3'))
        }
        self.assertEqual(totals, {'w1': 80, 'w2': 30, 'w3': 30})

    def test_a_scorer_without_any_opinion_weighs_nothing(self):
        policy = Policy(scorers=[(Marks({}), 9), (Marks({'w1': 60}), 1)])
        (scored,) = rank(policy, fleet('w1'))
        self.assertEqual((scored.total, scored.parts), (60, (('Marks', 60),)))

    def test_equal_workers_share_the_builds(self):
        firsts = {
            names(rank(Policy(), fleet('w1', 'w2', 'w3'), seed=seed))[0] for seed in range(60)
        }
        self.assertEqual(firsts, {'w1', 'w2', 'w3'})

    def test_the_default_prefers_less_load_fewer_builds_and_workers_that_are_up(self):
        for better, worse in (
            ({'load': 0.1}, {'load': 2.0}),
            ({'load': 2.0}, {'load': None}),
            ({'running': 0}, {'running': 3}),
            ({}, {'connected': False, 'latent': True}),
        ):
            workers = [
                WorkerView(name='bad', **{'load': 3.0, **worse}),
                WorkerView(name='mid', load=3.0, running=2),
                WorkerView(name='good', **{'load': 3.0, **better}),
            ]
            order = names(rank(Policy(), workers))
            self.assertTrue(order.index('good') < order.index('bad'), f'{better} {order}')

    def test_a_reluctant_worker_helps_after_its_time_and_says_when_that_is(self):
        policy = Policy(reluctant_after=60)
        workers = fleet('w1', mood=Mood.RELUCTANT)
        early = RequestView(id=1, builder='b', submitted_at=NOW - 59, waited=59)
        verdict = rank(policy, workers, early).verdicts['w1']
        self.assertEqual(
            (verdict.code, verdict.again_at, verdict.fact), ('reluctant', NOW + 1, 'time')
        )
        late = RequestView(id=1, builder='b', submitted_at=NOW - 60, waited=60)
        self.assertEqual(names(rank(policy, workers, late)), ['w1'])

    def test_a_request_without_workers_has_an_empty_ranking(self):
        ranking = rank(Policy(), [])
        self.assertEqual((ranking.groups, ranking.verdicts, ranking.problems), ((), {}, ()))

    def test_the_first_filter_that_refuses_is_the_one_that_is_told(self):
        refuse = [Filter(code, lambda request, worker: False) for code in ('first', 'second')]
        self.assertEqual(rank(Policy(refuse), fleet('w1')).verdicts['w1'].code, 'first')

    def test_fleet_filters_see_all_whom_nothing_rules_out_for_ever(self):
        seen = []

        @implementer(IFleetFilter)
        class Watching:
            def check(self, request, worker, now):
                return Verdict.yes()

            def tier(self, worker):
                return 0

            def check_among(self, request, workers, now):
                seen.append(sorted(worker.name for worker in workers))
                return {}

        said = {'w2': Verdict.never('no', 'never'), 'w3': Verdict.not_now('later', 'later')}
        rank(Policy([Scripted(said), Watching()]), fleet('w1', 'w2', 'w3'))
        self.assertEqual(seen, [['w1', 'w3']])

    def test_the_default_policy_is_what_the_docs_list(self):
        self.assertEqual(
            [type(one).__name__ for one in default_filters()],
            ['Connected', 'Willing', 'ChosenWorker', 'Capable', 'HasCapacity', 'LocksFree'],
        )
        self.assertEqual(
            [(type(one).__name__, weight) for one, weight in default_scorers()],
            [
                ('EagerFirst', 4),
                ('RunningBeforeLatent', 2),
                ('LeastLoaded', 2),
                ('FewestBuilds', 1),
            ],
        )
