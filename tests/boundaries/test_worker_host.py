# SPDX-License-Identifier: GPL-2.0-or-later
"""A worker's host has no ``buildbot``; the pure rooms need not even Twisted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

PACKAGE = Path(__file__).resolve().parents[2] / 'buildbot_balancer'
PROGRAM = """\
import importlib, sys

blocked = set(sys.argv[1].split(','))


class Blocked:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition('.')[0] in blocked:
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)


sys.meta_path.insert(0, Blocked)
for name in sys.argv[2:]:
    importlib.import_module(name)
assert not blocked & {name.partition('.')[0] for name in sys.modules}
print('imported', len(sys.argv) - 2)
"""


def modules_of(*rooms):
    found = []
    for room in rooms:
        for path in sorted((PACKAGE / room).rglob('*.py')):
            parts = [PACKAGE.name, *path.relative_to(PACKAGE).with_suffix('').parts]
            if parts[-1] == '__main__':
                continue
            found.append('.'.join(parts[:-1] if parts[-1] == '__init__' else parts))
    return found


def import_without(blocked, modules):
    environ = {**os.environ, 'PYTHONPATH': str(PACKAGE.parent)}
    return subprocess.run(
        [sys.executable, '-c', PROGRAM, ','.join(blocked), *modules],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


class Blocked(SynchronousTestCase):
    def assert_imports(self, blocked, modules):
        done = import_without(blocked, modules)
        self.assertEqual(done.stdout, f'imported {len(modules)}\n', done.stderr)

    def test_without_buildbot_the_reporter_its_probes_and_every_command_can_be_imported(self):
        modules = modules_of('reporter', 'cli', 'availability', 'policy')
        for name in ('reporter.attach', 'reporter.probes.own', 'cli.main', 'cli.drain'):
            self.assertIn(f'buildbot_balancer.{name}', modules)
        self.assert_imports(['buildbot'], modules)

    def test_without_twisted_and_both_buildbots_the_pure_rooms_can_be_imported(self):
        modules = modules_of('availability', 'policy')
        self.assertIn('buildbot_balancer.availability.standing', modules)
        self.assertIn('buildbot_balancer.policy.policy', modules)
        self.assert_imports(['twisted', 'buildbot', 'buildbot_worker'], modules)

    def test_without_psutil_and_msgpack_the_reporter_can_be_imported(self):
        self.assert_imports(['buildbot', 'psutil', 'msgpack', 'autobahn'], modules_of('reporter'))

    def test_each_module_can_be_imported_first(self):
        for name in ('reporter.hearing', 'reporter.probes.load', 'policy.gate', 'cli.status'):
            self.assert_imports(['buildbot'], [f'buildbot_balancer.{name}'])

    def test_the_block_blocks(self):
        done = import_without(['buildbot'], ['buildbot_balancer.master.balancer'])
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("No module named 'buildbot'", done.stderr)

    def test_an_import_of_the_package_alone_brings_nothing_else(self):
        code = (
            'import sys; before = set(sys.modules); import buildbot_balancer;'
            'print(sorted(set(sys.modules) - before))'
        )
        done = subprocess.run(
            [sys.executable, '-S', '-c', code],
            cwd=PACKAGE.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.stdout, "['buildbot_balancer']\n", done.stderr)
