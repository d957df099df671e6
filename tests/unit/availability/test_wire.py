# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json
import math
import unicodedata

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability import wire
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.errors import WireError

JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([2**53, 2**64, -(2**64), 10**400, 1e308]),
        st.floats(),
        st.text(),
        st.sampled_from(['\ud800', '\u202e', '\x1b[31m', 'x' * 300, 'eager']),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=8,
)


def message(**values):
    return json.dumps({'v': wire.VERSION, **values})


def controls(text):
    return [c for c in text if unicodedata.category(c) in {'Cc', 'Cs', 'Zl', 'Zp'} or c == '\u202e']


class Messages(SynchronousTestCase):
    checks = {'word': wire.text(64), 'seq': wire.integer(0, 10)}  # noqa: RUF012  never changed

    def refused(self, text):
        return str(self.assertRaises(WireError, wire.decode, text, self.checks))

    def test_what_was_encoded_is_decoded(self):
        values = {'word': 'hello', 'seq': 3}
        self.assertEqual(wire.decode(wire.encode(values), self.checks), values)

    def test_a_message_says_its_version(self):
        self.assertEqual(json.loads(wire.encode({'seq': 1}))['v'], 1)

    def test_keys_that_are_not_known_are_ignored(self):
        text = message(word='w', seq=1, colour='red', more={'deep': [1, 2]})
        self.assertEqual(wire.decode(text, self.checks), {'word': 'w', 'seq': 1})

    def test_a_missing_field_is_named(self):
        self.assertIn('"seq"', self.refused(message(word='w')))

    def test_another_version_is_refused(self):
        for version in (0, 2, -1, 1.0, True, '1', None, [1], 10**400):
            text = json.dumps({'v': version, 'word': 'w', 'seq': 1})
            self.assertIn('version', self.refused(text))
        self.assertIn('version', self.refused('{"word": "w", "seq": 1}'))

    def test_what_is_no_text_is_refused(self):
        for value in (None, b'{}', 3, {'v': 1}, ['{}']):
            self.assertIn('must be text', self.refused(value))

    def test_what_is_no_object_is_refused(self):
        for text in ('[]', '3', '"x"', 'null', 'true'):
            self.assertIn('must be a JSON object', self.refused(text))

    def test_what_is_no_json_is_refused_in_one_line(self):
        for text in ('', '{', '{"v": 1', "{'v': 1}", '{"v": 1} {}', '\ufeff{}', '{"v": \x00}'):
            said = self.refused(text)
            self.assertIn('not JSON', said)
            self.assertEqual(len(said.splitlines()), 1)

    def test_numbers_that_json_does_not_have_are_refused(self):
        for number in ('NaN', 'Infinity', '-Infinity'):
            self.assertIn('no number', self.refused(f'{{"v": 1, "word": "w", "seq": {number}}}'))
            # in a key that nobody asks for, too
            text = f'{{"v": 1, "word": "w", "seq": 1, "x": {number}}}'
            self.assertIn('no number', self.refused(text))

    def test_the_largest_message_is_taken_and_one_byte_more_is_refused(self):
        spare = wire.LIMIT - len(message(word='w', seq=1, x=''))
        largest = message(word='w', seq=1, x='y' * spare)
        self.assertEqual(len(largest), 16 * 1024)
        self.assertEqual(wire.decode(largest, self.checks), {'word': 'w', 'seq': 1})
        self.assertIn('over the limit', self.refused(largest + ' '))

    def test_the_limit_counts_bytes_not_characters(self):
        text = json.dumps({'v': 1, 'word': 'w', 'seq': 1, 'x': '€' * 6000}, ensure_ascii=False)
        self.assertTrue(len(text) < wire.LIMIT < len(text.encode()))
        self.assertIn('over the limit', self.refused(text))

    def test_a_message_that_nobody_would_take_is_not_sent(self):
        empty = len(wire.encode({'x': ''}))
        self.assertEqual(len(wire.encode({'x': 'y' * (wire.LIMIT - empty)})), wire.LIMIT)
        self.assertRaises(WireError, wire.encode, {'x': 'y' * (wire.LIMIT - empty + 1)})

    def test_nan_and_infinity_are_never_sent(self):
        for number in (math.nan, math.inf, -math.inf):
            self.assertRaises((ValueError, WireError), wire.encode, {'x': number})

    def test_deep_nesting_is_refused_and_not_a_crash(self):
        for depth in (10, 500, 900, 1000, 2000, 8000):
            for opening, closing in (('[', ']'), ('{"a":', '}')):
                deep = opening * depth + '1' + closing * depth
                if len(deep) > wire.LIMIT - 100:
                    continue
                self.refused(deep)
                self.refused(f'{{"v": {deep}}}')
                self.refused(f'{{"v": 1, "word": {deep}, "seq": 1}}')
                self.refused(f'{{"v": 1, "word": "w", "seq": {deep}}}')

    def test_numbers_of_thousands_of_digits_are_refused_and_not_a_crash(self):
        for digits in (20, 400, 4300, 4301, 16000):
            for number in ('9' * digits, '-' + '9' * digits, '9' * digits + '.5'):
                self.refused(f'{{"v": 1, "word": "w", "seq": {number}}}')

    @settings(deadline=None)
    @given(st.one_of(st.text(), JSON.map(json.dumps), JSON))
    def test_whatever_comes_is_refused_with_a_wire_error(self, text):
        # no such text happens to be a message of ours: it would need the version
        said = self.refused(text)
        self.assertTrue(0 < len(said) < 300, said)
        self.assertEqual(controls(said), [])


