# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter.decide import Opinion
from buildbot_balancer.reporter.decide import authority
from buildbot_balancer.reporter.decide import decide
from buildbot_balancer.reporter.says import Says
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


class Automatic(SynchronousTestCase):
    SAID = (
        Says('battery', None, 'plugged in'),
        Says('idle', Mood.RELUCTANT, 'mouse used just now'),
        Says('window', Mood.RELUCTANT, 'outside', 5000.0),
        Says('load', Mood.EAGER, 'load 0.10'),
    )

    def test_of_equals_the_first_in_the_order_is_the_source(self):
        said = decide(NO_WORD, NOW, free=False, automatic=self.SAID)
        self.assertEqual(
            (said.mood, said.source, said.reason, said.until),
            (Mood.RELUCTANT, 'idle', 'mouse used just now', None),
        )
        window = decide(NO_WORD, NOW, free=False, automatic=self.SAID[2:])
        self.assertEqual((window.source, window.until), ('window', 5000.0))

    def test_the_lowest_wins_wherever_it_stands(self):
        last = Says('pressure', Mood.OFFLINE, 'waits')
        said = decide(NO_WORD, NOW, free=False, automatic=(*self.SAID, last))
        self.assertEqual((said.mood, said.source), (Mood.OFFLINE, 'pressure'))

    def test_who_says_nothing_lets_others_speak(self):
        said = decide(NO_WORD, NOW, free=False, automatic=self.SAID[:1])
        self.assertEqual((said.mood, said.source), (Mood.EAGER, 'default'))

    def test_an_eager_owner_is_above_all_of_it(self):
        said = decide(Word(mood=Mood.EAGER), NOW, free=False, automatic=self.SAID)
        self.assertEqual((said.mood, said.source), (Mood.EAGER, 'owner'))

    def test_a_holiday_of_the_machines_own_becomes_offline_too(self):
        said = (Says('window', Mood.GOING_ON_HOLIDAY, 'in it'),)
        self.assertEqual(decide(NO_WORD, NOW, free=True, automatic=said).mood, Mood.OFFLINE)

    def test_what_is_published_of_it_is_that_it_is_automatic(self):
        said = decide(NO_WORD, NOW, free=False, automatic=self.SAID[2:])
        self.assertEqual(
            said.published(details=False), Opinion(mood=Mood.RELUCTANT, source='automatic')
        )
        shown = said.published(details=True)
        self.assertEqual((shown.source, shown.reason, shown.until), ('window', 'outside', None))

    def test_an_owners_word_is_published_as_it_is(self):
        said = decide(Word(mood=Mood.OFFLINE, reason='sea', until=5000.0), NOW, free=False)
        self.assertEqual(said.published(details=False), said)

    def test_words_that_grow_older_are_old_and_an_owners_new_reason_is_not(self):
        one = Opinion(mood=Mood.RELUCTANT, source='idle', reason='1 min ago')
        other = Opinion(mood=Mood.RELUCTANT, source='idle', reason='2 min ago')
        self.assertTrue(other.is_old(one))
        self.assertFalse(Opinion(mood=Mood.EAGER, source='idle', reason='1 min ago').is_old(one))
        word = Opinion(mood=Mood.RELUCTANT, source='owner', reason='a')
        self.assertFalse(Opinion(mood=Mood.RELUCTANT, source='owner', reason='b').is_old(word))


class Authority(SynchronousTestCase):
    def rows(self, word, *automatic):
        return {one.source: (one.mood, one.words) for one in authority(word, NOW, automatic)}

    def test_everybody_is_shown_with_what_they_say(self):
        rows = self.rows(NO_WORD, Says('idle', Mood.RELUCTANT, 'used'))
        self.assertEqual(list(rows), ['owner', 'drain', 'idle', 'default'])
        self.assertEqual(rows['owner'], (None, 'says nothing'))
        self.assertEqual(rows['idle'], (Mood.RELUCTANT, 'used'))
        self.assertEqual(rows['default'][0], Mood.EAGER)

    def test_a_word_is_the_owners_or_a_drain(self):
        rows = self.rows(Word(mood=Mood.OFFLINE, reason='sea'))
        self.assertEqual((rows['owner'], rows['drain']), ((Mood.OFFLINE, 'sea'), (None, 'none')))
        rows = self.rows(Word(mood=Mood.GOING_ON_HOLIDAY, draining=True, until=NOW + 60))
        self.assertIs(rows['drain'][0], Mood.GOING_ON_HOLIDAY)
        self.assertRegex(rows['drain'][1], r'^until \d\d:\d\d$')
        self.assertEqual(rows['owner'], (None, 'says nothing'))

    def test_a_word_that_is_over_says_nothing(self):
        rows = self.rows(Word(mood=Mood.OFFLINE, until=NOW))
        self.assertEqual(rows['owner'], (None, 'says nothing'))
