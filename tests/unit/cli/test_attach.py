# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from unittest import mock

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cli.main import main
from buildbot_balancer.reporter import tac
from buildbot_balancer.reporter.pulse import Pulse

STOCK = """\
from buildbot_worker.bot import Worker
from twisted.application import service
application = service.Application('buildbot-worker')
s = Worker('localhost', 1, 'w', 'secret', '.', 600)
s.setServiceParent(application)
"""
BY_HAND = STOCK + 'from buildbot_balancer.reporter import attach\nattach(s)\n'


def new_folder(case):
    path = Path(tempfile.mkdtemp())
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


class Case(SynchronousTestCase):
    def setUp(self):
        self.basedir = new_folder(self)
        (self.basedir / 'info').mkdir(parents=True)
        self.tac = self.basedir / 'buildbot.tac'
        self.tac.write_text(STOCK)
        self.tac.chmod(0o600)
        self.backup = self.basedir / 'buildbot.tac.before-balancer'

    def run_ok(self, command):
        result = CliRunner().invoke(main, [command, str(self.basedir)])
        self.assertEqual(result.exit_code, 0, result.output)
        return result.output

    def refused(self, command):
        result = CliRunner().invoke(main, [command, str(self.basedir)])
        self.assertEqual(result.exit_code, 2, result.output)
        self.assertTrue(result.output.startswith('Error: '), result.output)
        self.assertEqual(result.output.count('\n'), 1)
        return result.output

    def mode(self, path):
        return stat.S_IMODE(path.stat().st_mode)


class Attach(Case):
    def test_it_writes_our_lines_and_says_that_the_worker_must_be_restarted(self):
        self.assertIn('Restart the worker', self.run_ok('attach'))
        self.assertEqual(self.tac.read_text(), tac.add(STOCK))

    def test_the_old_file_is_kept_and_both_keep_the_mode(self):
        for mode in (0o600, 0o640):
            self.tac.write_text(STOCK)
            self.tac.chmod(mode)
            self.run_ok('attach')
            self.assertEqual(self.backup.read_text(), STOCK)
            self.assertEqual((self.mode(self.tac), self.mode(self.backup)), (mode, mode))

    def test_to_attach_twice_is_to_attach_once(self):
        self.run_ok('attach')
        before = self.tac.stat().st_ino
        self.assertIn('already', self.run_ok('attach'))
        self.assertEqual(self.tac.stat().st_ino, before)
        self.assertEqual(self.backup.read_text(), STOCK)

    def test_a_call_by_hand_counts(self):
        self.tac.write_text(BY_HAND)
        self.assertIn('already', self.run_ok('attach'))
        self.assertEqual(self.tac.read_text(), BY_HAND)
        self.assertFalse(self.backup.exists())

    def test_a_link_is_followed_and_stays_one(self):
        target = self.basedir / 'elsewhere.tac'
        self.tac.rename(target)
        self.tac.symlink_to(target)
        self.run_ok('attach')
        self.assertTrue(self.tac.is_symlink())
        self.assertEqual(target.read_text(), tac.add(STOCK))
        self.assertEqual(self.mode(target), 0o600)

    def test_the_password_does_not_follow_a_link_in_place_of_the_backup(self):
        other = self.basedir / 'other'
        other.write_text('other')
        self.backup.symlink_to(other)
        self.run_ok('attach')
        self.assertEqual(other.read_text(), 'other')
        self.assertEqual(self.backup.read_text(), STOCK)

    def test_what_is_not_understood_is_left_alone(self):
        for text in (STOCK + 'if', STOCK + STOCK, STOCK.replace('s = ', '')):
            self.tac.write_text(text)
            self.assertIn('was left alone', self.refused('attach'))
            self.assertEqual(self.tac.read_text(), text)
            self.assertFalse(self.backup.exists())

    def test_the_owner_of_the_file_stays(self):
        if os.geteuid() != 0:
            self.skipTest('only root can give a file away')
        os.chown(self.tac, 1234, 1235)
        self.run_ok('attach')
        for path in (self.tac, self.basedir):
            self.assertEqual(self.tac.stat().st_uid, 1234, path)

    def test_a_file_of_another_user_is_left_alone(self):
        with mock.patch('os.geteuid', return_value=os.getuid() + 1):
            self.assertIn('another user', self.refused('attach'))
        self.assertEqual(self.tac.read_text(), STOCK)


class Detach(Case):
    def test_the_file_is_as_it_was(self):
        self.run_ok('attach')
        self.assertIn('detached', self.run_ok('detach'))
        self.assertEqual(self.tac.read_text(), STOCK)
        self.assertEqual(self.mode(self.tac), 0o600)

    def test_our_files_go_and_the_owners_stays(self):
        self.run_ok('attach')
        for name in ('info/balancer', 'availability.status', 'availability.lock', 'availability'):
            (self.basedir / name).write_text('eager\n')
        self.assertIn('no longer counts', self.run_ok('detach'))
        self.assertEqual(
            sorted(path.name for path in self.basedir.iterdir()),
            ['availability', 'buildbot.tac', 'buildbot.tac.before-balancer', 'info'],
        )
        self.assertEqual(list((self.basedir / 'info').iterdir()), [])

    def test_a_worker_that_was_not_attached_is_fine(self):
        for _ in range(2):
            self.assertIn('was not attached', self.run_ok('detach'))
        self.assertEqual(self.tac.read_text(), STOCK)

    def test_a_call_by_hand_is_left_to_the_hand(self):
        self.tac.write_text(BY_HAND)
        self.assertIn('by hand', self.refused('detach'))
        self.assertEqual(self.tac.read_text(), BY_HAND)

    def test_the_lock_of_a_reporter_that_runs_stays(self):
        self.run_ok('attach')
        heart = Pulse(self.basedir)
        heart.start()
        self.assertIn('still runs', self.run_ok('detach'))
        self.assertEqual(self.tac.read_text(), STOCK)
        self.assertTrue((self.basedir / 'availability.lock').exists())
        heart.stop()
        self.run_ok('detach')
        self.assertFalse((self.basedir / 'availability.lock').exists())

    def test_what_the_owner_broke_outside_of_our_lines_is_no_reason_to_keep_them(self):
        self.run_ok('attach')
        self.tac.write_text(self.tac.read_text() + 'if\n')
        self.run_ok('detach')
        self.assertEqual(self.tac.read_text(), STOCK + 'if\n')
