# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import math
from random import Random

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.interfaces import IFleetFilter
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.policy import default_filters
from buildbot_balancer.policy.tiers import Tiers
from buildbot_balancer.policy.verdict import Answer
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

T0 = 1_700_000_000.0
TIERS = (['fast-*'], ['slow-*', 'spare'])
NAMES = st.sampled_from(['fast-1', 'fast-2', 'slow-1', 'slow-2', 'spare', 'other', 'Fast-1'])
FLEETS = st.lists(
    st.builds(
        WorkerView,
        name=NAMES,
        mood=st.sampled_from(Mood),
        connected=st.booleans(),
        latent=st.booleans(),
        running=st.integers(0, 2),
        max_builds=st.just(2),
    ),
    max_size=6,
    unique_by=lambda worker: worker.name,
)


def expected_tier(name):
    return (
        0 if name.startswith('fast-') else 1 if name.startswith('slow-') or name == 'spare' else 2
    )


def ranked(overflow, workers, waited=0.0, **request):
    """The names in the order in which they are tried, and the verdicts of the others."""
    policy = Policy(filters=[*default_filters(), Tiers(*TIERS, overflow=overflow)])
    view = RequestView(id=1, builder='b', submitted_at=T0, waited=waited, **request)
    ranking = policy.rank(view, workers, T0 + waited, Random(1))
    return [scored.worker.name for scored in ranking], ranking.verdicts


class TierOfAWorker(SynchronousTestCase):
    def test_it_is_a_filter_of_the_whole_fleet(self):
        self.assertTrue(verifyObject(IFleetFilter, Tiers(['a'])))

    def test_the_first_set_that_matches_counts_and_who_matches_none_is_last(self):
        tiers = Tiers(['fast-*', 'w1'], ['*-1'], ['w?'])
        found = {
            name: tiers.tier(WorkerView(name=name)) for name in ('fast-1', 'w1', 'x-1', 'w2', 'y')
        }
        self.assertEqual(found, {'fast-1': 0, 'w1': 0, 'x-1': 1, 'w2': 2, 'y': 3})

    def test_a_single_glob_needs_no_list(self):
        self.assertEqual(Tiers('fast-*', ['slow-*']), Tiers(['fast-*'], ['slow-*']))

    def test_it_names_all_its_globs_for_the_check_of_the_config(self):
        self.assertEqual(list(Tiers(*TIERS).globs()), ['fast-*', 'slow-*', 'spare'])


class OverflowBusy(SynchronousTestCase):
    def test_the_next_tier_is_used_as_soon_as_nobody_of_the_first_can_take_it(self):
        slow = WorkerView(name='slow-1')
        names, _ = ranked('busy', [slow, WorkerView(name='fast-1')])
        self.assertEqual(names, ['fast-1', 'slow-1'])
        names, _ = ranked('busy', [slow, WorkerView(name='fast-1', running=1, max_builds=1)])
        self.assertEqual(names, ['slow-1'])

    def test_a_tier_counts_more_than_any_score(self):
        loaded = WorkerView(name='fast-1', load=9.0, running=9)
        names, _ = ranked('busy', [WorkerView(name='slow-1', load=0.0), loaded])
        self.assertEqual(names, ['fast-1', 'slow-1'])

    def test_an_eager_owner_of_a_later_tier_comes_before_a_reluctant_one_of_the_first(self):
        reluctant = WorkerView(name='fast-1', mood=Mood.RELUCTANT)
        names, _ = ranked('busy', [reluctant, WorkerView(name='slow-1')])
        self.assertEqual(names, ['slow-1', 'fast-1'])

    @settings(deadline=None)
    @given(FLEETS)
    def test_it_refuses_nobody_and_orders_by_tier_within_a_mood(self, workers):
        names, verdicts = ranked('busy', workers)
        self.assertNotIn('tier', {verdict.code for verdict in verdicts.values()})
        moods = {worker.name: worker.mood for worker in workers}
        order = [(-moods[name], expected_tier(name)) for name in names]
        self.assertEqual(order, sorted(order))


