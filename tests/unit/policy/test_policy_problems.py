# SPDX-License-Identifier: GPL-2.0-or-later
"""Policy with code of the config's author that raises, or that is no filter or scorer at all."""

from __future__ import annotations

import math
from random import Random

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from buildbot_balancer.interfaces import IFleetFilter
from buildbot_balancer.interfaces import IScorer
from buildbot_balancer.policy.filters import Connected
from buildbot_balancer.policy.filters import Filter
from buildbot_balancer.policy.filters import MaxLoad
from buildbot_balancer.policy.filters import Willing
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.scorers import FewestBuilds
from buildbot_balancer.policy.verdict import Answer
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

BAD = 'bad'  # the worker that the broken code cannot bear


class UnprintableError(Exception):
    def __str__(self):
        raise LookupError('no words for it')


class Unprintable:
    def __repr__(self):
        raise LookupError('no words for it')


@implementer(IFleetFilter)
class Fleet:
    """Passes all; a test replaces one of its methods."""

    def check(self, request, worker, now):
        return Verdict.yes()

    def check_among(self, request, workers, now):
        return {}

    def tier(self, worker):
        return 0


def stumble(worker, error=None, instead=None):
    if worker.name == BAD:
        raise error or ValueError('x < 3')
    return instead


def rank(policy, *names):
    workers = [WorkerView(name=name) for name in names or ('w1', BAD, 'w2')]
    return policy.rank(RequestView(id=1, builder='b'), workers, 0.0, Random(1))


def ranked(ranking):
    return {scored.worker.name for scored in ranking}


class BrokenFilters(SynchronousTestCase):
    def assertOthersGoOn(self, ranking, author):
        self.assertEqual(ranked(ranking), {'w1', 'w2'})
        verdict = ranking.verdicts[BAD]
        self.assertIs(verdict.answer, Answer.UNKNOWN)
        self.assertEqual((verdict.code, verdict.who), ('policy-error', (BAD,)))
        self.assertIn(author, verdict.sentence)
        self.assertEqual([problem.author for problem in ranking.problems], [author])
        return verdict, ranking.problems[0].error

    def test_a_filter_that_raises_is_named_and_the_others_go_on(self):
        error = ValueError('load < None')
        broken = Filter('mine', lambda request, worker: stumble(worker, error, instead=True))
        verdict, problem = self.assertOthersGoOn(rank(Policy([broken])), 'Filter mine')
        self.assertIs(problem, error)
        self.assertIn('ValueError: load < None', verdict.sentence)

    def test_a_filter_that_raises_for_all_is_a_problem_for_each(self):
        ranking = rank(Policy([Filter('mine', lambda request, worker: 1 / 0)]))
        self.assertEqual((ranking.groups, len(ranking.problems)), ((), 3))

    def test_a_filter_that_answers_with_a_bool_must_return_a_verdict(self):
        class Mine:
            def check(self, request, worker, now):
                return Verdict.yes() if worker.name != BAD else True

        verdict, problem = self.assertOthersGoOn(rank(Policy([Mine()])), 'Mine')
        self.assertIsInstance(problem, TypeError)
        self.assertIn('must return a Verdict', verdict.sentence)

    def test_what_it_raised_is_told_in_one_short_line(self):
        error = ValueError('\x1b[31mtwo\nlines' + 'x' * 5000)
        broken = Filter('mine', lambda request, worker: stumble(worker, error, instead=True))
        verdict, _ = self.assertOthersGoOn(rank(Policy([broken])), 'Filter mine')
        self.assertTrue(verdict.sentence.isprintable(), repr(verdict.sentence))
        self.assertTrue(len(verdict.sentence) < 200)

    def test_an_error_that_cannot_be_printed_does_not_escape(self):
        broken = Filter(
            'mine', lambda request, worker: stumble(worker, UnprintableError(), instead=True)
        )
        verdict, _ = self.assertOthersGoOn(rank(Policy([broken])), 'Filter mine')
        self.assertIn('UnprintableError', verdict.sentence)

    def test_an_answer_that_cannot_be_printed_does_not_escape(self):
        class Mine:
            def check(self, request, worker, now):
                return Verdict.yes() if worker.name != BAD else Unprintable()

        self.assertOthersGoOn(rank(Policy([Mine()])), 'Mine')

    def test_a_fleet_filter_whose_verdict_is_none_is_named_and_the_others_go_on(self):
        class Mine(Fleet):
            def check_among(self, request, workers, now):
                return {BAD: True}

        self.assertOthersGoOn(rank(Policy([Mine()])), 'Mine')

    def test_a_fleet_filter_that_raises_is_unknown_for_all(self):
        class Mine(Fleet):
            def check_among(self, request, workers, now):
                raise ValueError('x')

        ranking = rank(Policy([Mine()]))
        self.assertEqual(ranked(ranking), set())
        self.assertEqual({v.code for v in ranking.verdicts.values()}, {'policy-error'})

    def test_a_moment_that_is_none_is_named_and_the_others_go_on(self):
        for odd in ('18:00', float('nan'), [1]):
            said = Verdict.not_now('odd', 'is odd', again_at=odd)

            class Mine:
                def check(self, request, worker, now, said=said):
                    return said if worker.name == BAD else Verdict.yes()

            self.assertOthersGoOn(rank(Policy([Mine()])), 'Mine')

    def test_a_tier_that_raises_is_named_and_the_others_go_on(self):
        class Mine(Fleet):
            def tier(self, worker):
                return stumble(worker, instead=0)

        self.assertOthersGoOn(rank(Policy([Mine()])), 'Mine')

    def test_a_tier_that_is_no_number_is_named_and_the_others_go_on(self):
        class Mine(Fleet):
            def tier(self, worker):
                return 'last' if worker.name == BAD else 0

        self.assertOthersGoOn(rank(Policy([Mine()])), 'Mine')


