# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import REASON_LIMIT
from buildbot_balancer.availability.text import clean
from buildbot_balancer.errors import StoreError
from buildbot_balancer.errors import WordError
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.word import NO_WORD
from buildbot_balancer.reporter.word import Word

NOW = 1_700_000_000.0
WORDS = st.builds(
    Word,
    mood=st.none() | st.sampled_from(Mood),
    reason=st.none() | st.text(max_size=300).map(lambda text: clean(text, REASON_LIMIT) or None),
    until=st.none() | st.integers(0, 10**10).map(float),
    draining=st.booleans(),
    id=st.from_regex('[0-9a-f]{16}', fullmatch=True),
).filter(lambda said: said.until is None or said.until < NOW + 10 * 365 * 86400)


def new_folder(case):
    path = Path(tempfile.mkdtemp())
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


class Text(SynchronousTestCase):
    @given(WORDS)
    def test_a_word_that_is_written_is_the_word_that_is_read(self, said):
        self.assertEqual(word.parse(word.render(said), NOW), said)

    @given(st.text(max_size=100))
    def test_any_text_is_a_word_or_refused_in_one_sentence(self, text):
        try:
            word.parse(text, NOW)
        except WordError as e:
            self.assertEqual(len(str(e).splitlines()), 1)

    def test_one_word_by_hand_is_enough(self):
        said = word.parse('Reluctant\n', NOW)
        self.assertEqual((said.mood, said.until, said.draining), (Mood.RELUCTANT, None, False))
        self.assertTrue(said.id)

    def test_comments_and_empty_lines_do_not_count(self):
        said = word.parse('# from cron\n\n  auto  \n\nreason:  lunch \n', NOW)
        self.assertEqual((said.mood, said.reason), (None, 'lunch'))

    def test_a_duration_by_hand_counts_from_the_moment_of_writing(self):
        self.assertEqual(word.parse('offline\nuntil: 2h\n', NOW).until, NOW + 7200)

    def test_the_same_text_written_again_is_another_word(self):
        ids = {word.parse('offline\n', at).id for at in (NOW, NOW + 1)}
        self.assertEqual(len(ids), 2)

    def test_a_file_written_once_keeps_its_id(self):
        self.assertEqual(word.parse('offline\n', NOW), word.parse('offline\n', NOW))

    def test_what_is_not_understood_is_named(self):
        for text, said in (
            ('', 'empty'),
            ('# nothing\n', 'empty'),
            ('eagre\n', '"eager"'),
            ('eager\nuntill: 18:00\n', 'untill'),
            ('eager\nuntil: soon\n', 'soon'),
        ):
            with self.assertRaises(WordError) as caught:
                word.parse(text, NOW)
            self.assertIn(said, str(caught.exception))

    def test_a_word_ends_at_the_moment_that_it_names(self):
        said = Word(mood=Mood.OFFLINE, until=NOW)
        self.assertTrue(said.holds(NOW - 1))
        self.assertFalse(said.holds(NOW))
        self.assertFalse(NO_WORD.holds(NOW))


class File(SynchronousTestCase):
    def setUp(self):
        self.basedir = new_folder(self)

    def test_no_file_is_no_word(self):
        self.assertEqual(word.load(self.basedir), NO_WORD)

    def test_what_is_saved_is_loaded(self):
        said = Word(mood=Mood.GOING_ON_HOLIDAY, reason='é', draining=True, id='a' * 16)
        word.save(self.basedir, said)
        self.assertEqual(word.load(self.basedir), said)

    def test_what_a_shell_on_windows_writes_is_read(self):
        for data in (b'\xef\xbb\xbfreluctant \r\n', 'reluctant\r\n'.encode('utf-16')):
            word.path(self.basedir).write_bytes(data)
            self.assertEqual(word.load(self.basedir).mood, Mood.RELUCTANT)

    def test_a_damaged_file_is_named_in_the_error(self):
        for data, kind in (
            (b'\xff\xfe\x00', StoreError),
            (b'ea\xffger', StoreError),
            (b'', WordError),
        ):
            word.path(self.basedir).write_bytes(data)
            with self.assertRaises(kind) as caught:
                word.load(self.basedir)
            self.assertIn(str(word.path(self.basedir)), str(caught.exception))

    def test_a_folder_or_a_pipe_in_its_place_is_refused_at_once(self):
        word.path(self.basedir).mkdir()
        self.assertRaises(StoreError, word.load, self.basedir)
        word.path(self.basedir).rmdir()
        os.mkfifo(word.path(self.basedir))
        self.assertRaises(StoreError, word.load, self.basedir)

    def test_a_folder_that_is_gone_is_an_error_of_ours(self):
        self.assertRaises(StoreError, word.save, self.basedir / 'gone', NO_WORD)