class OverflowDisconnected(SynchronousTestCase):
    def test_the_next_tier_waits_while_somebody_of_the_first_is_there(self):
        busy = WorkerView(name='fast-1', running=1, max_builds=1)
        names, verdicts = ranked('disconnected', [WorkerView(name='slow-1'), busy])
        self.assertEqual(names, [])
        verdict = verdicts['slow-1']
        self.assertIs(verdict.answer, Answer.NOT_NOW)
        self.assertEqual((verdict.code, verdict.who), ('tier', ('fast-1',)))

    def test_the_next_tier_is_used_when_nobody_of_the_first_will_take_it(self):
        for away in (
            {'connected': False},
            {'mood': Mood.OFFLINE},
            {'mood': Mood.GOING_ON_HOLIDAY},
        ):
            workers = [WorkerView(name='slow-1'), WorkerView(name='fast-1', **away)]
            self.assertEqual(ranked('disconnected', workers)[0], ['slow-1'], away)

    def test_it_names_whom_it_waits_for_in_one_order_however_the_workers_are_given(self):
        workers = [WorkerView(name=name) for name in ('fast-2', 'slow-1', 'fast-1')]
        _, one = ranked('disconnected', workers)
        _, other = ranked('disconnected', workers[::-1])
        self.assertEqual(one['slow-1'], other['slow-1'])

    def test_a_latent_worker_is_there_before_it_is_started(self):
        latent = WorkerView(name='fast-1', connected=False, latent=True, running=1, max_builds=1)
        names, _ = ranked('disconnected', [WorkerView(name='slow-1'), latent])
        self.assertEqual(names, [])

    def test_who_can_never_take_it_holds_up_nobody(self):
        workers = [
            WorkerView(name='slow-1', facts={'os': 'x'}),
            WorkerView(name='fast-1', facts={'os': 'y'}),
        ]
        names, verdicts = ranked('disconnected', workers, requires=({'os': 'x'},))
        self.assertEqual(names, ['slow-1'])
        self.assertEqual(verdicts['fast-1'].code, 'incapable')

    @settings(deadline=None)
    @given(FLEETS)
    def test_only_the_first_tier_with_somebody_there_is_used(self, workers):
        names, verdicts = ranked('disconnected', workers)
        there = [
            expected_tier(w.name)
            for w in workers
            if (w.connected or w.latent) and w.mood.starts_builds
        ]
        for name in names:
            self.assertEqual(expected_tier(name), min(there))
        for name, verdict in verdicts.items():
            if verdict.code == 'tier':
                self.assertTrue(expected_tier(name) > min(there))
                earlier = {expected_tier(other) for other in verdict.who}
                self.assertTrue(earlier and max(earlier) < expected_tier(name))


class OverflowAfterSeconds(SynchronousTestCase):
    def test_each_tier_opens_so_many_seconds_after_the_one_before(self):
        workers = [WorkerView(name=name) for name in ('fast-1', 'slow-1', 'other')]
        for waited, names in (
            (0, ['fast-1']),
            (59, ['fast-1']),
            (60, ['fast-1', 'slow-1']),
            (119, ['fast-1', 'slow-1']),
            (120, ['fast-1', 'slow-1', 'other']),
        ):
            self.assertEqual(ranked(60, workers, waited=waited)[0], names, waited)

    def test_who_is_kept_for_later_says_when(self):
        _, verdicts = ranked(60, [WorkerView(name='other')], waited=10)
        verdict = verdicts['other']
        self.assertEqual((verdict.code, verdict.again_at, verdict.fact), ('tier', T0 + 120, 'time'))

    @settings(deadline=None)
    @given(FLEETS, st.floats(0, 600), st.floats(0, 600))
    def test_asking_again_at_the_moment_that_it_names_helps(self, workers, overflow, waited):
        tiers = Tiers(*TIERS, overflow=overflow)
        request = RequestView(id=1, builder='b', submitted_at=T0)
        for worker in workers:
            verdict = tiers.check(request, worker, T0 + waited)
            opens_at = T0 + expected_tier(worker.name) * overflow
            self.assertEqual(verdict.passes, T0 + waited >= opens_at)
            if not verdict.passes:
                self.assertTrue(verdict.again_at > T0 + waited)
                self.assertTrue(tiers.check(request, worker, verdict.again_at).passes)


class Config(SynchronousTestCase):
    def problem(self, *tiers, **options):
        problems = list(Tiers(*tiers, **options).problems())
        self.assertEqual(len(problems), 1, problems)
        return problems[0]

    def test_each_way_to_overflow_is_fine(self):
        for overflow in ('busy', 'disconnected', 0, 60, 0.5):
            self.assertEqual(list(Tiers(['a'], overflow=overflow).problems()), [])

    def test_no_tier_at_all_is_told(self):
        self.assertIn('at least one', self.problem())

    def test_a_way_to_overflow_that_does_not_exist_is_told(self):
        for overflow in ('never', '', None, -1, True, math.nan):
            self.assertIn('overflow must be', self.problem(['a'], overflow=overflow))

    def test_a_list_for_the_overflow_is_told_and_no_traceback(self):
        self.assertIn('overflow must be', self.problem(['a'], overflow=['b']))

    def test_a_glob_that_is_no_text_is_told(self):
        self.assertTrue(self.problem([5]))

    def test_a_forgotten_keyword_is_told_and_no_traceback(self):
        self.assertTrue(self.problem(['a'], 60))
