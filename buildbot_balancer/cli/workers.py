# SPDX-License-Identifier: GPL-2.0-or-later
"""workers: how willing and how busy a master's workers are."""

from __future__ import annotations

import time

import click
from rich.text import Text

from buildbot_balancer.cli import cells
from buildbot_balancer.cli import output
from buildbot_balancer.cli.connection import as_json
from buildbot_balancer.cli.connection import asks_master
from buildbot_balancer.cli.server import Item
from buildbot_balancer.cli.server import Server
from buildbot_balancer.cli.tables import Screen

HEADS = ('worker', 'mood', 'until', 'load', 'builds', 'reason', 'summary')


@click.command('workers')
@asks_master
@as_json
def command(server: Server, as_json: bool) -> None:
    """Show the workers of a master: mood, load, builds, and what they do."""
    items = server.many('workers').items
    if as_json:
        output.as_json(items)
        return
    now = time.time()
    screen = Screen.of()
    if not items:
        screen.say('The master has no workers.')
        return
    screen.table(HEADS, [_row(item, now) for item in items], prose=2)


def _row(item: Item, now: float) -> tuple[Text, ...]:
    return (
        cells.text(item.get('name')),
        cells.word(item.get('mood')),
        Text(cells.moment(item.get('until'), now)),
        cells.load(item.get('load')),
        cells.text(item.get('running')),
        cells.text(item.get('reason')),
        cells.text(item.get('summary')),
    )
