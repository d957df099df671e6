# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json
import math
import unicodedata

import attrs
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability import wire
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import REASON_LIMIT
from buildbot_balancer.availability.report import Report
from buildbot_balancer.errors import WireError

# The lowest and the highest value of each field that has a range.
RANGES = {
    'seq': (0, 2**53),
    'until': (0, 1e11),
    'deadline': (0, 1e10),
    'interval': (0.1, 3600),
    'load': (0, 1e6),
    'own': (0, 1e6),
    'cpu': (0, 1),
    'memory': (0, 1),
    'cpus': (1, 2**16),
    'idle': (0, 1e10),
    'commands': (0, 2**20),
}
WHOLE = {'seq', 'cpus', 'commands'}
LENGTHS = {'incarnation': 64, 'source': 64, 'reason': REASON_LIMIT, 'word': 64, 'host': 64}
OPTIONAL = {
    *('reason', 'until', 'deadline', 'load', 'own', 'cpu', 'memory', 'cpus', 'host', 'idle'),
    'commands',
}


def lines(limit):
    """Text that is fit to be shown as it is."""
    characters = st.characters(
        exclude_categories=('Cc', 'Cs', 'Zl', 'Zp'),
        exclude_characters='\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069',
    )
    return st.text(characters, max_size=limit).map(lambda text: ' '.join(text.split()))


def values_of(name):
    if name in RANGES:
        low, high = RANGES[name]
        found = st.integers(low, high) if name in WHOLE else st.floats(low, high)
    else:
        found = lines(LENGTHS[name])
    return st.none() | found if name in OPTIONAL else found


FACTS = st.dictionaries(
    lines(64),
    st.one_of(lines(200), st.integers(-(10**15), 10**15), st.floats(-1e15, 1e15)),
    max_size=8,
)
REPORTS = st.builds(
    Report,
    mood=st.sampled_from(Mood),
    draining=st.booleans(),
    facts=FACTS,
    **{name: values_of(name) for name in (*RANGES, *LENGTHS)},
)
ANY_JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.sampled_from([2**53 + 1, 2**64, -(10**30), 10**400, 1e308, 5e-324]),
        st.sampled_from(['\ud800', '\u202eabc', '\x1b[31m', 'a\nb', 'x' * 300, 'eager', 'auto']),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=6,
)


def a_report(**values):
    return Report(**{'incarnation': 'abc', 'seq': 7, 'mood': Mood.EAGER, **values})


def sent(**changes):
    """The wire form of a good report with some fields replaced; a field set to ... is left out."""
    values = {**json.loads(a_report().to_wire()), **changes}
    return json.dumps({name: value for name, value in values.items() if value is not ...})


