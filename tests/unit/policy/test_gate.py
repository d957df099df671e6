# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import math

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from buildbot_balancer.interfaces import IFilter
from buildbot_balancer.policy.gate import Gate
from buildbot_balancer.policy.verdict import Answer
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

T0 = 1_700_000_000.0
REQUEST = RequestView(id=1, builder='b')


def a_gate(cooldown=0, glob='w*'):
    return Gate(glob, check=bool, cooldown=cooldown)


def ask(gate, now=T0, name='w1'):
    return gate.check(REQUEST, WorkerView(name=name), now)


class GateTest(SynchronousTestCase):
    def test_it_is_a_filter(self):
        self.assertTrue(verifyObject(IFilter, a_gate()))

    def test_workers_that_it_is_not_for_pass(self):
        gate = a_gate(glob='win-*')
        self.assertTrue(ask(gate, name='linux-1').passes)
        self.assertTrue(ask(gate, name='Win-1').passes)
        self.assertFalse(ask(gate, name='win-1').passes)

    def test_before_the_first_answer_it_is_closed(self):
        verdict = ask(a_gate())
        self.assertIs(verdict.answer, Answer.UNKNOWN)
        self.assertEqual(
            (verdict.code, verdict.fact, verdict.who), ('gate-unknown', 'gate', ('w1',))
        )

    def test_each_worker_has_an_answer_of_its_own(self):
        gate = a_gate()
        gate.record('w1', opened=True, now=T0)
        self.assertTrue(ask(gate).passes)
        self.assertIs(ask(gate, name='w2').answer, Answer.UNKNOWN)

    def test_a_no_closes_it_and_a_yes_opens_it(self):
        gate = a_gate()
        for opened in (True, False, False, True):
            gate.record('w1', opened=opened, now=T0)
            self.assertEqual(ask(gate).passes, opened)
        gate.record('w1', opened=False, now=T0)
        verdict = ask(gate)
        self.assertIs(verdict.answer, Answer.NOT_NOW)
        self.assertEqual((verdict.code, verdict.again_at), ('gate', None))

    def test_a_check_that_failed_closes_it_and_says_so(self):
        gate = a_gate()
        gate.record('w1', opened=True, now=T0)
        gate.record('w1', opened=False, now=T0 + 1, problem='raised OSError')
        verdict = ask(gate, T0 + 1)
        self.assertIs(verdict.answer, Answer.UNKNOWN)
        self.assertEqual(verdict.code, 'gate-error')
        self.assertIn('raised OSError', verdict.sentence)
        gate.record('w1', opened=True, now=T0 + 2)
        self.assertTrue(ask(gate, T0 + 2).passes)

    def test_after_a_no_it_stays_closed_for_the_cooldown(self):
        gate = a_gate(cooldown=100)
        gate.record('w1', opened=False, now=T0)
        gate.record('w1', opened=True, now=T0 + 10)
        verdict = ask(gate, T0 + 10)
        self.assertIs(verdict.answer, Answer.NOT_NOW)
        self.assertEqual(verdict.again_at, T0 + 100)
        self.assertFalse(ask(gate, T0 + 99.9).passes)
        self.assertTrue(ask(gate, T0 + 100).passes)

    def test_another_no_starts_the_cooldown_anew(self):
        gate = a_gate(cooldown=100)
        gate.record('w1', opened=False, now=T0)
        gate.record('w1', opened=False, now=T0 + 60)
        gate.record('w1', opened=True, now=T0 + 70)
        self.assertFalse(ask(gate, T0 + 120).passes)
        self.assertTrue(ask(gate, T0 + 160).passes)

    def test_a_first_yes_needs_no_cooldown(self):
        gate = a_gate(cooldown=100)
        gate.record('w1', opened=True, now=T0)
        self.assertTrue(ask(gate).passes)

    def test_a_record_says_whether_the_answer_is_another_one(self):
        gate = a_gate(cooldown=100)
        self.assertTrue(gate.record('w1', opened=True, now=T0))
        self.assertFalse(gate.record('w1', opened=True, now=T0 + 1))
        self.assertTrue(gate.record('w1', opened=False, now=T0 + 2))
        self.assertFalse(gate.record('w1', opened=False, now=T0 + 3))
        self.assertTrue(gate.record('w1', opened=True, now=T0 + 4))  # when it has cooled down
        self.assertTrue(gate.record('w1', opened=False, now=T0 + 5, problem='raised x'))

    @settings(deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=12),
        st.integers(0, 100),
        st.integers(0, 200),
    )
    def test_it_is_open_when_the_last_answer_was_yes_and_no_no_is_within_the_cooldown(
        self, answers, cooldown, later
    ):
        gate = a_gate(cooldown=cooldown)
        now, noes = T0, []
        for pause, opened in answers:
            now += pause
            before = ask(gate, now).passes
            changed = gate.record('w1', opened=opened, now=now)
            self.assertTrue(changed or ask(gate, now).passes == before)
            noes += [] if opened else [now]
        now += later
        expected = answers[-1][1] and all(now >= at + cooldown for at in noes)
        verdict = ask(gate, now)
        self.assertEqual(verdict.passes, expected)
        if verdict.again_at is not None:
            self.assertTrue(verdict.again_at > now)
            self.assertTrue(ask(gate, verdict.again_at).passes)


class Config(SynchronousTestCase):
    def test_it_names_its_glob_for_the_check_of_the_config(self):
        self.assertEqual(list(a_gate(glob='win-*').globs()), ['win-*'])

    def test_the_defaults_are_fine(self):
        self.assertEqual(list(Gate('w*', bool).problems()), [])
        self.assertEqual(list(Gate('w*', check=bool, every=1, cooldown=0.5).problems()), [])

    def test_what_no_master_could_mean_is_told_in_a_sentence_each(self):
        for gate, part in (
            (Gate('', bool), 'glob'),
            (Gate(None, bool), 'glob'),
            (Gate('w', None), 'cannot be called'),
            (Gate('w', bool, every=0), 'every'),
            (Gate('w', bool, every=True), 'every'),
            (Gate('w', bool, every='60'), 'every'),
            (Gate('w', bool, cooldown=-1), 'cooldown'),
            (Gate('w', bool, cooldown=None), 'cooldown'),
        ):
            (problem,) = gate.problems()
            self.assertIn(part, problem)

    def test_a_time_that_is_no_number_is_told(self):
        self.assertEqual(len(list(Gate('w', bool, every=math.nan).problems())), 1)
        self.assertEqual(len(list(Gate('w', bool, cooldown=math.nan).problems())), 1)
