# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import functools
import math

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.interfaces import IFilter
from buildbot_balancer.policy.filters import ChosenWorker
from buildbot_balancer.policy.filters import Connected
from buildbot_balancer.policy.filters import Filter
from buildbot_balancer.policy.filters import HasCapacity
from buildbot_balancer.policy.filters import LocksFree
from buildbot_balancer.policy.filters import MaxLoad
from buildbot_balancer.policy.filters import Willing
from buildbot_balancer.policy.verdict import Answer
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

NOW = 1_700_000_000.0


def a_request(**values):
    return RequestView(**{'id': 1, 'builder': 'win', **values})


def a_worker(**values):
    return WorkerView(**{'name': 'w', **values})


class FilterCase(SynchronousTestCase):
    def ask(self, asked, request=None, **worker):
        return asked.check(request or a_request(), a_worker(**worker), NOW)

    def assertPasses(self, asked, request=None, **worker):
        self.assertEqual(self.ask(asked, request, **worker), Verdict.yes())

    def assertWaits(self, code, asked, request=None, **worker):
        verdict = self.ask(asked, request, **worker)
        self.assertIs(verdict.answer, Answer.NOT_NOW)
        self.assertEqual(verdict.code, code)
        self.assertTrue(verdict.sentence)
        return verdict


class AllOfThem(SynchronousTestCase):
    def test_each_is_a_filter(self):
        for one in (
            Connected(),
            Willing(),
            HasCapacity(),
            LocksFree(),
            ChosenWorker(),
            MaxLoad(1),
            Filter('x', bool),
        ):
            self.assertTrue(verifyObject(IFilter, one))


class ConnectedTest(FilterCase):
    def test_a_connected_worker_passes_and_a_missing_one_does_not(self):
        self.assertPasses(Connected(), connected=True)
        verdict = self.assertWaits('disconnected', Connected(), connected=False)
        self.assertEqual((verdict.who, verdict.fact), (('w',), 'builds'))

    def test_a_latent_worker_passes_before_it_is_connected(self):
        self.assertPasses(Connected(), connected=False, latent=True)

    def test_what_buildbot_says_of_a_worker_binds_a_latent_one_too(self):
        for name in ('paused', 'graceful', 'quarantined'):
            for place in ({'connected': True}, {'connected': False, 'latent': True}):
                self.assertWaits(name, Connected(), **place, **{name: True})

    def test_an_instance_of_another_type_waits_and_an_unasked_one_passes(self):
        self.assertWaits('incompatible', Connected(), latent=True, compatible=False)
        self.assertPasses(Connected(), latent=True, compatible=None)
        self.assertPasses(Connected(), latent=True, compatible=True)


class WillingTest(FilterCase):
    def test_just_the_moods_that_start_builds_pass(self):
        for mood in Mood:
            self.assertEqual(self.ask(Willing(), mood=mood).passes, mood.starts_builds, mood)

    def test_an_unwilling_owner_is_quoted(self):
        until = NOW + 3600
        verdict = self.assertWaits(
            'going-on-holiday',
            Willing(),
            mood=Mood.GOING_ON_HOLIDAY,
            reason='moving house',
            until=until,
            changes_at=until,
        )
        self.assertEqual(
            verdict.sentence,
            f'is going-on-holiday ("moving house", until {clock_text(until, NOW)})',
        )
        self.assertEqual((verdict.again_at, verdict.fact), (until, 'mood'))

    def test_an_owner_who_gave_no_reason_is_not_quoted(self):
        self.assertEqual(self.ask(Willing(), mood=Mood.OFFLINE).sentence, 'is offline')

    def test_a_held_worker_waits_for_its_report_however_willing_it_was(self):
        verdict = self.assertWaits(
            'held', Willing(), mood=Mood.EAGER, held=True, changes_at=NOW + 10
        )
        self.assertEqual((verdict.again_at, verdict.fact), (NOW + 10, 'mood'))


class HasCapacityTest(FilterCase):
    def test_a_worker_takes_as_many_builds_as_it_may(self):
        self.assertPasses(HasCapacity(), running=1, max_builds=2)
        verdict = self.assertWaits('busy', HasCapacity(), running=2, max_builds=2)
        self.assertIn('2 of at most 2', verdict.sentence)
        self.assertWaits('busy', HasCapacity(), running=3, max_builds=2)

    def test_without_a_limit_there_is_always_room(self):
        for unlimited in (None, 0):
            self.assertPasses(HasCapacity(), running=99, max_builds=unlimited)

    def test_one_builder_builds_once_on_one_worker(self):
        verdict = self.assertWaits('busy', HasCapacity(), busy=True, running=1, max_builds=5)
        self.assertIn('win', verdict.sentence)


class LocksFreeTest(FilterCase):
    def test_a_worker_waits_while_a_lock_is_held_and_names_all_of_them(self):
        self.assertPasses(LocksFree(), locks_held=())
        verdict = self.assertWaits('lock', LocksFree(), locks_held=('jtag', 'host'))
        self.assertEqual((verdict.who, verdict.fact), (('jtag', 'host'), 'lock'))
        self.assertIn('jtag, host', verdict.sentence)


