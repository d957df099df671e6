# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json

from click.testing import CliRunner
from support.reporters import new_folder
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cli.main import main

STOCK = """\
from buildbot_worker.bot import Worker
s = Worker('localhost', 1, 'w', 'secret', '.', 600)
"""
BAD = '[load]\nbusy = "much"\n\nfre = 1\n'


class Case(SynchronousTestCase):
    def setUp(self):
        self.basedir = new_folder(self)
        (self.basedir / 'buildbot.tac').write_text(STOCK)
        self.path = self.basedir / 'availability.toml'

    def run_check(self, *args):
        result = CliRunner().invoke(main, ['check', str(self.basedir), *args])
        return result.exit_code, result.output

    def json(self):
        code, output = self.run_check('--json')
        return code, json.loads(output)


class Checking(Case):
    def test_every_error_is_a_line_with_its_line_and_the_code_is_one(self):
        self.path.write_text(BAD)
        code, output = self.run_check()
        self.assertEqual(code, 1)
        self.assertEqual(
            output.splitlines(),
            [
                f'{self.path}:2: [load] busy must be a number from 0.01 to 1000, not "much"',
                f'{self.path}:4: [load] fre is no key that is known here; did you mean free?',
            ],
        )

    def test_a_good_file_is_good(self):
        self.path.write_text('[load]\nbusy = 1\n')
        self.assertEqual(self.run_check(), (0, f'{self.path}: good\n'))

    def test_none_is_good_too(self):
        self.assertEqual(self.run_check(), (0, f'{self.path}: there is none, and none is needed\n'))

    def test_programs_get_json(self):
        self.assertEqual(
            self.json(),
            (0, {'file': str(self.path), 'exists': False, 'good': True, 'problems': []}),
        )
        self.path.write_text(BAD)
        code, found = self.json()
        self.assertEqual((code, found['exists'], found['good']), (1, True, False))
        self.assertEqual([problem['line'] for problem in found['problems']], [2, 4])
        self.assertIn('"much"', found['problems'][0]['sentence'])

    def test_nothing_is_changed(self):
        self.path.write_text(BAD)
        before = sorted(self.basedir.iterdir())
        self.run_check()
        self.assertEqual(sorted(self.basedir.iterdir()), before)
        self.assertEqual(self.path.read_text(), BAD)

    def test_a_file_cannot_steer_the_terminal(self):
        self.path.write_text('"a\\u001b[31m" = 1\n')
        code, output = self.run_check()
        self.assertEqual(code, 1)
        self.assertNotIn('\x1b', output)


class Refusing(Case):
    def test_what_cannot_be_read_is_one_sentence(self):
        self.path.mkdir()
        code, output = self.run_check()
        self.assertEqual(code, 2)
        self.assertEqual(output, f'Error: {self.path} is no plain file\n')

    def test_a_folder_that_is_no_workers_is_refused(self):
        (self.basedir / 'buildbot.tac').unlink()
        code, output = self.run_check()
        self.assertEqual(code, 2)
        self.assertIn('has no buildbot.tac', output)
