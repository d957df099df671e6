# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import AUTO
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.errors import WordError


class Moods(SynchronousTestCase):
    def test_a_larger_mood_is_more_willing(self):
        self.assertEqual(
            sorted(Mood), [Mood.OFFLINE, Mood.GOING_ON_HOLIDAY, Mood.RELUCTANT, Mood.EAGER]
        )

    def test_people_write_a_mood_in_lower_case_with_hyphens(self):
        self.assertEqual(
            [mood.label for mood in Mood], ['offline', 'going-on-holiday', 'reluctant', 'eager']
        )

    def test_only_reluctant_and_eager_start_builds(self):
        self.assertEqual(
            {mood for mood in Mood if mood.starts_builds}, {Mood.RELUCTANT, Mood.EAGER}
        )


class Parsing(SynchronousTestCase):
    def test_each_label_is_read_back(self):
        for mood in Mood:
            self.assertIs(Mood.parse(mood.label), mood)

    def test_case_space_around_it_and_underscores_do_not_matter(self):
        for text in ('Going-On-Holiday', 'GOING_ON_HOLIDAY', '  going_on-holiday\n'):
            self.assertIs(Mood.parse(text), Mood.GOING_ON_HOLIDAY, text)

    def test_a_typing_error_is_told_with_the_nearest_mood(self):
        for typed, meant in (
            ('relctant', 'reluctant'),
            ('ofline', 'offline'),
            ('holiday', 'going-on-holiday'),
        ):
            error = self.assertRaises(WordError, Mood.parse, typed)
            self.assertIn(f'"{typed}"', str(error))
            self.assertIn(f'did you mean "{meant}"?', str(error))

    def test_the_complaint_lists_all_that_can_be_said(self):
        error = str(self.assertRaises(WordError, Mood.parse, 'xyzzy'))
        for word in (*(mood.label for mood in Mood), AUTO):
            self.assertIn(word, error)
        self.assertNotIn('did you mean', error)

    def test_auto_is_a_word_and_no_mood(self):
        self.assertRaises(WordError, Mood.parse, AUTO)

    def test_numbers_and_nothing_are_no_mood(self):
        for text in ('', ' ', '0', '3', 'Mood.EAGER'):
            self.assertRaises(WordError, Mood.parse, text)

    def test_the_complaint_about_a_long_text_is_short(self):
        error = self.assertRaises(WordError, Mood.parse, 'x' * 100_000)
        self.assertTrue(len(str(error)) < 200, str(error)[:300])

    @settings(deadline=None)
    @given(st.text())
    def test_any_text_is_a_mood_or_a_word_error(self, text):
        try:
            mood = Mood.parse(text)
        except WordError as e:
            self.assertIn('is no mood', str(e))
        else:
            self.assertEqual(mood.label, text.strip().lower().replace('_', '-'))
