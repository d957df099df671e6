# SPDX-License-Identifier: GPL-2.0-or-later
"""unpause: builds of a builder start again."""

from __future__ import annotations

import click

from buildbot_balancer.cli import cells
from buildbot_balancer.cli import names
from buildbot_balancer.cli.connection import asks_master
from buildbot_balancer.cli.server import Server


@click.command('unpause')
@click.argument('builder')
@asks_master
def command(server: Server, builder: str) -> None:
    """Let builds of BUILDER start again."""
    found = names.builder(server, builder)
    server.control('builders', names.number(found, 'builderid'), 'resume', {})
    click.echo(f'{cells.plain(builder)}: not paused')
