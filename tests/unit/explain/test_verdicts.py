# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import ast

from hypothesis import given
from hypothesis import strategies as st
from support.abouts import NOW
from support.abouts import an_about
from support.snippets import ROOT
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.standing import Freshness
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.explain import verdicts
from buildbot_balancer.policy.decision import Decision
from buildbot_balancer.policy.verdict import Verdict

UNTIL = NOW + 600
AT = clock_text(UNTIL, NOW)


def no(code, sentence='', **more):
    return Verdict.not_now(code, sentence or f'is {code}', **more)


def a_decision(said, **more):
    return Decision.of(said, request=7, builder='win', at=NOW, **more)


def summary(said, *abouts, **more):
    return verdicts.summary(a_decision(said, **more), {one.name: one for one in abouts}, NOW)


def codes_of_the_package():
    """The first argument of every verdict that is made anywhere."""
    for path in (ROOT / 'buildbot_balancer').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            made = getattr(node.func, 'attr', '') in {'not_now', 'never', 'unknown'}
            if made and isinstance(node.args[0], ast.Constant):
                yield node.args[0].value


class Summary(SynchronousTestCase):
    def test_it_groups_by_code_the_commonest_first(self):
        said = {f'b{n}': no('busy') for n in range(7)}
        said |= {name: no('reluctant') for name in ('ann-pc', 'r1', 'r2')}
        said |= {'h': no('going-on-holiday'), 's': Verdict.unknown('load-unknown', 'has none')}
        text = summary(
            said,
            an_about('ann-pc', owner='ann', mood=Mood.RELUCTANT, reason='using it', until=UNTIL),
            an_about('h', mood=Mood.GOING_ON_HOLIDAY),
            an_about('s', freshness=Freshness.SILENT, reported_at=NOW - 250),
        )
        self.assertEqual(
            text,
            f'0 of 12 workers: 7 busy, 3 reluctant (ann: "using it", until {AT}; r1, r2),'
            ' 1 on holiday (h), 1 of unknown load (s: silent for 4 min)',
        )

    def test_no_worker_and_one(self):
        self.assertEqual(summary({}), 'its builder has no worker')
        self.assertEqual(summary({'w': no('paused')}), '0 of 1 worker: 1 paused (w)')

    def test_names_are_capped(self):
        text = summary({f'w{n}': no('paused') for n in range(9)})
        self.assertEqual(text, '0 of 9 workers: 9 paused (w0, w1, w2, w3, w4, ...)')

    def test_the_machine_is_named_where_the_owner_cannot_help(self):
        about = an_about('w', owner='ann', paused=True, pause_reason='fan')
        self.assertIn('1 paused (w: "fan")', summary({'w': no('paused')}, about))

    def test_a_word_that_has_changed_since_is_told_as_it_was(self):
        said = {'w': no('offline', 'is offline ("mine", until 18:00)')}
        self.assertIn('1 offline (w: "mine", until 18:00)', summary(said, an_about('w')))
        self.assertIn('1 offline (w: "mine", until 18:00)', summary(said))

    def test_when_a_reluctant_one_takes_it(self):
        text = summary({'w': no('reluctant', again_at=UNTIL)}, an_about('w', mood=Mood.RELUCTANT))
        self.assertIn(f'1 reluctant (w: takes it from {AT} on)', text)

    def test_what_else_is_in_the_way_of_the_same_worker(self):
        also = {'w': (no('night', 'builds only by day'), no('lock', 'would wait for x'))}
        about = an_about('w', mood=Mood.OFFLINE, reason='mine', running=1)
        text = summary({'w': no('busy')}, about, also=also)
        self.assertIn('1 busy (w: also offline ("mine"), also builds only by day)', text)

    def test_what_a_filter_of_the_config_says(self):
        text = summary({'w1': no('night', 'by day only'), 'w2': no('night', 'by day only')})
        self.assertIn('2 night (w1, w2: by day only)', text)

    def test_those_that_nobody_asked_and_those_that_could(self):
        text = summary({'w': no('busy')}, workers=9)
        self.assertEqual(text, '0 of 9 workers: 1 busy, 8 that take nothing of this builder now')
        text = summary({'w': no('busy')}, workers=2, able=1)
        self.assertEqual(text, '1 of 2 workers could take it now: 1 busy')
        self.assertEqual(summary({}, workers=2, able=2), '2 of 2 workers could take it now')

    def test_what_people_typed_is_cleaned(self):
        about = an_about('w', owner='a\x1b[1mb', mood=Mood.OFFLINE, reason='x\n\u202ey')
        self.assertIn('(a[1mb: "x y")', summary({'w': no('offline')}, about))

    @given(
        st.dictionaries(
            st.text(max_size=8),
            st.builds(Verdict.not_now, st.text(max_size=9), st.text(max_size=50)),
            max_size=60,
        ),
        st.integers(0, 99),
    )
    def test_it_never_raises_is_one_line_and_bounded_and_the_counts_add_up(self, said, more):
        decision = a_decision(said, workers=len(said) + more)
        text = verdicts.summary(decision, {name: an_about(name) for name in said}, NOW)
        self.assertLessEqual(len(text), 800)
        self.assertEqual(text, clean(text, 9999))
        self.assertEqual(sum(one.count for one in verdicts.counts(decision)), decision.workers)
        self.assertTrue(all(len(one.names) <= 5 for one in verdicts.counts(decision)))


class Counts(SynchronousTestCase):
    def test_each_code_has_its_number_and_some_names(self):
        said = {f'w{n}': no('busy') for n in range(7)} | {'x': no('paused')}
        found = [(one.code, one.count, one.names) for one in verdicts.counts(a_decision(said))]
        self.assertEqual(
            found, [('busy', 7, ('w0', 'w1', 'w2', 'w3', 'w4')), ('paused', 1, ('x',))]
        )


class Codes(SynchronousTestCase):
    def setUp(self):
        moods = {mood.label for mood in Mood if not mood.starts_builds}
        self.codes = {*codes_of_the_package(), *moods, *verdicts.LABELS}

    def test_each_has_words_of_its_own(self):
        self.assertGreater(len(self.codes), 20)
        self.assertEqual(self.codes - set(verdicts.LABELS), set())

    def test_each_is_explained_with_a_remedy(self):
        page = (ROOT / 'docs' / 'explain.rst').read_text(encoding='utf-8')
        self.assertEqual([one for one in sorted(self.codes) if f'\n``{one}``' not in page], [])
