# SPDX-License-Identifier: GPL-2.0-or-later
"""Main: the group of commands. A command's module is imported when it is called."""

from __future__ import annotations

import errno
import importlib
import sys
from typing import Any

import click

from buildbot_balancer import __version__
from buildbot_balancer.availability.text import clean
from buildbot_balancer.errors import BalancerError

COMMANDS = {
    'attach': ('attach', 'Give a worker a reporter.'),
    'detach': ('detach', 'Undo attach.'),
    'drain': ('drain', 'Start nothing new, and wait until the machine is free.'),
    'resume': ('resume', 'End a drain, or whatever else was set.'),
    'set': ('set_mood', 'Say what the machine is willing to do.'),
    'status': ('status', 'Show how willing and how busy a worker is.'),
}


class _Fault(click.ClickException):
    exit_code = 2


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f'buildbot_balancer.cli.{COMMANDS[cmd_name][0]}')
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section('Commands'):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BalancerError as e:
            raise _Fault(clean(str(e), 1000)) from e
        except OSError as e:
            if e.errno == errno.EPIPE:  # nobody reads on; click knows what to do
                raise
            raise _Fault(clean(f'{e.strerror or e}: {e.filename or ""}', 1000)) from e


@click.group(cls=_Group, name='buildbot-balancer')
@click.version_option(__version__, prog_name='buildbot-balancer')
def main() -> None:
    """What the owner of a Buildbot worker's machine has to say about builds on it.

    BASEDIR is the worker's folder, the one with its buildbot.tac.
    """
    for stream in (sys.stdout, sys.stderr):
        # a reason in letters that the terminal lacks is shown somehow
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')