class BrokenScorers(SynchronousTestCase):
    def scored_by(self, function):
        class Mine:
            def score(self, request, worker, now):
                return function(worker)

        return rank(Policy(scorers=[(Mine(), 1), (FewestBuilds(), 1)]))

    def test_a_scorer_that_raises_is_named_and_all_are_ranked_by_the_others(self):
        error = ValueError('x')
        ranking = self.scored_by(lambda worker: stumble(worker, error, instead=40))
        self.assertEqual(ranked(ranking), {'w1', BAD, 'w2'})
        self.assertEqual([(p.author, p.error) for p in ranking.problems], [('Mine', error)])

    def test_a_scorer_that_raises_for_one_does_not_prefer_it(self):
        ranking = self.scored_by(lambda worker: stumble(worker, instead=40))
        self.assertEqual({scored.total for scored in ranking}, {70})

    def test_a_score_out_of_range_is_a_problem_and_no_score(self):
        for wrong in (-0.1, 100.1, math.nan, math.inf, 10**400, '40', [], {}, Unprintable()):
            ranking = self.scored_by(lambda worker, wrong=wrong: wrong)
            self.assertEqual(len(ranking.problems), 3)
            self.assertEqual({scored.parts for scored in ranking}, {(('FewestBuilds', 100),)})

    def test_the_ends_of_the_range_and_no_opinion_are_no_problem(self):
        for right in (0, 100, 0.0, 100.0, None):
            self.assertEqual(self.scored_by(lambda worker, right=right: right).problems, ())


class Config(SynchronousTestCase):
    def problem(self, **arguments):
        problems = list(Policy(**arguments).problems())
        self.assertEqual(len(problems), 1, problems)
        return problems[0]

    def test_the_default_policy_and_no_filters_at_all_are_fine(self):
        self.assertEqual(list(Policy().problems()), [])
        self.assertEqual(list(Policy(filters=[], scorers=[], reluctant_after=90.5).problems()), [])

    def test_a_filter_needs_no_more_than_a_check(self):
        class Mine:
            def check(self, request, worker, now):
                return Verdict.yes()

        self.assertEqual(list(Policy(filters=[Mine()]).problems()), [])

    def test_a_class_instead_of_an_object_is_told_with_what_to_write(self):
        self.assertIn('such as Willing(...)', self.problem(filters=[Willing]))
        self.assertIn('such as FewestBuilds(...)', self.problem(scorers=[(FewestBuilds, 1)]))

    def test_a_filter_among_the_scorers_and_the_other_way_round_is_told(self):
        self.assertIn('belongs into scorers', self.problem(filters=[FewestBuilds()]))
        self.assertIn('belongs into filters', self.problem(scorers=[Connected()]))

    def test_what_is_neither_is_told(self):
        for odd in (None, 'busy', 3, print):
            self.assertIn('has no check', self.problem(filters=[odd]))
            self.assertIn('pair', self.problem(scorers=[odd]))
            self.assertIn('has no score', self.problem(scorers=[(odd, 1)]))

    def test_a_scorer_without_a_weight_is_told(self):
        self.assertIn('pair', self.problem(scorers=[FewestBuilds()]))

    def test_a_weight_that_no_master_could_mean_is_told(self):
        for weight in (0, -1, math.nan, math.inf, True, '2', None):
            self.assertIn('weight', self.problem(scorers=[(FewestBuilds(), weight)]))

    def test_a_time_for_the_reluctant_that_no_master_could_mean_is_told(self):
        for after in (-1, math.nan, True, '60', None):
            self.assertIn('reluctant_after', self.problem(reluctant_after=after))

    def test_what_a_filter_or_scorer_says_of_itself_is_passed_on(self):
        @implementer(IScorer)
        class Mine:
            def problems(self):
                yield 'Mine: the moon is full'

            def score(self, request, worker, now):
                return None

        self.assertIn('MaxLoad', self.problem(filters=[MaxLoad(-1)]))
        self.assertEqual(self.problem(scorers=[(Mine(), 1)]), 'Mine: the moon is full')
