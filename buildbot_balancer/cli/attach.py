# SPDX-License-Identifier: GPL-2.0-or-later
"""attach: gives a worker a reporter."""

from __future__ import annotations

from pathlib import Path

import click

from buildbot_balancer.cli import options
from buildbot_balancer.cli import tacfile
from buildbot_balancer.cli.basedir import check
from buildbot_balancer.cli.basedir import shown
from buildbot_balancer.reporter import tac


@click.command('attach')
@options.basedir
def command(basedir: Path) -> None:
    """Give the worker in BASEDIR a reporter: a few lines at the end of its buildbot.tac.

    The file as it was is kept beside it.
    """
    check(basedir)
    if tacfile.change(basedir, tac.add, keep=True):
        click.echo(f'{shown(basedir)}: attached. Restart the worker: the reporter starts with it.')
    else:
        click.echo(f'{shown(basedir)}: attached already; nothing was changed.')