class ChosenWorkerTest(FilterCase):
    def test_a_request_that_names_its_worker_gets_that_one_only(self):
        request = a_request(properties={'workername': 'w2'})
        self.assertPasses(ChosenWorker(), request, name='w2')
        verdict = self.ask(ChosenWorker(), request, name='w')
        self.assertIs(verdict.answer, Answer.NEVER)
        self.assertEqual((verdict.code, verdict.who), ('not-chosen', ('w2',)))

    def test_a_request_that_names_nobody_may_go_anywhere(self):
        for properties in ({}, {'workername': ''}, {'workername': None}, {'workername': 3}):
            self.assertPasses(ChosenWorker(), a_request(properties=properties))


class MaxLoadTest(FilterCase):
    @given(st.floats(0, 1e6), st.floats(1e-3, 1e6))
    def test_it_looks_at_the_load_of_others_alone(self, load, limit):
        verdict = self.ask(MaxLoad(limit), foreign_load=load, load=1e6)
        self.assertEqual(verdict.passes, load <= limit)

    def test_a_load_above_the_limit_waits_for_another_load(self):
        verdict = self.assertWaits('load', MaxLoad(0.5), foreign_load=0.75, load=0.0)
        self.assertEqual(verdict.fact, 'load')
        self.assertIn('0.75', verdict.sentence)
        self.assertIn('0.5', verdict.sentence)

    def test_an_unknown_load_is_no_low_load(self):
        verdict = self.ask(MaxLoad(9), load=0.0)
        self.assertIs(verdict.answer, Answer.UNKNOWN)
        self.assertEqual((verdict.code, verdict.fact), ('load-unknown', 'load'))
        self.assertPasses(MaxLoad(9, unknown='run'), load=9.9)

    def test_a_limit_that_no_master_could_mean_is_told(self):
        for limit in (0, -1, math.nan, '2', None):
            (problem,) = MaxLoad(limit).problems()
            self.assertIn('MaxLoad', problem)
        self.assertEqual(list(MaxLoad(2).problems()), [])
        self.assertEqual(list(MaxLoad(0.1, unknown='run').problems()), [])

    def test_a_way_with_unknown_loads_that_does_not_exist_is_told(self):
        for unknown in ('never', None, True, ['run']):
            (problem,) = MaxLoad(1, unknown=unknown).problems()
            self.assertIn('unknown must be', problem)


class FilterTest(FilterCase):
    def test_a_function_says_yes_or_no(self):
        def is_w1(request, worker, now):
            return worker.name == 'w1'

        self.assertPasses(Filter('only-w1', is_w1), name='w1')
        verdict = self.assertWaits('only-w1', Filter('only-w1', is_w1))
        self.assertIn('only-w1', verdict.sentence)
        self.assertEqual(verdict.who, ('w',))

    def test_anything_that_is_true_passes_and_anything_that_is_false_does_not(self):
        for answer in (1, 'x', [0], True, 0, '', [], None, False):
            asked = Filter('x', functools.partial(lambda said, request, worker: said, answer))
            self.assertEqual(self.ask(asked).passes, bool(answer), answer)

    def test_a_sentence_of_its_own_is_shown(self):
        asked = Filter('x', lambda request, worker: False, 'is not painted red')
        self.assertEqual(self.ask(asked).sentence, 'is not painted red')

    def test_the_function_may_do_without_the_time(self):
        seen = []
        Filter('x', lambda request, worker: seen.append((request.id, worker.name))).check(
            a_request(), a_worker(), NOW
        )
        Filter('x', lambda request, worker, now: seen.append(now)).check(
            a_request(), a_worker(), NOW
        )
        Filter('x', lambda *all_of_it: seen.append(len(all_of_it))).check(
            a_request(), a_worker(), NOW
        )
        self.assertEqual(seen, [(1, 'w'), NOW, 3])

    def test_a_method_and_an_object_that_can_be_called_work_too(self):
        class Named:
            def matches(self, request, worker):
                return worker.name == 'w'

            __call__ = matches

        self.assertPasses(Filter('x', Named().matches))
        self.assertPasses(Filter('x', Named()))

    def test_a_function_may_answer_with_a_verdict(self):
        verdict = Verdict.never('no-jtag', 'has no jtag', ('w',))
        self.assertIs(self.ask(Filter('x', lambda request, worker: verdict)), verdict)

    def test_what_cannot_work_is_told(self):
        for wrong, part in (
            (Filter('', bool), 'code'),
            (Filter(None, bool), 'code'),
            (Filter('x', 'y'), 'called'),
        ):
            (problem,) = wrong.problems()
            self.assertIn(part, problem)
        self.assertEqual(list(Filter('x', lambda request, worker: True).problems()), [])
