# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer import __version__
from buildbot_balancer.cli.main import COMMANDS
from buildbot_balancer.cli.main import main

STOCK = """\
from buildbot_worker.bot import Worker
from twisted.application import service
application = service.Application('buildbot-worker')
s = Worker('localhost', 1, 'w', 'secret', '.', 600)
s.setServiceParent(application)
"""


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def new_folder(case):
    path = Path(tempfile.mkdtemp())
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


class Group(SynchronousTestCase):
    def test_it_says_its_version(self):
        result = run('--version')
        self.assertEqual(result.exit_code, 0)
        self.assertIn(__version__, result.output)

    def test_the_help_names_each_command(self):
        result = run('--help')
        for name in COMMANDS:
            self.assertIn(f'  {name} ', result.output)

    def test_each_command_has_help_of_its_own(self):
        for name in COMMANDS:
            result = run(name, '--help')
            self.assertEqual(result.exit_code, 0, name)
            self.assertIn('BASEDIR', result.output)

    def test_the_help_loads_no_command(self):
        code = (
            'import sys\n'
            'from buildbot_balancer.cli.main import main\n'
            'main(["--help"], standalone_mode=False)\n'
            'assert not [m for m in ("twisted", "psutil", "rich") if m in sys.modules]\n'
        )
        environ = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
        subprocess.run(
            [sys.executable, '-c', code], check=True, env=environ, stdout=subprocess.DEVNULL
        )

    def test_it_runs_as_a_module(self):
        environ = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
        done = subprocess.run(
            [sys.executable, '-m', 'buildbot_balancer', 'status', '/nonexistent'],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stdout, '')
        self.assertEqual(done.stderr, 'Error: /nonexistent: there is no such folder\n')

    def test_an_unknown_command_is_bad_usage(self):
        self.assertEqual(run('drian', '.').exit_code, 2)


class Folders(SynchronousTestCase):
    def setUp(self):
        self.basedir = new_folder(self)

    def each(self):
        yield 'status', self.basedir
        yield 'attach', self.basedir
        yield 'detach', self.basedir
        yield 'set', self.basedir, 'eager'
        yield 'drain', self.basedir
        yield 'drain', '--wait', self.basedir
        yield 'resume', self.basedir

    def all_refuse(self, said):
        for args in self.each():
            result = run(*args)
            self.assertEqual(result.exit_code, 2, args)
            self.assertTrue(result.output.startswith('Error: '), result.output)
            self.assertEqual(result.output.count('\n'), 1, result.output)
            self.assertIn(said, result.output)

    def test_a_folder_with_no_tac_is_no_workers(self):
        self.all_refuse('has no buildbot.tac')

    def test_a_folder_that_is_not_there_is_no_workers(self):
        self.basedir /= 'gone'
        self.all_refuse('no such folder')

    def test_a_masters_folder_is_no_workers(self):
        tac = STOCK.replace('buildbot_worker.bot', 'buildbot.master')
        (self.basedir / 'buildbot.tac').write_text(tac.replace('buildbot-worker', 'buildmaster'))
        self.all_refuse("is a master's")

    def test_a_tac_of_something_else_is_no_workers(self):
        (self.basedir / 'buildbot.tac').write_text('x = 1\n')
        self.all_refuse("is no worker's")

    def test_a_tac_that_cannot_be_read_is_said(self):
        (self.basedir / 'buildbot.tac').mkdir()
        self.all_refuse('no plain file')

    def test_a_local_worker_has_a_lock_and_no_tac(self):
        (self.basedir / 'availability.lock').touch()
        self.assertEqual(run('status', self.basedir).exit_code, 0)
        self.assertEqual(run('set', self.basedir, 'eager').exit_code, 0)
        result = run('attach', self.basedir)
        self.assertEqual(result.exit_code, 2)
        self.assertIn('LocalWorker', result.output)
        self.assertEqual(run('detach', self.basedir).exit_code, 0)

    def test_an_error_of_the_system_is_one_line_too(self):
        full = OSError(5, 'Input/output error', str(self.basedir))
        with mock.patch('pathlib.Path.is_dir', side_effect=full):
            self.all_refuse('Input/output error')
