# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.policy.decision import Decision
from buildbot_balancer.policy.verdict import Verdict


def a_decision(**values):
    verdicts = values.pop('verdicts', {})
    return Decision.of(verdicts, **{'request': 17, 'builder': 'win', 'at': 0.0, **values})


def refusals(count, code='busy'):
    return {f'w{n:03}': Verdict.not_now(code, f'is {code}') for n in range(count)}


class Waiting(SynchronousTestCase):
    def test_it_says_who_waits_and_what_each_worker_said(self):
        verdicts = {**refusals(2), 'x': Verdict.not_now('offline', 'is offline ("mine")')}
        self.assertEqual(
            a_decision(verdicts=verdicts).sentence,
            'request 17 of win waits: 0 of 3 workers: 2 busy, 1 offline'
            ' (w000 is busy; w001 is busy; x is offline ("mine"))',
        )

    def test_a_builder_without_workers_is_told(self):
        self.assertEqual(
            a_decision().sentence, 'request 17 of win waits: its builder has no worker'
        )

    def test_what_concerns_the_request_itself_comes_instead(self):
        sentence = a_decision(note='nextWorker said None', verdicts=refusals(3)).sentence
        self.assertEqual(sentence, 'request 17 of win waits: nextWorker said None')

    def test_the_most_frequent_reason_is_the_first(self):
        verdicts = {'a': Verdict.not_now('lock', 'would wait for x'), **refusals(3)}
        self.assertIn('3 busy, 1 lock', a_decision(verdicts=verdicts).sentence)

    @given(st.integers(1, 2000))
    def test_many_workers_are_counted_and_not_listed(self, count):
        sentence = a_decision(verdicts=refusals(count)).sentence
        self.assertIn(f'0 of {count} workers: {count} busy', sentence)
        self.assertEqual(sentence.count(' is busy'), min(count, 5))
        self.assertEqual(f'and {count - 5} more' in sentence, count > 5)
        self.assertEqual(len(sentence.splitlines()), 1)


class Starting(SynchronousTestCase):
    def test_it_says_where_and_with_which_scores(self):
        decision = a_decision(
            worker='w1', score=87.4, parts=(('EagerFirst', 100.0), ('LeastLoaded', 49.6))
        )
        self.assertEqual(
            decision.sentence,
            'request 17 of win starts on w1 (score 87: EagerFirst 100, LeastLoaded 50)',
        )

    def test_the_others_are_told_with_their_reasons(self):
        decision = a_decision(worker='w9', verdicts=refusals(1, 'paused'))
        self.assertEqual(decision.sentence, 'request 17 of win starts on w9; w000 is paused')

    def test_who_could_have_taken_it_too_is_told_with_its_score(self):
        beaten = (('w2', 61.6), ('w3', 50.0))
        sentence = a_decision(worker='w1', score=87.0, parts=(('A', 87.0),), beaten=beaten).sentence
        self.assertIn('(score 87: A 87; before w2 62, w3 50)', sentence)

    def test_of_a_thousand_verdicts_a_few_are_kept_and_all_are_counted(self):
        decision = a_decision(worker='w9', verdicts=refusals(1000))
        self.assertEqual(list(decision.verdicts), ['w000', 'w001', 'w002', 'w003', 'w004'])
        self.assertEqual(decision.reasons, {'busy': 1000})
        self.assertIn('and 995 more', decision.sentence)

    def test_a_score_of_nothing_is_a_score(self):
        sentence = a_decision(worker='w1', score=0.0, parts=(('Mine', 0.0),)).sentence
        self.assertIn('(score 0: Mine 0)', sentence)


CODES = st.sampled_from(['busy', 'offline', 'lock', 'other', *(f'code-{n}' for n in range(30))])


class Keeping(SynchronousTestCase):
    def test_a_rare_code_is_not_lost_among_the_common_ones(self):
        verdicts = {**refusals(990), 'x1': Verdict.not_now('gate', 'has a closed gate')}
        decision = a_decision(verdicts=verdicts)
        self.assertEqual(decision.verdicts['x1'].code, 'gate')
        self.assertEqual(dict(decision.reasons), {'busy': 990, 'gate': 1})

    @given(st.dictionaries(st.text(max_size=3), CODES, max_size=80))
    def test_what_is_kept_is_bounded_and_the_counts_are_exact(self, codes):
        verdicts = {name: Verdict.not_now(code, 'says no') for name, code in codes.items()}
        decision = a_decision(verdicts=verdicts)
        self.assertEqual(sum(decision.reasons.values()), len(verdicts))
        self.assertLessEqual(len(decision.reasons), 20)
        self.assertLessEqual(len(decision.verdicts), 20 * 5)
        kept = [verdict.code for verdict in decision.verdicts.values()]
        for code, count in decision.reasons.items():
            if code != 'other':
                self.assertEqual(count, list(codes.values()).count(code))
                self.assertEqual(kept.count(code), min(count, 5))

    def test_workers_that_nobody_asked_are_counted_apart(self):
        decision = a_decision(verdicts=refusals(3), workers=10, able=2)
        self.assertEqual((decision.workers, decision.unasked), (10, 5))
        self.assertEqual(a_decision(verdicts=refusals(3)).unasked, 0)
        self.assertEqual(a_decision(verdicts=refusals(3), workers=10, worker='w9').unasked, 0)

    def test_it_is_never_only_where_every_worker_says_so(self):
        never = {'w1': Verdict.never('incapable', 'has no gpu')}
        self.assertTrue(a_decision(verdicts=never).never)
        self.assertFalse(a_decision(verdicts=never, workers=2).never)
        self.assertFalse(a_decision(verdicts={**never, **refusals(1)}).never)
        self.assertFalse(a_decision().never)

    def test_two_that_say_the_same_at_different_moments_are_equal(self):
        one = a_decision(verdicts=refusals(2))
        self.assertEqual(one, a_decision(verdicts=refusals(2), at=9.0))
        self.assertNotEqual(one, a_decision(verdicts=refusals(3)))
        self.assertNotEqual(one, a_decision(verdicts=refusals(2), locks=(('disk', ''),)))

    def test_one_that_could_be_taken_says_so_in_the_log(self):
        said = a_decision(workers=2, able=2).sentence
        self.assertEqual(said, 'request 17 of win waits: 2 of 2 workers could take it')
