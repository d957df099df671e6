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

# command: its module, and what it is for
COMMANDS = {  # for the owner of a worker's machine, about a folder
    'attach': ('attach', 'Give a worker a reporter.'),
    'check': ('check', 'Show every error in availability.toml.'),
    'detach': ('detach', 'Undo attach.'),
    'drain': ('drain', 'Start nothing new, and wait until the machine is free.'),
    'page': ('page', "Print the address of the owner's page."),
    'idle-helper': ('idle_helper', 'See the input of a desktop for reporters that cannot.'),
    'resume': ('resume', 'End a drain, or whatever else was set.'),
    'set': ('set_mood', 'Say what the machine is willing to do.'),
    'status': ('status', 'Show how willing and how busy a worker is.'),
    'unit': ('unit', 'Print a systemd unit for a worker and its reporter.'),
}
MASTER_COMMANDS = {  # for those who wait, and for admins, about a master
    'why': ('why', 'Say why builds wait, a worker gets nothing, or a lock is taken.'),
    'workers': ('workers', 'Show the workers: mood, load, builds.'),
    'locks': ('locks', 'Show who holds locks, and who waits for them.'),
    'history': ('history', 'Show what was set, drained, held and waited for.'),
    'pause': ('pause', 'Start no build of a builder.'),
    'unpause': ('unpause', 'Let builds of a builder start again.'),
    'worker': ('worker', "Limit a worker's mood, drain it, resume it, as an admin."),
}


class _Fault(click.ClickException):
    exit_code = 2

    @classmethod
    def of(cls, message: str, error: Exception) -> _Fault:
        fault = cls(clean(message, 1000))
        # an instance attribute, which click reads as it does the class's
        vars(fault)['exit_code'] = getattr(error, 'exit_code', cls.exit_code)
        return fault


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *MASTER_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = {**COMMANDS, **MASTER_COMMANDS}.get(cmd_name)
        if found is None:
            return None
        module = importlib.import_module(f'buildbot_balancer.cli.{found[0]}')
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in (
            ("On a worker's machine", COMMANDS),
            ('To a master', MASTER_COMMANDS),
        ):
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in commands.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BalancerError as e:
            raise _Fault.of(str(e), e) from e
        except OSError as e:
            if e.errno == errno.EPIPE:  # nobody reads on; click knows what to do
                raise
            raise _Fault.of(f'{e.strerror or e}: {e.filename or ""}'.rstrip(': '), e) from e


@click.group(cls=_Group, name='buildbot-balancer')
@click.version_option(__version__, prog_name='buildbot-balancer')
def main() -> None:
    """When a machine may run Buildbot's builds, and why builds wait.

    BASEDIR is the worker's folder, the one with its buildbot.tac.
    """
    for stream in (sys.stdout, sys.stderr):
        # a reason in letters that the terminal lacks is shown somehow
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')
