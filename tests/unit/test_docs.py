# SPDX-License-Identifier: GPL-2.0-or-later
"""What the code has, the documentation mentions."""

from __future__ import annotations

import ast
import re

import attrs
import click
from support.snippets import PAGES
from support.snippets import ROOT
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.announcement import Announcement
from buildbot_balancer.availability.answer import Answer
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import Report
from buildbot_balancer.cli import picture
from buildbot_balancer.cli.main import main
from buildbot_balancer.cli.waiting import Outcome
from buildbot_balancer.master.arguments import Arguments
from buildbot_balancer.policy import policy
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import SourceView
from buildbot_balancer.policy.views import WorkerView
from buildbot_balancer.reporter import word

PACKAGE = ROOT / 'buildbot_balancer'
DOCS = ROOT / 'docs'
COMMAND_PAGES = ('owners', 'command-line', 'availability-file', 'owners-ways', 'owners-page')


def page(name):
    return (DOCS / name).read_text(encoding='utf-8')


def fields(cls):
    return {field.name for field in attrs.fields(cls)}


def literals(text):
    """What stands between double backquotes."""
    return set(re.findall(r'``([^`]+)``', text))


def string_arguments(method_names, position, keyword):
    """Of all calls of a method with one of these names in the package."""
    for path in PACKAGE.rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if not isinstance(node, ast.Call) or getattr(node.func, 'attr', '') not in method_names:
                continue
            given = [k.value for k in node.keywords if k.arg == keyword]
            if position is not None:
                given += node.args[position : position + 1]
            yield from (g.value for g in given if isinstance(g, ast.Constant))


class Policies(SynchronousTestCase):
    def setUp(self):
        self.text = page('policies.rst')
        self.literals = literals(self.text)

    def test_every_verdict_code_is_mentioned(self):
        codes = set(string_arguments({'not_now', 'never', 'unknown'}, 0, 'code'))
        codes |= {mood.label for mood in Mood if not mood.starts_builds}
        self.assertGreater(len(codes), 15)
        self.assertEqual(codes - self.literals, set())

    def test_every_fact_is_mentioned(self):
        facts = set(string_arguments({'not_now', 'unknown'}, None, 'fact')) - {''}
        self.assertGreater(len(facts), 3)
        self.assertEqual(facts - self.literals, set())

    def test_every_view_field_is_mentioned(self):
        known = fields(RequestView) | fields(WorkerView) | fields(SourceView) | {'branch'}
        self.assertEqual(known - self.literals, set())

    def test_the_default_policy_is_as_it_says(self):
        filters = ', '.join(f'{type(one).__name__}()' for one in policy.default_filters())
        self.assertIn(f'filters=[{filters}]', self.text)
        for scorer, weight in policy.default_scorers():
            self.assertIn(f'(util.{type(scorer).__name__}(), {weight:g})', self.text)


class Wire(SynchronousTestCase):
    def test_every_field_of_every_message_is_mentioned(self):
        known = fields(Report) | fields(Answer) | fields(Announcement)
        self.assertEqual(known - literals(page('wire.rst')), set())

    def test_its_real_messages_can_be_read(self):
        lines = [line.strip() for line in page('wire.rst').splitlines()]
        answers = [line for line in lines if line.startswith('buildbot-balancer: {')]
        objects = [line for line in lines if line.startswith('{"v"')]
        self.assertEqual([Answer.from_wire(line).seq for line in answers], [-1, 2])
        self.assertEqual(len(objects), 2)
        self.assertEqual(Announcement.from_wire(objects[0]).mood, Mood.OFFLINE)
        self.assertEqual(Report.from_wire(objects[1]).mood, Mood.RELUCTANT)


class Owners(SynchronousTestCase):
    def setUp(self):
        self.text = page('owners.rst')
        self.all = ''.join(page(f'{name}.rst') for name in COMMAND_PAGES)

    def test_every_command_is_mentioned(self):
        for name in main.list_commands(click.Context(main)):
            self.assertIn(f'buildbot-balancer {name}', self.all)

    def test_every_option_is_mentioned(self):
        context = click.Context(main)
        commands = [
            main,
            *(main.get_command(context, name) for name in main.list_commands(context)),
        ]
        options = {
            option
            for command in commands
            for parameter in command.get_params(click.Context(command))
            if isinstance(parameter, click.Option)
            for option in parameter.opts
        }
        self.assertIn('--wait', options)
        missing = {o for o in options if not re.search(rf'{o}(?![\w-])', self.all)}
        self.assertEqual(missing, set())

    def test_every_key_of_the_status_is_mentioned(self):
        self.assertEqual(fields(picture.Picture) - literals(self.text), set())

    def test_every_key_of_the_file_is_mentioned(self):
        self.assertEqual(set(word._KEYS) - literals(self.text), set())

    def test_every_mood_is_explained(self):
        for mood in Mood:
            self.assertRegex(self.text, rf'(?m)^{mood.label} +\S')

    def test_every_exit_code_is_explained(self):
        for outcome in Outcome:
            self.assertRegex(self.text, rf'(?m)^{outcome.value:d} +\S')


class Config(SynchronousTestCase):
    def test_every_argument_of_the_balancer_is_mentioned(self):
        self.assertEqual(fields(Arguments) - literals(page('config.rst')), set())


class Style(SynchronousTestCase):
    def test_one_sentence_a_line(self):
        for path in PAGES:
            for line in prose(path):
                ends = re.findall(r'(?<!e\.g)[a-z`)][.!?] (?=[A-Z])', line)
                self.assertEqual(ends, [], f'{path.name}: {line}')

    def test_plain_characters(self):
        for path in PAGES:
            strange = re.findall(r'[^\x00-\x7f]', path.read_text(encoding='utf-8'))
            self.assertEqual(strange, [], path.name)


def prose(path):
    """The lines that are neither code nor a table's."""
    in_block = False
    for line in path.read_text(encoding='utf-8').splitlines():
        stripped = line.strip()
        if in_block and stripped and not line.startswith('   '):
            in_block = False
        if not in_block and stripped and '  ' not in stripped:
            yield stripped
        if stripped.endswith('::') or stripped.startswith('.. code-block'):
            in_block = True