class Checks(SynchronousTestCase):
    def refuses(self, check, *values):
        for value in values:
            said = str(self.assertRaises(WireError, check, 'field', value))
            self.assertIn('"field"', said)
            self.assertTrue(len(said) < 300, said)

    def test_a_number_is_within_its_range_both_ends_included(self):
        check = wire.number(0, 10)
        for value in (0, 10, 3.5, 0.0):
            self.assertEqual(check('field', value), value)
        self.refuses(check, -1, -1e-9, 10.001, 11, 1e308, 10**400, -(10**400))

    def test_what_is_no_number_is_refused(self):
        self.refuses(wire.number(0, 10), None, True, False, '3', [], {}, math.nan, math.inf)

    def test_a_whole_number_is_within_its_range_both_ends_included(self):
        check = wire.integer(-1, 10)
        self.assertEqual([check('field', value) for value in (-1, 0, 10)], [-1, 0, 10])
        self.refuses(check, -2, 11, 2**64, 10**400, 3.0, 3.5, True, None, '3', math.nan)

    def test_true_and_false_are_the_only_booleans(self):
        self.assertIs(wire.boolean('field', value=True), True)
        self.assertIs(wire.boolean('field', value=False), False)
        self.refuses(wire.boolean, 0, 1, None, 'true', [])

    def test_a_mood_is_written_as_people_write_it(self):
        self.assertIs(wire.mood('field', 'going-on-holiday'), Mood.GOING_ON_HOLIDAY)
        self.refuses(wire.mood, None, 3, 'auto', '', 'x' * 16000, '\x1b[31m\n\ud800', ['eager'])

    def test_text_is_cleaned_and_refused_where_it_is_too_long(self):
        check = wire.text(5)
        self.assertEqual(check('field', 'a\nb\x00'), 'a b')
        self.assertEqual(check('field', ''), '')
        self.refuses(check, 'abcdef', None, 3, ['a'])

    def test_an_optional_field_may_be_null_and_nothing_else(self):
        check = wire.optional(wire.integer(0, 10))
        self.assertIsNone(check('field', None))
        self.assertEqual(check('field', 3), 3)
        self.refuses(check, 11, 'x', False)

    def test_the_complaint_about_a_value_is_one_short_line(self):
        for value in ('\x1b[31m\n' * 1000, ['x' * 9000], {'a\n': '\u202e' * 99}, '\ud800'):
            said = str(self.assertRaises(WireError, wire.boolean, 'field', value))
            self.assertEqual(controls(said), [])
            self.assertTrue(len(said) < 150, said)


class Facts(SynchronousTestCase):
    def test_text_and_numbers_are_facts(self):
        facts = {'os': 'linux', 'ram_gb': 16, 'disk': 1.5}
        self.assertEqual(wire.facts('facts', facts), facts)

    def test_no_facts_are_an_empty_object(self):
        self.assertEqual(wire.facts('facts', None), {})

    def test_a_fact_of_another_kind_is_named(self):
        for value in (None, True, [], {}, math.nan, 1e16, 10**400, 'x' * 201):
            error = self.assertRaises(WireError, wire.facts, 'facts', {'os': 'linux', 'odd': value})
            self.assertIn('"facts.odd"', str(error))

    def test_names_and_texts_are_cleaned(self):
        self.assertEqual(wire.facts('facts', {'o\x00s\n': 'li\x1bnux\n'}), {'os': 'linux'})

    def test_more_facts_than_the_limit_and_other_kinds_are_refused(self):
        many = {str(number): number for number in range(wire.FACTS_LIMIT)}
        self.assertEqual(len(wire.facts('facts', many)), wire.FACTS_LIMIT)
        for value in ({**many, 'one more': 1}, [], 'os', 3, True):
            self.assertRaises(WireError, wire.facts, 'facts', value)
