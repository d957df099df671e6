# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json

import attrs
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.answer import PREFIX
from buildbot_balancer.availability.answer import Answer
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.errors import WireError


def lines(limit):
    """Text that is fit to be shown as it is."""
    characters = st.characters(
        exclude_categories=('Cc', 'Cs', 'Zl', 'Zp'),
        exclude_characters='\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069',
    )
    return st.text(characters, max_size=limit).map(lambda text: ' '.join(text.split()))


ANSWERS = st.builds(
    Answer,
    serving=st.booleans(),
    incarnation=lines(64),
    seq=st.integers(-1, 2**53),
    running=st.integers(0, 2**20),
    mood=st.none() | st.sampled_from(Mood),
    free=st.booleans(),
)


def sent(**changes):
    values = {**json.loads(Answer().to_wire()[len(PREFIX) :]), **changes}
    return PREFIX + json.dumps(values)


class WireForm(SynchronousTestCase):
    @settings(deadline=None)
    @given(ANSWERS)
    def test_any_answer_arrives_as_it_was_sent(self, answer):
        self.assertEqual(Answer.from_wire(answer.to_wire()), answer)

    def test_a_worker_without_a_reporter_logs_a_line_that_says_whose_it_is(self):
        text = Answer(incarnation='two\nlines').to_wire()
        self.assertTrue(text.startswith('buildbot-balancer: {'))
        self.assertEqual(len(text.splitlines()), 1)

    def test_the_greeting_promises_nothing(self):
        greeting = Answer.from_wire(Answer().to_wire())
        self.assertTrue(greeting.serving)
        self.assertFalse(greeting.free)
        self.assertEqual(greeting.seq, -1)
        self.assertIsNone(greeting.mood)

    def test_free_is_never_read_out_of_what_is_no_boolean(self):
        for value in (1, 'true', None, [True]):
            error = self.assertRaises(WireError, Answer.from_wire, sent(free=value))
            self.assertIn('"free"', str(error))

    def test_what_is_out_of_range_is_refused_by_name(self):
        for name, value in (
            ('seq', -2),
            ('seq', 2**53 + 1),
            ('running', -1),
            ('running', 1.0),
            ('incarnation', 'x' * 65),
            ('mood', 'merry'),
            ('serving', None),
        ):
            error = self.assertRaises(WireError, Answer.from_wire, sent(**{name: value}))
            self.assertIn(f'"{name}"', str(error))

    def test_keys_of_a_newer_master_are_ignored(self):
        self.assertEqual(Answer.from_wire(sent(colour='red')), Answer())

    @settings(deadline=None)
    @given(
        st.sampled_from([*(field.name for field in attrs.fields(Answer)), 'v']),
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just([])),
    )
    def test_any_value_in_a_field_is_refused_or_taken_as_its_type(self, name, value):
        try:
            answer = Answer.from_wire(sent(**{name: value}))
        except WireError:
            return
        self.assertIs(type(answer.free), bool)
        self.assertIs(type(answer.serving), bool)
        self.assertTrue(-1 <= answer.seq <= 2**53)
        self.assertTrue(0 <= answer.running <= 2**20)

    @given(st.text())
    def test_any_text_after_the_prefix_is_refused_with_a_wire_error(self, text):
        self.assertRaises(WireError, Answer.from_wire, PREFIX + text)
