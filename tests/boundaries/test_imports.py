# SPDX-License-Identifier: GPL-2.0-or-later
"""DESIGN.md, "Rooms": imports point one way. Read from the source, nothing is imported."""

from __future__ import annotations

import ast
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

PACKAGE = 'buildbot_balancer'
ROOT = Path(__file__).resolve().parents[2] / PACKAGE
MASTER_SIDE = {'master', 'locks', 'steps', 'www', 'cluster'}
PURE = {'availability', 'policy', 'explain', 'tables'}
ROOMS = {*PURE, *MASTER_SIDE, 'reporter', 'cli'}
EVERYWHERE = {'errors', 'interfaces', 'log', ''}  # '': the version in __init__

BELOW = {'availability', 'policy', 'explain'}
BESIDE = {'master', 'locks', 'steps', 'cluster', 'tables'}

# room: the other rooms that it may use
MAY_USE = {
    'availability': set(),
    'policy': {'availability'},
    'explain': {'availability', 'policy'},
    'tables': {'availability', 'explain'},
    'reporter': BELOW,
    # reporter: a LocalWorker lives in the master and is given its reporter there
    'master': BELOW | BESIDE | {'reporter'},
    'locks': BELOW | BESIDE,
    'steps': BELOW | BESIDE,
    'cluster': BELOW | BESIDE,
    'www': BELOW | BESIDE | {'reporter'},
    'cli': BELOW | {'reporter'},
}


def room_of(module):
    """'policy' for buildbot_balancer.policy.gate; '' for the package itself."""
    parts = module.split('.')
    return parts[1] if len(parts) > 1 else ''


def is_part_of(module, package):
    """By whole names: buildbot_balancer and buildbot_worker are no part of buildbot."""
    return module == package or module.startswith(f'{package}.')


def imports_of(path, root):
    """(line, module) of each import of a file, those inside functions too."""
    here = [root.name, *path.relative_to(root).with_suffix('').parts]
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ''
            if node.level:
                module = '.'.join([*here[: -node.level], *filter(None, [module])])
            for name in node.names:
                yield node.lineno, f'{module}.{name.name}'


def offences(root=ROOT):
    """A sentence each."""
    for path in sorted(root.rglob('*.py')):
        inside = path.relative_to(root)
        room = inside.parts[0] if len(inside.parts) > 1 else ''
        where = inside.as_posix()
        found = list(imports_of(path, root))
        if where == '__init__.py' and any(module[:10] != '__future__' for _, module in found):
            yield f'{where} imports something'
        for line, module in found:
            if is_part_of(module, 'buildbot') and room not in MASTER_SIDE:
                yield f'{where}:{line}: buildbot is not for {room or "the package"}'
            if is_part_of(module, 'twisted') and room in PURE:
                yield f'{where}:{line}: twisted is not for the pure room {room}'
            if is_part_of(module, PACKAGE) and room in ROOMS:
                other = room_of(module)
                if other in ROOMS - MAY_USE[room] - {room}:
                    yield f'{where}:{line}: {room} must not know {other}'
                if room in PURE and other == 'log':
                    yield f'{where}:{line}: log is Twisted, which is not for {room}'


class TheTree(SynchronousTestCase):
    def test_it_keeps_the_rules(self):
        self.assertEqual(list(offences()), [])

    def test_every_folder_is_a_room_of_the_design(self):
        folders = {path.parent.name for path in ROOT.glob('*/*.py')}
        self.assertEqual(folders - ROOMS, set())
        self.assertLessEqual({'availability', 'policy', 'reporter', 'master', 'cli'}, folders)

    def test_every_module_outside_the_rooms_is_for_all_or_starts_the_command_line(self):
        modules = {path.stem for path in ROOT.glob('*.py')}
        self.assertEqual(modules - EVERYWHERE, {'__init__', '__main__'})

    def test_the_package_itself_imports_nothing(self):
        tree = ast.parse((ROOT / '__init__.py').read_text(encoding='utf-8'))
        found = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
        self.assertEqual(found, [])

    def test_what_is_for_all_rooms_imports_no_room_but_the_pure_ones(self):
        for name in EVERYWHERE - {''}:
            for _, module in imports_of(ROOT / f'{name}.py', ROOT):
                if is_part_of(module, PACKAGE):
                    self.assertIn(room_of(module), EVERYWHERE | {'availability', 'policy'}, name)

    def test_only_compat_asks_which_buildbot_this_is(self):
        for path in ROOT.rglob('*.py'):
            text = path.read_text(encoding='utf-8')
            if path.name != 'compat.py':
                self.assertNotIn('buildbot.version', text, path)


class TheRules(SynchronousTestCase):
    """That each of them can be broken."""

    def offences_of(self, where, code):
        root = Path(self.mktemp()) / PACKAGE
        path = root / where
        path.parent.mkdir(parents=True)
        path.write_text(code)
        return list(offences(root))

    def test_what_breaks_a_rule_is_found(self):
        for where, code in (
            ('reporter/x.py', 'import buildbot'),
            ('reporter/x.py', 'from buildbot.util import service'),
            ('cli/x.py', 'def f():\n    from buildbot import util'),
            ('policy/x.py', 'from twisted.internet import defer'),
            ('policy/x.py', 'if TYPE_CHECKING:\n    import twisted'),
            ('policy/x.py', 'from buildbot_balancer.log import say'),
            ('availability/x.py', 'from buildbot_balancer.policy import gate'),
            ('availability/x.py', 'from buildbot_balancer import policy'),
            ('availability/x.py', 'from ..policy import gate'),
            ('availability/x.py', 'from .. import policy'),
            ('policy/x.py', 'import buildbot_balancer.master.workers.link'),
            ('reporter/x.py', 'from buildbot_balancer.master.workers import link'),
            ('reporter/x.py', 'from buildbot_balancer.cli import main'),
            ('cli/x.py', 'from buildbot_balancer.master.workers import link'),
            ('reporter/probes/x.py', 'from buildbot_balancer.master.workers import link'),
            ('__init__.py', 'import os'),
            ('log.py', 'import buildbot'),
        ):
            self.assertEqual(len(self.offences_of(where, code)), 1, (where, code))

    def test_what_breaks_none_is_not(self):
        for where, code in (
            ('reporter/x.py', 'import buildbot_worker.base'),
            ('reporter/x.py', 'import buildbot_balancer.availability'),
            ('reporter/probes/x.py', 'from buildbot_balancer.reporter import files'),
            ('master/x.py', 'import buildbot\nfrom twisted.internet import defer'),
            ('policy/x.py', 'from buildbot_balancer.availability import mood\nimport math'),
            ('availability/x.py', 'from . import mood\nfrom .mood import Mood'),
            ('cli/x.py', 'from buildbot_balancer import __version__\nimport twisted'),
            ('__init__.py', "__version__ = '1'"),
        ):
            self.assertEqual(self.offences_of(where, code), [], (where, code))
