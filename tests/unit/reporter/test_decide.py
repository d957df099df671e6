# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter.decide import decide
from buildbot_balancer.reporter.word import NO_WORD
from buildbot_balancer.reporter.word import Word

NOW = 1000.0
WORDS = st.builds(
    Word,
    mood=st.none() | st.sampled_from(Mood),
    reason=st.none() | st.just('mine'),
    until=st.none() | st.floats(0, 2000),
    draining=st.booleans(),
)


class Deciding(SynchronousTestCase):
    def test_without_a_word_the_machine_is_eager(self):
        said = decide(NO_WORD, NOW, free=False)
        self.assertEqual((said.mood, said.source, said.draining), (Mood.EAGER, 'default', False))

    def test_auto_is_no_word(self):
        said = decide(Word(mood=None, reason='r', draining=True, id='x'), NOW, free=True)
        self.assertEqual((said.mood, said.source, said.reason), (Mood.EAGER, 'default', None))
        self.assertFalse(said.draining)

    def test_the_owner_is_the_source_of_a_word_and_a_drain_of_a_drain(self):
        self.assertEqual(decide(Word(mood=Mood.OFFLINE), NOW, free=False).source, 'owner')
        draining = Word(mood=Mood.GOING_ON_HOLIDAY, draining=True)
        self.assertEqual(decide(draining, NOW, free=False).source, 'drain')

    def test_a_holiday_becomes_offline_when_the_machine_is_empty(self):
        holiday = Word(mood=Mood.GOING_ON_HOLIDAY, reason='sea', until=NOW + 1)
        self.assertEqual(decide(holiday, NOW, free=False).mood, Mood.GOING_ON_HOLIDAY)
        said = decide(holiday, NOW, free=True)
        self.assertEqual((said.mood, said.reason, said.until), (Mood.OFFLINE, 'sea', NOW + 1))

    def test_reason_and_until_go_with_the_word_when_its_time_is_over(self):
        said = decide(Word(mood=Mood.OFFLINE, reason='sea', until=NOW), NOW, free=False)
        self.assertEqual(
            (said.mood, said.reason, said.until, said.source), (Mood.EAGER, None, None, 'default')
        )

    @given(WORDS, st.floats(0, 2000), st.booleans())
    def test_a_word_that_holds_is_never_made_more_willing_than_the_owner_said(
        self, word, now, free
    ):
        said = decide(word, now, free=free)
        if word.holds(now):
            self.assertLessEqual(said.mood, word.mood)
            self.assertEqual(said.mood.starts_builds, word.mood.starts_builds)
            self.assertEqual(said.draining, word.draining)
        else:
            self.assertEqual(said.mood, Mood.EAGER)
            self.assertFalse(said.draining)

    @given(WORDS, st.floats(0, 2000))
    def test_a_full_machine_has_just_the_owners_mood(self, word, now):
        expected = word.mood if word.holds(now) else Mood.EAGER
        self.assertEqual(decide(word, now, free=False).mood, expected)
