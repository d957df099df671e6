# SPDX-License-Identifier: GPL-2.0-or-later
"""The page about ``availability.toml`` says what the code does."""

from __future__ import annotations

import re
import textwrap

import attrs
from support.snippets import ROOT
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter import says
from buildbot_balancer.reporter.settings.problem import SettingsError
from buildbot_balancer.reporter.settings.reading import WINDOW
from buildbot_balancer.reporter.settings.reading import read
from buildbot_balancer.reporter.settings.sections import SECTIONS
from buildbot_balancer.reporter.settings.sections import Settings
from buildbot_balancer.reporter.settings.sections import WindowKeys
from buildbot_balancer.reporter.settings.sections import keys

PAGE = ROOT / 'docs' / 'availability-file.rst'


def chapters():
    """The text below each heading that is a section of the file."""
    text = PAGE.read_text(encoding='utf-8').partition('When something is wrong')[0]
    parts = re.split(r'^``\[+(\w+)\]+``\n~+\n', text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def rows(text):
    """(key, default) of a table."""
    return dict(re.findall(r'^``(\w+)`` +(\S.*?)(?:  | [a-z])', text, flags=re.MULTILINE))


def examples():
    for block in re.findall(r'::\n\n((?:   .*\n|\n)+)', PAGE.read_text(encoding='utf-8')):
        text = textwrap.dedent(block)
        if re.search(r'^\[', text, flags=re.MULTILINE):
            yield text


class Page(SynchronousTestCase):
    def test_each_section_has_a_chapter_with_all_of_its_keys_and_no_others(self):
        found = chapters()
        known = {**SECTIONS, WINDOW: WindowKeys}
        self.assertEqual(set(found), set(known))
        for name, section in known.items():
            self.assertEqual(set(rows(found[name])), set(keys(section)), name)
        before = PAGE.read_text(encoding='utf-8').partition('Above the first section:')[2]
        self.assertEqual(set(rows(before.partition('~~~')[0])), set(keys(Settings)))

    def test_each_default_is_the_one_of_the_code(self):
        for name, section in {**SECTIONS, WINDOW: WindowKeys}.items():
            shown = rows(chapters()[name])
            for key, field in keys(section).items():
                if field.default is attrs.NOTHING:
                    self.assertEqual(shown[key], 'needed', (name, key))
                elif isinstance(field.default, Mood):
                    self.assertEqual(shown[key], f'``"{field.default.label}"``', (name, key))
                elif key in {'hold', 'every'}:
                    self.assertEqual((shown[key], field.default), ('``"1m"``', 60.0), (name, key))

    def test_each_source_is_in_the_order_of_authority(self):
        text = PAGE.read_text(encoding='utf-8')
        table = text.partition('The order of authority')[2].partition('``status`` shows')[0]
        found = re.findall(r'^``([a-z-]+)`` ', table, flags=re.MULTILINE)
        self.assertEqual(tuple(found), says.ORDER)

    def test_each_example_can_be_used(self):
        found = list(examples())
        self.assertGreaterEqual(len(found), 2)
        for text in found:
            self.assertNotEqual(read(text), Settings())

    def test_what_check_prints_of_the_example_is_true(self):
        broken = next(examples()).replace('for = "15m"', 'fro = "15m"')
        problems = self.assertRaises(SettingsError, read, broken).problems
        text = PAGE.read_text(encoding='utf-8')
        for problem in problems:
            self.assertIn(f'availability.toml:{problem.line}: {problem.sentence}', text)
