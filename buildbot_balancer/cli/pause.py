# SPDX-License-Identifier: GPL-2.0-or-later
"""pause: no build of a builder starts, until it is unpaused or the time is over."""

from __future__ import annotations

import time

import click

from buildbot_balancer.cli import cells
from buildbot_balancer.cli import names
from buildbot_balancer.cli import options
from buildbot_balancer.cli.connection import asks_master
from buildbot_balancer.cli.server import Server
from buildbot_balancer.cli.wish import Wish


@click.command('pause')
@click.argument('builder')
@options.reason
@options.until
@asks_master
def command(server: Server, builder: str, reason: str | None, until: str | None) -> None:
    """Start no build of BUILDER; what runs goes on, and requests wait and say why."""
    now = time.time()
    wish = Wish.of(reason, until, now)
    found = names.builder(server, builder)
    server.control('builders', names.number(found, 'builderid'), 'pause', wish.params())
    click.echo(f'{cells.plain(builder)}: paused{wish.described(now)}')
