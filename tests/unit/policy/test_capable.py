# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from buildbot_balancer.interfaces import IFilter
from buildbot_balancer.policy.capable import Capable
from buildbot_balancer.policy.verdict import Answer
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

NAMES = st.sampled_from(['os', 'ram_gb', 'cpus', 'jtag'])
SCALARS = st.one_of(st.sampled_from(['linux', 'win', '16']), st.integers(0, 64), st.booleans())
WANTED = st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, max_size=3), max_size=3)
HAS = st.dictionaries(NAMES, SCALARS | st.none(), max_size=3)


def ask(wanted, *, by_request=(), **worker):
    request = RequestView(id=1, builder='b', requires=tuple(by_request))
    return Capable(wanted).check(request, WorkerView(name='w', **worker), 0.0)


class Matching(SynchronousTestCase):
    def assertAnswer(self, answer, wanted, has):
        for place in ('properties', 'facts'):
            verdict = ask(wanted, **{place: has})
            self.assertIs(verdict.answer, answer, f'{wanted} {has} {verdict.sentence}')

    def test_it_is_a_filter(self):
        self.assertTrue(verifyObject(IFilter, Capable()))

    def test_nothing_is_required_of_nobody(self):
        self.assertTrue(ask({}).passes)

    def test_text_must_be_equal(self):
        self.assertAnswer(Answer.YES, {'os': 'linux'}, {'os': 'linux'})
        for has in ('Linux', 'linux ', 'lin', 'win'):
            self.assertAnswer(Answer.NEVER, {'os': 'linux'}, {'os': has})

    def test_a_number_means_at_least(self):
        for has, answer in ((16, Answer.YES), (16.5, Answer.YES), (15.9, Answer.NEVER)):
            self.assertAnswer(answer, {'ram_gb': 16}, {'ram_gb': has})

    def test_a_number_that_the_config_writes_as_text_counts_as_a_number(self):
        self.assertAnswer(Answer.YES, {'ram_gb': 16}, {'ram_gb': '32'})
        self.assertAnswer(Answer.NEVER, {'ram_gb': 16}, {'ram_gb': 'plenty'})

    def test_of_a_list_any_entry_is_enough(self):
        for wanted in (['linux', 'bsd'], ('linux', 'bsd'), {'linux', 'bsd'}):
            self.assertAnswer(Answer.YES, {'os': wanted}, {'os': 'bsd'})
            self.assertAnswer(Answer.NEVER, {'os': wanted}, {'os': 'win'})
        self.assertAnswer(Answer.NEVER, {'os': []}, {'os': 'win'})

    def test_a_worker_that_has_several_needs_one_that_fits(self):
        self.assertTrue(ask({'gcc': '12'}, properties={'gcc': ['11', '12']}).passes)
        self.assertFalse(ask({'gcc': '13'}, properties={'gcc': ['11', '12']}).passes)

    def test_true_is_neither_one_nor_a_word(self):
        self.assertTrue(ask({'jtag': True}, properties={'jtag': True}).passes)
        for wanted, has in ((True, 1), (True, 'True'), (1, True), (False, 0), (True, False)):
            self.assertFalse(ask({'jtag': wanted}, properties={'jtag': has}).passes)

    def test_what_is_not_known_does_not_pass_and_says_so(self):
        for place in ({}, {'properties': {'os': None}}):
            verdict = ask({'os': 'linux'}, **place)
            self.assertIs(verdict.answer, Answer.UNKNOWN)
            self.assertEqual((verdict.code, verdict.who), ('capability-unknown', ('w',)))
            self.assertIn('os', verdict.sentence)
            self.assertIn('linux', verdict.sentence)

    def test_what_the_config_says_counts_before_what_the_worker_says(self):
        self.assertFalse(
            ask({'os': 'linux'}, properties={'os': 'win'}, facts={'os': 'linux'}).passes
        )
        self.assertTrue(ask({'os': 'win'}, properties={'os': 'win'}, facts={'os': 'linux'}).passes)

    def test_the_number_of_cpus_is_known_from_the_report(self):
        self.assertTrue(ask({'cpus': 4}, cpus=8).passes)
        self.assertFalse(ask({'cpus': 16}, cpus=8).passes)
        self.assertTrue(ask({'cpus': 16}, cpus=8, properties={'cpus': 32}).passes)
        self.assertIs(ask({'cpus': 1}).answer, Answer.UNKNOWN)

    def test_builder_request_and_policy_must_all_be_content(self):
        for by_request in ([{'os': 'win'}, {}], [{}, {'os': 'win'}]):
            self.assertFalse(ask({}, by_request=by_request, facts={'os': 'linux'}).passes)
        both = [{'os': 'linux'}, {'ram_gb': 8.0}]
        self.assertTrue(
            ask({'cpus': 1}, by_request=both, facts={'os': 'linux', 'ram_gb': 8}, cpus=1).passes
        )

    def test_a_refusal_says_what_there_is_and_what_is_required(self):
        for wanted, words in (
            ({'os': ['linux', 'bsd']}, ('os', 'win', 'one of linux, bsd')),
            ({'ram_gb': 16}, ('ram_gb', '8', 'at least 16')),
        ):
            verdict = ask(wanted, properties={'os': 'win', 'ram_gb': 8})
            for word in words:
                self.assertIn(word, verdict.sentence)

    def test_a_request_whose_requires_is_no_dict_waits_and_says_why(self):
        for odd in ('linux', ['os'], 3, None):
            verdict = ask({}, by_request=[odd])
            self.assertIs(verdict.answer, Answer.NEVER)
            self.assertIn('no dict', verdict.sentence)

    def test_a_config_whose_requires_is_no_dict_is_told(self):
        for odd in ('linux', ['os'], None):
            (problem,) = Capable(odd).problems()
            self.assertIn('must be a dict', problem)
        self.assertEqual(list(Capable({'os': 'linux'}).problems()), [])

    @settings(deadline=None)
    @given(WANTED, HAS, HAS)
    def test_who_passes_has_each_thing_that_is_required(self, wanted, properties, facts):
        verdict = ask(wanted, properties=properties, facts=facts)
        known = {**facts, **{k: v for k, v in properties.items() if v is not None}}
        unknown = [name for name in wanted if known.get(name) is None]
        if unknown:
            self.assertFalse(verdict.passes)
        else:
            self.assertIsNot(verdict.answer, Answer.UNKNOWN)
            each = [
                ask({k: v}, properties=properties, facts=facts).passes for k, v in wanted.items()
            ]
            self.assertEqual(verdict.passes, all(each))

    @settings(deadline=None)
    @given(SCALARS, SCALARS, st.lists(SCALARS, max_size=3))
    def test_another_entry_in_a_list_never_makes_it_harder(self, has, one, more):
        alone = ask({'x': one}, properties={'x': has}).passes
        self.assertEqual(
            ask({'x': [one, *more]}, properties={'x': has}).passes,
            alone or ask({'x': more}, properties={'x': has}).passes,
        )
