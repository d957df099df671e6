# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.errors import StoreError
from buildbot_balancer.reporter import files


def new_folder(case):
    path = Path(tempfile.mkdtemp())
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


class Case(SynchronousTestCase):
    def setUp(self):
        self.folder = new_folder(self)
        self.path = self.folder / 'file'

    def names(self):
        return sorted(entry.name for entry in self.folder.iterdir())


class Writing(Case):
    def test_what_is_written_is_read(self):
        files.write(self.path, 'one\r\ntwo\n')
        self.assertEqual(self.path.read_bytes(), b'one\r\ntwo\n')
        self.assertEqual(files.read(self.path), 'one\r\ntwo\n')
        self.assertEqual(self.names(), ['file'])

    def test_the_mode_is_the_one_that_was_asked_for(self):
        for mode in (0o600, 0o644):
            files.write(self.path, 'x', mode)
            self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), mode)

    def test_a_link_stays_one(self):
        target = self.folder / 'target'
        target.write_text('old')
        self.path.symlink_to('target')
        files.write(self.path, 'new')
        self.assertTrue(self.path.is_symlink())
        self.assertEqual(target.read_text(), 'new')

    def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(self):
        self.path.write_text('old')
        for name in ('pathlib.Path.replace', 'os.fsync', 'os.fchmod'):
            full = mock.patch(name, side_effect=OSError(28, 'No space left on device'))
            with full, self.assertRaises(StoreError) as caught:
                files.write(self.path, 'new')
            self.assertIn('No space left', str(caught.exception))
            self.assertEqual(self.path.read_text(), 'old')
            self.assertEqual(self.names(), ['file'])

    def test_a_reader_sees_the_old_text_or_the_new_one(self):
        files.write(self.path, 'old')
        with self.path.open() as reader:
            files.write(self.path, 'new')
            self.assertEqual(reader.read(), 'old')
        self.assertEqual(files.read(self.path), 'new')

    def test_what_root_writes_belongs_to_the_owner_of_the_file_or_folder(self):
        if os.geteuid() != 0:
            self.skipTest('only root can give a file away')
        os.chown(self.folder, 1234, 1235)
        files.write(self.path, 'x')
        self.assertEqual((self.path.stat().st_uid, self.path.stat().st_gid), (1234, 1235))
        os.chown(self.path, 2234, 2235)
        files.write(self.path, 'y')
        self.assertEqual((self.path.stat().st_uid, self.path.stat().st_gid), (2234, 2235))

    def test_root_does_not_write_where_a_link_of_another_user_leads(self):
        if os.geteuid() != 0:
            self.skipTest('only root can give a link away')
        folder = new_folder(self)
        (folder / 'target').write_text('of root')
        for name in ('target', 'not there'):
            target = folder / name
            self.path.symlink_to(target)
            os.chown(self.path, 1234, 1235, follow_symlinks=False)
            with self.assertRaises(StoreError) as caught:
                files.write(self.path, 'x')
            self.assertEqual(
                str(caught.exception),
                f'cannot write {self.path}: it is a link of another user to what is not theirs',
            )
            self.path.unlink()
        self.assertEqual((folder / 'target').read_text(), 'of root')
        self.assertEqual([one.name for one in folder.iterdir()], ['target'])

    def test_root_follows_a_link_to_what_belongs_to_who_laid_it(self):
        if os.geteuid() != 0:
            self.skipTest('only root can give a link away')
        target = self.folder / 'target'
        target.write_text('old')
        self.path.symlink_to(target)
        for place in (self.path, target):
            os.chown(place, 1234, 1235, follow_symlinks=False)
        files.write(self.path, 'new')
        self.assertEqual(target.read_text(), 'new')

    def test_the_mode_goes_to_the_file_that_was_written_and_to_no_other_in_its_place(self):
        secret = self.folder / 'secret'
        secret.touch(0o600)

        def swap(_):
            (temporary,) = self.folder.glob('.file.*')
            temporary.unlink()
            temporary.symlink_to(secret)

        with mock.patch('os.fsync', side_effect=swap), mock.patch.object(files, '_sync_folder'):
            files.write(self.path, 'x', 0o644)
        self.assertEqual(stat.S_IMODE(secret.stat().st_mode), 0o600)

    def test_a_folder_that_is_not_there_is_an_error_of_ours(self):
        with self.assertRaises(StoreError):
            files.write(self.folder / 'gone' / 'file', 'x')


class Reading(Case):
    def test_no_file_is_none(self):
        self.assertIsNone(files.read(self.path))

    def test_a_file_that_is_too_large_is_refused(self):
        self.path.write_bytes(b'x' * files.READ_LIMIT)
        self.assertEqual(len(files.read(self.path)), files.READ_LIMIT)
        self.path.write_bytes(b'x' * (files.READ_LIMIT + 1))
        self.assertRaises(StoreError, files.read, self.path)

    @given(st.binary(max_size=50))
    def test_any_bytes_are_text_or_refused(self, data):
        self.path.write_bytes(data)
        try:
            text = files.read(self.path)
        except StoreError:
            return
        self.assertIsInstance(text, str)

    def test_what_is_no_plain_file_is_refused(self):
        self.assertRaises(StoreError, files.read, self.folder)
        os.mkfifo(self.path)
        self.assertRaises(StoreError, files.read, self.path)
        self.path.unlink()
        self.path.symlink_to('file')
        self.assertRaises(StoreError, files.read, self.path)


class Removing(Case):
    def test_a_file_that_is_not_there_is_fine(self):
        self.path.write_text('x')
        files.remove(self.path)
        files.remove(self.path)
        self.assertEqual(self.names(), [])

    def test_a_folder_is_refused(self):
        self.path.mkdir()
        self.assertRaises(StoreError, files.remove, self.path)


class Signatures(Case):
    def test_each_write_changes_it(self):
        seen = {files.signature(self.path)}
        self.assertEqual(seen, {None})
        for _ in range(3):
            before = files.signature(self.path)
            files.write(self.path, 'same')
            self.assertNotEqual(files.signature(self.path), before)
