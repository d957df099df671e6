# SPDX-License-Identifier: GPL-2.0-or-later
"""locks: who holds a master's locks, and who waits for them."""

from __future__ import annotations

import click
from rich.text import Text

from buildbot_balancer.cli import cells
from buildbot_balancer.cli import output
from buildbot_balancer.cli import shares
from buildbot_balancer.cli.connection import as_json
from buildbot_balancer.cli.connection import asks_master
from buildbot_balancer.cli.server import Item
from buildbot_balancer.cli.server import Server
from buildbot_balancer.cli.tables import Screen

HEADS = ('lock', 'group', 'held', 'holders', 'waiters')


@click.command('locks')
@asks_master
@as_json
def command(server: Server, as_json: bool) -> None:
    """Show the locks of a master: how much of each is held, by whom, and who waits for it."""
    items = server.many('locks').items
    if as_json:
        output.as_json(items)
        return
    screen = Screen.of()
    if not items:
        screen.say('The master has no locks.')
        return
    screen.table(HEADS, [_row(item) for item in items], prose=2)


def _row(item: Item) -> tuple[Text, ...]:
    return (
        cells.text(item.get('name')),
        cells.text(item.get('group')),
        shares.held(item),
        cells.names(share.get('what') for share in shares.of(item, 'holders')),
        cells.names(share.get('what') for share in shares.of(item, 'waiters')),
    )
