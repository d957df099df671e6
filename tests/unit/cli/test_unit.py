# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import getpass
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import mock

from click.testing import CliRunner
from twisted.trial.unittest import SkipTest
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cli import main as module
from buildbot_balancer.cli import unit
from buildbot_balancer.cli.main import main

TAC = """\
from buildbot_worker.bot import Worker
from twisted.application import service
application = service.Application('buildbot-worker')
s = Worker('localhost', 1, 'w', 'secret', '.', 600)
s.setServiceParent(application)
"""
ATTACHED = TAC + 'from buildbot_balancer.reporter import attach\nattach(s)\n'


class Case(SynchronousTestCase):
    def setUp(self):
        patch = mock.patch.dict(module.COMMANDS, {'unit': ('unit', '')})
        patch.start()
        self.addCleanup(patch.stop)
        self.root = Path(tempfile.mkdtemp()).resolve()
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.basedir = self.worker('w')

    def worker(self, name, tac=ATTACHED):
        basedir = self.root / name
        basedir.mkdir()
        (basedir / 'buildbot.tac').write_text(tac)
        return basedir

    def unit(self, *args, basedir=None):
        result = CliRunner().invoke(main, ['unit', str(basedir or self.basedir), *args])
        self.assertIn(type(result.exception), (type(None), SystemExit), result.output)
        return result.exit_code, result.output

    def keys(self, *args, basedir=None):
        code, text = self.unit(*args, basedir=basedir)
        self.assertEqual(code, 0, text)
        lines = [line for line in text.splitlines() if '=' in line and not line.startswith('#')]
        return dict(line.split('=', 1) for line in lines)


class Unit(Case):
    def test_the_reporter_says_when_it_is_up_and_feeds_the_watchdog(self):
        keys = self.keys()
        self.assertEqual((keys['Type'], keys['NotifyAccess']), ('notify', 'main'))
        self.assertGreater(int(keys['WatchdogSec']), 0)

    def test_the_worker_runs_in_its_folder_as_the_user_whose_folder_it_is(self):
        keys = self.keys()
        self.assertEqual(keys['WorkingDirectory'], str(self.basedir))
        self.assertEqual(keys['User'], getpass.getuser())
        self.assertRegex(
            keys['ExecStart'], rf'^"/.*/buildbot-worker" start --nodaemon "{self.basedir}"$'
        )

    def test_builds_are_polite(self):
        keys = self.keys()
        self.assertEqual((keys['Nice'], keys['IOWeight'], keys['CPUWeight']), ('10', '20', '20'))
        keys = self.keys('--nice', '5', '--weight', '50')
        self.assertEqual((keys['Nice'], keys['IOWeight'], keys['CPUWeight']), ('5', '50', '50'))

    def test_one_for_a_user_names_none_and_waits_for_no_network(self):
        keys = self.keys('--of-user')
        self.assertEqual(keys['WantedBy'], 'default.target')
        self.assertFalse({'User', 'After'} & set(keys))

    def test_a_folder_that_was_named_in_another_way_is_named_in_full(self):
        link = self.root / 'link'
        link.symlink_to(self.basedir)
        self.assertEqual(self.keys(basedir=link)['WorkingDirectory'], str(self.basedir))

    def test_a_path_means_itself(self):
        odd = self.worker('a "b" 50% $HOME \\c')
        keys = self.keys(basedir=odd)
        self.assertEqual(keys['WorkingDirectory'], f'{self.root}/a "b" 50%% $HOME \\c')
        self.assertTrue(
            keys['ExecStart'].endswith(f'"{self.root}/a \\"b\\" 50%% $$HOME \\\\c"'),
            keys['ExecStart'],
        )

    def test_bad_input_is_one_sentence(self):
        for name, tac, said in (
            ('stock', TAC, 'has no reporter'),
            ('new\nline', ATTACHED, 'no unit can name a path'),
            ('space ', ATTACHED, 'no unit can name a path'),
        ):
            code, text = self.unit(basedir=self.worker(name, tac))
            self.assertEqual((code, len(text.splitlines())), (2, 1), text)
            self.assertIn(said, text)
        self.assertEqual(self.unit(basedir=self.root / 'none')[0], 2)

    def test_without_the_worker_program_it_says_so(self):
        with mock.patch.object(unit, 'PROGRAM', 'no-such-program'):
            code, text = self.unit()
        self.assertEqual(code, 2)
        self.assertIn('there is no no-such-program beside', text)


class Systemd(Case):
    def verify(self, *args, basedir=None):
        if shutil.which('systemd-analyze') is None:
            raise SkipTest('there is no systemd here')
        code, text = self.unit(*args, basedir=basedir)
        self.assertEqual(code, 0, text)
        path = self.root / 'a-worker.service'
        path.write_text(text)
        done = subprocess.run(
            ['systemd-analyze', 'verify', '--man=no', str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        ours = [line for line in done.stderr.splitlines() if 'a-worker' in line]
        return done.returncode, ours

    def test_it_takes_the_unit(self):
        self.assertEqual(self.verify(), (0, []))
        self.assertEqual(self.verify('--of-user'), (0, []))

    def test_it_takes_odd_paths(self):
        odd = self.worker('a "b" 50% $HOME \\c')
        self.assertEqual(self.verify(basedir=odd), (0, []))

    def test_it_would_have_noticed(self):
        broken = unit._TEMPLATE.replace('Type=notify', 'Type=notifies')
        with mock.patch.object(unit, '_TEMPLATE', broken):
            self.assertNotEqual(self.verify()[1], [])