class WireForm(SynchronousTestCase):
    def assertInRange(self, report):
        self.assertIsInstance(report.mood, Mood)
        self.assertIsInstance(report.draining, bool)
        for name, (low, high) in RANGES.items():
            value = getattr(report, name)
            if value is None:
                self.assertIn(name, OPTIONAL)
                continue
            self.assertIs(type(value), int if name in WHOLE else float, name)
            self.assertTrue(math.isfinite(value), name)
            self.assertTrue(low <= value <= high, f'{name} {value}')
        for name, limit in LENGTHS.items():
            if getattr(report, name) is None:
                self.assertIn(name, OPTIONAL)
            else:
                self.assertIsLine(getattr(report, name), limit)
        self.assertTrue(len(report.facts) <= wire.FACTS_LIMIT)
        for name, fact in report.facts.items():
            self.assertIsLine(name, 64)
            if isinstance(fact, str):
                self.assertIsLine(fact, 200)
            else:
                self.assertIs(type(fact), float)
                self.assertTrue(-1e15 <= fact <= 1e15)

    def assertIsLine(self, text, limit):
        self.assertIs(type(text), str)
        self.assertTrue(len(text) <= limit)
        odd = [c for c in text if unicodedata.category(c) in {'Cc', 'Cs', 'Zl', 'Zp'}]
        self.assertEqual(odd + [c for c in text if c in '\u200f\u202a\u202e\u2066\u2069'], [])

    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(REPORTS)
    def test_any_valid_report_arrives_as_it_was_sent(self, report):
        self.assertEqual(Report.from_wire(report.to_wire()), report)

    def test_the_least_that_is_sent_leaves_the_rest_unknown(self):
        report = Report.from_wire(a_report().to_wire())
        for name in OPTIONAL:
            self.assertIsNone(getattr(report, name), name)
        self.assertEqual(report.facts, {})

    def test_both_ends_of_each_range_are_taken_and_what_lies_beyond_is_refused(self):
        for name, (low, high) in RANGES.items():
            for value in (low, high):
                self.assertEqual(getattr(Report.from_wire(sent(**{name: value})), name), value)
            step = 1 if name in WHOLE else 1e-3
            for value in (low - step, high + high * 1e-6 + step, -1e300, 1e300, 10**400):
                error = self.assertRaises(WireError, Report.from_wire, sent(**{name: value}))
                self.assertIn(f'"{name}"', str(error))

    def test_text_of_full_length_is_taken_and_one_more_character_is_refused(self):
        for name, limit in LENGTHS.items():
            report = Report.from_wire(sent(**{name: 'x' * limit}))
            self.assertEqual(getattr(report, name), 'x' * limit)
            error = self.assertRaises(
                WireError, Report.from_wire, sent(**{name: 'x' * (limit + 1)})
            )
            self.assertIn(f'"{name}"', str(error))

    def test_fields_that_may_be_unknown_may_be_missing_and_the_others_may_not(self):
        for field in attrs.fields(Report):
            text = sent(**{field.name: ...})
            if field.name in OPTIONAL | {'facts'}:
                self.assertFalse(getattr(Report.from_wire(text), field.name))
            else:
                error = self.assertRaises(WireError, Report.from_wire, text)
                self.assertIn(f'"{field.name}"', str(error))

    def test_a_field_of_another_kind_is_refused_by_name(self):
        for field in attrs.fields(Report):
            odd = 'true' if field.name in {*RANGES, 'draining', 'facts'} else 3
            for value in (odd, [], [odd], {'a': {}}):
                error = self.assertRaises(WireError, Report.from_wire, sent(**{field.name: value}))
                self.assertIn(f'"{field.name}', str(error))

    def test_keys_of_a_newer_sender_are_ignored(self):
        self.assertEqual(Report.from_wire(sent(colour='red', more=[{}])), a_report())

    def test_a_reason_loses_its_controls_and_keeps_its_words(self):
        report = Report.from_wire(sent(reason='\x1b[1mmoving\nhouse\u202e\ud800'))
        self.assertEqual(report.reason, '[1mmoving house')

    def test_a_report_that_is_too_large_is_not_sent(self):
        facts = {f'fact {number}': 'x' * 200 for number in range(wire.FACTS_LIMIT)}
        self.assertEqual(Report.from_wire(a_report(facts=facts).to_wire()).facts, facts)
        wide = dict.fromkeys(facts, '€' * 200)  # six bytes each on the wire
        self.assertRaises(WireError, a_report(facts=wide).to_wire)

    @settings(deadline=None)
    @given(st.text())
    def test_any_text_is_refused_with_a_wire_error(self, text):
        self.assertRaises(WireError, Report.from_wire, text)

    @settings(deadline=None, max_examples=200)
    @given(
        st.dictionaries(
            st.sampled_from([*(field.name for field in attrs.fields(Report)), 'v', 'odd']),
            ANY_JSON,
            max_size=3,
        )
    )
    def test_a_report_with_any_json_in_it_is_refused_or_in_range(self, changes):
        text = sent(**changes)  # NaN and Infinity included, as Python writes them
        try:
            report = Report.from_wire(text)
        except WireError as e:
            self.assertIsLine(str(e), 300)
        else:
            self.assertInRange(report)

    @settings(deadline=None)
    @given(
        st.dictionaries(
            st.text(max_size=70), st.one_of(st.text(max_size=210), st.floats(), st.integers())
        )
    )
    def test_any_facts_are_refused_or_in_range(self, facts):
        try:
            report = Report.from_wire(sent(facts=facts))
        except WireError as e:
            self.assertIsLine(str(e), 300)
        else:
            self.assertInRange(report)

    def test_deep_nesting_in_any_field_is_refused_and_not_a_crash(self):
        for field in attrs.fields(Report):
            for depth in (5, 400, 800, 950, 990, 1000, 3000):
                text = sent(**{field.name: '@'}).replace('"@"', '[' * depth + ']' * depth)
                self.assertRaises(WireError, Report.from_wire, text)
