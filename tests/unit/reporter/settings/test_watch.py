# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os

from support.logs import LogLines
from support.reporters import new_folder
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.errors import StoreError
from buildbot_balancer.reporter import files
from buildbot_balancer.reporter.settings import store
from buildbot_balancer.reporter.settings.watch import Watch


class Case(SynchronousTestCase):
    def setUp(self):
        self.basedir = new_folder(self)
        self.path = store.path(self.basedir)
        self.watch = Watch(self.basedir)
        self.lines = LogLines(self)

    def write(self, owner):
        self.path.write_text(f'owner = "{owner}"\n')

    def look_twice(self):
        return [self.watch.look(), self.watch.look()]

    @property
    def owner(self):
        return self.watch.settings.owner


class Changes(Case):
    def test_no_file_asks_for_nothing_and_is_nothing_new(self):
        self.assertEqual(self.look_twice(), [False, False])
        self.assertIsNone(self.owner)

    def test_at_the_first_look_a_file_counts_at_once(self):
        self.write('Ann')
        self.assertEqual(self.look_twice(), [True, False])
        self.assertEqual(self.owner, 'Ann')

    def test_later_it_counts_when_it_is_the_same_at_two_looks(self):
        self.watch.look()
        self.write('Ann')
        self.assertEqual(self.look_twice(), [False, True])
        self.assertEqual(self.owner, 'Ann')
        self.assertEqual(self.look_twice(), [False, False])

    def test_a_file_that_is_just_being_written_is_let_alone(self):
        self.write('Ann')
        self.watch.look()
        self.path.write_text('')  # as an editor or "cp" leaves it for a moment
        self.assertFalse(self.watch.look())
        self.write('Bob')
        self.assertFalse(self.watch.look())
        self.assertEqual(self.owner, 'Ann')
        self.assertTrue(self.watch.look())
        self.assertEqual(self.owner, 'Bob')

    def test_the_same_text_written_again_is_nothing_new(self):
        self.write('Ann')
        self.watch.look()
        self.write('Ann')
        os.utime(self.path, (1e9, 1e9))
        self.assertEqual(self.look_twice(), [False, False])

    def test_a_file_that_is_taken_away_asks_for_nothing_any_more(self):
        self.write('Ann')
        self.watch.look()
        self.path.unlink()
        self.assertEqual(self.look_twice(), [False, True])
        self.assertIsNone(self.owner)
        self.assertEqual(list(self.basedir.iterdir()), [])


class Damage(Case):
    def damage(self):
        for data in (b'owner = 5\n', b'\xff\xfe\x00', b'owner', b'#' * 70_000):
            yield lambda data=data: self.path.write_bytes(data)
        yield self.path.mkdir
        yield lambda: os.mkfifo(self.path)

    def clear(self):
        self.path.rmdir() if self.path.is_dir() else self.path.unlink()

    def test_a_bad_file_never_replaces_a_good_one(self):
        self.write('Ann')
        self.watch.look()
        for damage in self.damage():
            self.clear()
            damage()
            self.assertEqual(self.look_twice(), [False, False])
            self.assertEqual(self.owner, 'Ann')
            self.assertIn('the last good one counts', self.watch.problem)
            self.assertEqual(len(self.watch.problem.splitlines()), 1)
        self.clear()
        self.write('Bob')
        self.look_twice()
        self.assertEqual((self.owner, self.watch.problem), ('Bob', None))

    def test_it_is_one_line_in_the_log_until_it_is_another(self):
        self.watch.look()
        for _ in range(3):
            self.path.write_text('owner = 5\n')
            self.look_twice()
            self.look_twice()
        self.assertEqual(len(self.lines.ours()), 1)
        self.path.write_text('owner = 6\n')
        self.look_twice()
        self.assertEqual(len(self.lines.ours()), 2)

    def test_after_a_restart_the_last_good_one_counts(self):
        self.write('Ann')
        self.watch.look()
        self.path.write_text('owner = 5\n')
        self.watch = Watch(self.basedir)
        self.assertTrue(self.watch.look())
        self.assertEqual(self.owner, 'Ann')
        self.assertIn('the last good one counts', self.watch.problem)

    def test_with_no_good_one_ever_there_are_no_settings(self):
        self.path.write_text('owner = 5\n')
        self.assertTrue(self.watch.look())
        self.assertIsNone(self.watch.settings)
        self.assertIn('nothing starts', self.watch.problem)
        self.path.write_text('')
        self.assertEqual(self.look_twice(), [False, True])
        self.assertIsNotNone(self.watch.settings)

    def test_a_copy_that_is_damaged_too_is_none(self):
        self.path.write_text('owner = 5\n')
        (self.basedir / store.GOOD).write_text('owner = 6\n')
        self.watch.look()
        self.assertIsNone(self.watch.settings)

    def test_a_folder_in_which_nothing_can_be_written_is_one_line_and_the_file_counts(self):
        def refuse(*args, **kwargs):
            raise StoreError('cannot write: No space left on device')

        self.patch(files, 'write', refuse)
        self.write('Ann')
        self.look_twice()
        self.assertEqual(self.owner, 'Ann')
        self.assertEqual(len(self.lines.ours()), 1)
        self.assertIn('No space left on device', self.lines.ours()[0])
        self.path.write_text('owner = 5\n')
        self.look_twice()
        self.assertEqual(self.owner, 'Ann')
