# SPDX-License-Identifier: GPL-2.0-or-later
"""The configs that people copy: master.cfg.example, and the complete ones in the documentation."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

from support.snippets import PAGES
from support.snippets import ROOT
from support.snippets import checkconfig
from support.snippets import complete_configs
from twisted.trial.unittest import SynchronousTestCase

EXAMPLE = ROOT / 'master.cfg.example'
GOOD = 'Config file is good!'


class ConfigCase(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.config = self.folder / 'master.cfg'


class TheExample(ConfigCase):
    def test_passes_checkconfig_where_it_stands(self):
        done = checkconfig(EXAMPLE)
        self.assertEqual((done.returncode, done.stdout.strip(), done.stderr), (0, GOOD, ''))

    def test_passes_checkconfig_in_a_masters_folder(self):
        shutil.copy(EXAMPLE, self.config)
        done = checkconfig(self.config)
        self.assertEqual((done.returncode, done.stdout.strip(), done.stderr), (0, GOOD, ''))

    def test_shows_what_a_config_author_looks_for(self):
        names = {
            node.attr
            for node in ast.walk(ast.parse(EXAMPLE.read_text(encoding='utf-8')))
            if isinstance(node, ast.Attribute)
        }
        wanted = {'BalancerConfigurator', 'Policy', 'Tiers', 'Filter', 'MaxLoad'}
        wanted |= {'WorkerGroupLock', 'BranchLock', 'StepGroup'}
        self.assertEqual(wanted - names, set())

    def test_names_its_workers_as_the_tiers_do(self):
        text = EXAMPLE.read_text(encoding='utf-8')
        self.config.write_text(text.replace("['desk-*']", "['dsk-*']"), encoding='utf-8')
        done = checkconfig(self.config)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Tiers: 'dsk-*' matches no worker", done.stdout + done.stderr)


class ConfigsInTheDocumentation(ConfigCase):
    def test_pass_checkconfig(self):
        checked = []
        for page in PAGES:
            for text in complete_configs(page):
                self.config.write_text(text, encoding='utf-8')
                done = checkconfig(self.config)
                said = f'{page.name}:\n{done.stdout}{done.stderr}'
                self.assertEqual((done.returncode, done.stdout.strip()), (0, GOOD), said)
                checked.append(page.name)
        least = {'config.rst', 'policies.rst', 'step-groups.rst', 'tutorial.rst'}
        self.assertEqual(least - set(checked), set())

    def test_a_mark_without_a_block_is_noticed(self):
        page = self.folder / 'page.rst'
        page.write_text('.. complete-config\n\nText.\n', encoding='utf-8')
        self.assertRaises(ValueError, complete_configs, page)

    def test_every_python_block_of_the_documentation_can_be_parsed(self):
        for page in PAGES:
            for number, text in enumerate(_python_blocks(page)):
                try:
                    ast.parse(text)
                except SyntaxError as e:
                    self.fail(f'{page.name}, Python block {number + 1}: {e}')


def _python_blocks(page):
    block = None
    for line in [*page.read_text(encoding='utf-8').splitlines(), 'end']:
        if line == '.. code-block:: python':
            block = []
        elif block is not None and line and not line.startswith('   '):
            yield '\n'.join(block)
            block = None
        elif block is not None:
            block.append(line[3:])
