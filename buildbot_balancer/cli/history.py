# SPDX-License-Identifier: GPL-2.0-or-later
"""history: what was set, drained, held and waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import click
from rich.text import Text

from buildbot_balancer.cli import cells
from buildbot_balancer.cli import names
from buildbot_balancer.cli import output
from buildbot_balancer.cli.connection import as_json
from buildbot_balancer.cli.connection import asks_master
from buildbot_balancer.cli.server import Found
from buildbot_balancer.cli.server import Item
from buildbot_balancer.cli.server import Server
from buildbot_balancer.cli.tables import Screen

HEADS = ('when', 'event', 'of', 'by', 'details')


@click.command('history')
@click.option('--worker', metavar='NAME', help='What became of this worker.')
@click.option('--request', type=int, metavar='NUMBER', help='What became of this build request.')
@click.option('--lock', metavar='NAME', help='What became of this lock.')
@click.option(
    '--limit',
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help='At most so many events.',
)
@asks_master
@as_json
def command(
    server: Server,
    worker: str | None,
    request: int | None,
    lock: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show what has happened, the newest first: moods, drains, pauses, locks held long."""
    given = {'worker': worker, 'request': request, 'lock': lock}
    query = {key: value for key, value in given.items() if value is not None}
    if len(query) > 1:
        raise click.UsageError('give one of --worker, --request and --lock')
    found = _found(server, query, limit)
    if as_json:
        output.as_json(found.items)
        return
    screen = Screen.of()
    if not found.items:
        screen.say('Nothing is known.')
        return
    now = time.time()
    screen.table(HEADS, [_row(item, now) for item in found.items])
    if found.total > len(found.items):
        screen.say(f'{found.total - len(found.items)} older ones are not shown (--limit).')


def _found(server: Server, query: dict[str, Any], limit: int) -> Found:
    """Raises UnknownNameError for a name that neither the master nor its history has."""
    # by name, and not by id: a worker that has left the config is still in the history
    found = server.many('history', limit=limit, **query)
    if found.items:
        return found
    if 'worker' in query:
        names.worker(server, query['worker'])
    if 'request' in query:
        names.request(server, query['request'])
    if 'lock' in query:
        lock = names.locks(server, query['lock'])[0]
        if lock.get('name') != query['lock']:  # it was called as sentences do, host[esx1]
            asked = {'lock': lock.get('name'), 'group': lock.get('group')}
            return server.many('history', limit=limit, **asked)
    return found


def _row(item: Item, now: float) -> tuple[Text, ...]:
    return (
        Text(cells.moment(item.get('at'), now)),
        cells.text(item.get('kind')),
        cells.text(_subject(item)),
        cells.text(item.get('actor') or item.get('source')),
        _details(item, now),
    )


def _subject(item: Item) -> str:
    if item.get('lock'):
        group = item.get('group')
        return f'{item["lock"]}[{group}]' if group else str(item['lock'])
    return str(item.get('worker') or item.get('builder') or '')


def _details(item: Item, now: float) -> Text:
    said = Text(', ').join(_facts(item, now))
    if item.get('reason'):
        said.append(f' ({cells.plain(item["reason"])})')
    return said


def _facts(item: Item, now: float) -> Iterator[Text]:
    if item.get('mood'):
        yield cells.word(item['mood'])
    if item.get('duration') is not None:
        yield Text(f'for {cells.span(item["duration"])}')
    if item.get('request') is not None:
        yield cells.text(f'request {item["request"]}')
    if item.get('lock') and item.get('builder'):
        yield cells.text(f'builder {item["builder"]}')
    if item.get('until') is not None:
        yield Text(f'until {cells.moment(item["until"], now)}')
