# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os

import attrs
from support.logs import LogLines
from support.reporters import new_folder
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer import __version__
from buildbot_balancer.availability.announcement import Announcement
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.errors import StoreError
from buildbot_balancer.reporter import desk
from buildbot_balancer.reporter import files
from buildbot_balancer.reporter import pulse
from buildbot_balancer.reporter import status
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.desk import STATUS_EVERY
from buildbot_balancer.reporter.desk import Desk
from buildbot_balancer.reporter.status import Status
from buildbot_balancer.reporter.word import NO_WORD
from buildbot_balancer.reporter.word import Word

HOLIDAY = Word(mood=Mood.GOING_ON_HOLIDAY, reason='sea', until=2e9, draining=True, id='a' * 16)
SHOWN = Status(mood='eager', source='default', at=1000.0)


class Case(SynchronousTestCase):
    def setUp(self):
        self.basedir = new_folder(self)
        self.desk = self.open()
        self.lines = LogLines(self)

    def open(self):
        made = Desk(self.basedir)
        self.addCleanup(made.leave)
        return made

    def restart(self):
        self.desk.leave()
        return self.open()

    def write(self, data):
        word.path(self.basedir).write_bytes(data)

    def announced(self):
        return Announcement.from_wire((self.basedir / 'info' / 'balancer').read_text())


class TheWord(Case):
    def test_the_first_look_is_a_new_word_also_without_a_file(self):
        self.assertTrue(self.desk.look())
        self.assertEqual(self.desk.word, NO_WORD)
        self.assertFalse(self.desk.look())

    def test_a_word_is_new_once(self):
        self.desk.look()
        word.save(self.basedir, HOLIDAY)
        self.assertTrue(self.desk.look())
        self.assertEqual(self.desk.word, HOLIDAY)
        self.assertFalse(self.desk.look())

    def test_the_same_word_written_again_is_no_new_one(self):
        word.save(self.basedir, HOLIDAY)
        self.desk.look()
        word.save(self.basedir, HOLIDAY)
        self.assertFalse(self.desk.look())

    def test_the_same_text_by_hand_again_is_a_new_word(self):
        self.write(b'reluctant\n')
        self.desk.look()
        before = self.desk.word
        os.utime(word.path(self.basedir), (1e9, 1e9))
        self.assertTrue(self.desk.look())
        self.assertNotEqual(self.desk.word.id, before.id)

    def test_a_file_that_is_taken_away_is_no_word(self):
        word.save(self.basedir, HOLIDAY)
        self.desk.look()
        word.path(self.basedir).unlink()
        self.assertTrue(self.desk.look())
        self.assertEqual(self.desk.word, NO_WORD)
        self.assertIsNone(self.desk.problem)

    def test_a_look_reads_the_file_only_when_it_was_written(self):
        word.save(self.basedir, HOLIDAY)
        self.desk.look()
        self.patch(word, 'load', lambda basedir: self.fail('it was read'))
        self.assertFalse(self.desk.look())


class Damaged(Case):
    def setUp(self):
        super().setUp()
        word.save(self.basedir, HOLIDAY)
        self.desk.look()

    def test_the_last_good_word_counts_and_the_problem_is_said_once(self):
        self.write(b'eagre\n')
        for _ in range(4):
            self.assertFalse(self.desk.look())
        self.assertEqual(self.desk.word, HOLIDAY)
        self.assertIn('eagre', self.desk.problem)
        self.assertIn('last good word counts', self.desk.problem)
        self.assertEqual(len(self.lines.ours()), 1)

    def test_it_counts_also_across_a_restart(self):
        self.write(b'eagre\n')
        again = self.restart()
        self.assertTrue(again.look())
        self.assertEqual(again.word, HOLIDAY)
        self.assertIn('eagre', again.problem)

    def test_it_counts_across_two_restarts(self):
        self.write(b'\xff\xfe\x00')
        self.restart().look()
        again = self.restart()
        again.look()
        self.assertEqual(again.word, HOLIDAY)

    def test_damaged_from_the_start_without_an_earlier_word_is_no_word(self):
        (self.basedir / 'info' / 'balancer').write_text('{')
        self.write(b'eagre\n')
        again = self.restart()
        self.assertTrue(again.look())
        self.assertEqual(again.word, NO_WORD)
        self.assertIsNotNone(again.problem)

    def test_what_is_mended_counts_and_the_problem_is_gone(self):
        self.write(b'eagre\n')
        self.desk.look()
        self.desk.look()
        self.write(b'offline\n')
        self.assertTrue(self.desk.look())
        self.assertEqual(self.desk.word.mood, Mood.OFFLINE)
        self.assertIsNone(self.desk.problem)

    def test_a_file_that_is_empty_while_a_shell_writes_it_is_no_error(self):
        self.write(b'')
        self.assertFalse(self.desk.look())
        self.assertIsNone(self.desk.problem)
        self.write(b'reluctant\n')
        self.assertTrue(self.desk.look())
        self.assertEqual(self.desk.word.mood, Mood.RELUCTANT)
        self.assertEqual(self.lines.ours(), [])

    def test_a_second_damage_of_another_kind_is_looked_at_twice_too(self):
        self.write(b'')
        self.desk.look()
        self.desk.look()
        self.write(b'eagre\n')
        self.desk.look()
        self.assertIn('empty', self.desk.problem)
        self.desk.look()
        self.assertIn('eagre', self.desk.problem)

    def test_a_file_that_cannot_be_read_is_a_problem_and_no_new_word(self):
        word.path(self.basedir).unlink()
        word.path(self.basedir).mkdir()
        self.desk.look()
        self.assertFalse(self.desk.look())
        self.assertEqual(self.desk.word, HOLIDAY)
        self.assertIn('no plain file', self.desk.problem)


