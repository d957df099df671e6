# SPDX-License-Identifier: GPL-2.0-or-later
"""What the commands to a master have, docs/command-line.rst mentions."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import click
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cli.connection import PREFIX
from buildbot_balancer.cli.faults import NotAllowedError
from buildbot_balancer.cli.faults import ServerError
from buildbot_balancer.cli.faults import UnknownNameError
from buildbot_balancer.cli.main import COMMANDS
from buildbot_balancer.cli.main import MASTER_COMMANDS
from buildbot_balancer.cli.main import main
from buildbot_balancer.cli.pending import Outcome
from buildbot_balancer.explain import event
from buildbot_balancer.explain import sights

PAGE = Path(__file__).parents[3] / 'docs' / 'command-line.rst'
ROWS = (sights.WorkerSight, sights.RequestSight, sights.LockSight, event.Event)
PARTS = (sights.Count, sights.ShareSight)
STATES = ('QUEUED', 'WAITING', 'PAUSED', 'STUCK', 'RUNNING', 'COMPLETE')


def commands():
    """By how they are called."""
    context = click.Context(main)
    for name in MASTER_COMMANDS:
        command = main.get_command(context, name)
        if isinstance(command, click.Group):
            yield from ((f'{name} {sub}', one) for sub, one in command.commands.items())
        else:
            yield name, command


class Docs(SynchronousTestCase):
    def setUp(self):
        self.text = PAGE.read_text(encoding='utf-8')
        self.literals = set(re.findall(r'``([^`]+)``', self.text))

    def test_every_command_is_mentioned(self):
        for name, _ in commands():
            self.assertIn(f'``buildbot-balancer {name}', self.text)

    def test_every_option_and_its_environment_is_mentioned(self):
        options = [
            parameter
            for _, command in commands()
            for parameter in command.params
            if isinstance(parameter, click.Option)
        ]
        names = {name for option in options for name in option.opts}
        self.assertLessEqual({'--url', '--exit-code', '--lock'}, names)
        self.assertEqual({n for n in names if not re.search(rf'{n}(?![\w-])', self.text)}, set())
        self.assertEqual({o.envvar for o in options if o.envvar} - self.literals, set())
        self.assertIn(f'{PREFIX}_PASSWORD', self.literals)

    def test_every_secret_can_be_given_in_the_environment(self):
        for _, command in commands():
            for parameter in command.params:
                if {'--token', '--cookie', '--user'} & {*parameter.opts}:
                    self.assertTrue(parameter.envvar)
                self.assertNotIn('--password', parameter.opts)

    def test_every_field_is_mentioned(self):
        fields = {field.name for cls in (*ROWS, *PARTS) for field in attrs.fields(cls)}
        self.assertEqual(fields - self.literals, set())

    def test_every_state_is_explained(self):
        for name in STATES:
            self.assertRegex(self.text, rf'(?m)^``{getattr(sights, name)}`` +\S')

    def test_every_exit_code_is_explained(self):
        faults = (ServerError, UnknownNameError, NotAllowedError)
        for code in {*Outcome, *(fault.exit_code for fault in faults)}:
            self.assertRegex(self.text, rf'(?m)^{int(code)} +\S')


class Help(SynchronousTestCase):
    def test_no_name_is_of_two_commands(self):
        self.assertEqual(set(COMMANDS) & set(MASTER_COMMANDS), set())

    def test_each_command_says_where_the_address_comes_from(self):
        for name, command in commands():
            said = command.get_help(click.Context(command, info_name=name))
            self.assertIn('--url', said)
            self.assertIn('BUILDBOT_BALANCER_URL', said)
