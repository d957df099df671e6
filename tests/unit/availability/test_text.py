# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import unicodedata

from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.text import clean

_DIRECTIONS = {'LRE', 'RLE', 'LRO', 'RLO', 'PDF', 'LRI', 'RLI', 'FSI', 'PDI'}
_MARKS = '\u061c\u200e\u200f'
# such characters are rare among all: draw them often
_NASTY = st.text(
    st.one_of(
        st.sampled_from(
            'a b\x00\x1b\x7f\x85\n\r\t\u2028\u2029\u202e\u2066\u200f\u00a0\ud800\udfff'
        ),
        st.characters(),
    )
)


class Clean(SynchronousTestCase):
    def test_ordinary_text_of_any_language_stays_as_it_is(self):
        for text in (
            'moving house',
            'ich ziehe um: übermorgen',
            '引っ越し',
            'שלום',
            '👩\u200d💻 x',
        ):
            self.assertEqual(clean(text, 100), text)

    def test_line_ends_and_runs_of_space_become_one_space(self):
        self.assertEqual(clean('  a\r\nb\t\tc\u2028d \u00a0 e\n', 100), 'a b c d e')

    def test_a_terminal_escape_loses_its_power(self):
        self.assertEqual(clean('\x1b[31mred\x1b[0m\x07', 100), '[31mred[0m')

    def test_the_reading_direction_cannot_be_turned(self):
        self.assertEqual(clean('a\u202egnp.exe\u2069\u061c', 100), 'agnp.exe')

    def test_half_a_surrogate_pair_is_taken_out(self):
        self.assertEqual(clean('a\ud83db\udc00', 100), 'ab')

    def test_text_is_cut_at_the_limit_and_leaves_no_space_at_its_end(self):
        self.assertEqual(clean('abc def', 5), 'abc d')
        self.assertEqual(clean('abc def', 4), 'abc')
        self.assertEqual(clean('abc', 0), '')

    def test_what_is_taken_out_does_not_count_towards_the_limit(self):
        self.assertEqual(clean('\x00' * 50 + 'abc', 3), 'abc')

    def test_a_character_that_is_taken_out_leaves_one_space_not_two(self):
        self.assertEqual(clean('a \x00 b', 100), 'a b')

    @settings(deadline=None)
    @given(_NASTY, st.integers(0, 60))
    def test_any_text_becomes_one_short_line_without_controls(self, text, limit):
        cleaned = clean(text, limit)
        self.assertTrue(len(cleaned) <= limit)
        self.assertEqual(cleaned, cleaned.strip())
        self.assertTrue(len(cleaned.splitlines()) <= 1)
        for char in cleaned:
            self.assertNotIn(unicodedata.category(char), {'Cc', 'Cs', 'Zl', 'Zp'})
            self.assertNotIn(unicodedata.bidirectional(char), _DIRECTIONS)
            self.assertNotIn(char, _MARKS)
        self.assertEqual(cleaned.encode().decode(), cleaned)

    @settings(deadline=None)
    @given(_NASTY)
    def test_nothing_but_space_and_controls_is_lost(self, text):
        kept = [c for c in text if unicodedata.category(c)[0] in 'LNPS']
        self.assertEqual(
            [c for c in clean(text, len(text)) if unicodedata.category(c)[0] in 'LNPS'], kept
        )

    @settings(deadline=None)
    @given(_NASTY, st.integers(0, 60))
    @example('a \x00 b', 60)
    def test_cleaning_twice_is_cleaning_once(self, text, limit):
        once = clean(text, limit)
        self.assertEqual(clean(once, limit), once)