class TheAnnouncement(Case):
    def test_it_says_the_version_and_each_word_at_once(self):
        self.desk.look()
        self.assertEqual(self.announced(), Announcement(version=__version__))
        word.save(self.basedir, HOLIDAY)
        self.desk.look()
        self.assertEqual(
            self.announced(),
            Announcement(
                version=__version__,
                mood=HOLIDAY.mood,
                reason='sea',
                until=2e9,
                word=HOLIDAY.id,
                draining=True,
            ),
        )

    def test_what_another_version_left_is_replaced_at_the_first_look(self):
        word.save(self.basedir, HOLIDAY)
        self.desk.look()
        self.patch(desk, '__version__', '99')
        self.restart().look()
        self.assertEqual((self.announced().version, self.announced().mood), ('99', HOLIDAY.mood))

    def test_a_damaged_word_does_not_change_it(self):
        word.save(self.basedir, HOLIDAY)
        self.desk.look()
        before = self.announced()
        self.write(b'eagre\n')
        self.desk.look()
        self.desk.look()
        self.assertEqual(self.announced(), before)

    def test_where_info_cannot_be_written_the_word_counts_all_the_same(self):
        (self.basedir / 'info').write_text('a file in its place')
        word.save(self.basedir, HOLIDAY)
        self.assertTrue(self.desk.look())
        self.assertEqual(self.desk.word, HOLIDAY)
        self.assertEqual(len(self.lines.ours()), 1)
        self.assertIn('will not know the word', self.lines.ours()[0])


class TheStatus(Case):
    def setUp(self):
        super().setUp()
        self.written = []
        stock = status.save

        def save(basedir, now):
            self.written.append(now.at)
            stock(basedir, now)

        self.patch(status, 'save', save)

    def show(self, at, **changes):
        self.desk.show(attrs.evolve(SHOWN, at=at, **changes))

    def test_it_can_be_read_back(self):
        self.show(1000.0, load=0.5)
        self.assertEqual(status.load(self.basedir), attrs.evolve(SHOWN, load=0.5))

    def test_where_only_the_time_changes_it_is_written_every_few_seconds(self):
        for quarter in range(41):
            self.show(1000 + quarter / 4)
        self.assertEqual(self.written, [1000, 1000 + STATUS_EVERY, 1000 + 2 * STATUS_EVERY])

    def test_a_change_is_written_at_once(self):
        self.show(1000)
        self.show(1000.25, free=True)
        self.show(1000.5)
        self.assertEqual(self.written, [1000, 1000.25, 1000.5])

    def test_a_clock_that_steps_back_does_not_stop_it(self):
        self.show(1000)
        self.show(500)
        self.show(500.25)
        self.assertEqual(self.written, [1000, 500])

    def test_a_new_process_writes_it_at_once(self):
        self.show(1000)
        self.restart().show(attrs.evolve(SHOWN, at=1000.25))
        self.assertEqual(self.written, [1000, 1000.25])


class ReadOnly(Case):
    """A full disk or a folder that may not be written; root may write everywhere."""

    def setUp(self):
        super().setUp()
        word.save(self.basedir, HOLIDAY)

        def refuse(path, *args, **kwargs):
            raise StoreError(f'cannot write {path}: Read-only file system')

        self.patch(files, 'write', refuse)
        self.patch(pulse.Pulse, 'start', lambda one: refuse(one._path))

    def test_the_word_counts_and_each_file_is_one_line(self):
        self.assertTrue(self.desk.look())
        for at in range(1000, 1100, 10):
            self.assertFalse(self.desk.look())
            self.desk.show(attrs.evolve(SHOWN, at=at))
        self.assertEqual(self.desk.word, HOLIDAY)
        self.assertEqual(len(self.lines.ours()), 3)  # info, status, pulse


class ThePulse(Case):
    def test_it_beats_from_the_first_look_until_the_desk_is_left(self):
        self.desk.look()
        self.assertTrue(pulse.beats(self.basedir))
        self.desk.leave()
        self.assertFalse(pulse.beats(self.basedir))

    def test_a_second_reporter_on_the_folder_is_said_once_at_its_second_look(self):
        self.desk.look()
        other = self.open()
        other.look()
        self.assertEqual(self.lines.ours(), [])
        other.look()
        other.look()
        self.assertEqual(len(self.lines.ours()), 1)
        self.assertIn('another process reports', self.lines.ours()[0])

    def test_it_beats_in_the_other_as_soon_as_the_first_has_left(self):
        self.desk.look()
        other = self.open()
        other.look()
        self.desk.leave()
        other.look()
        self.assertTrue(pulse.beats(self.basedir))
