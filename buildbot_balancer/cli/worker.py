# SPDX-License-Identifier: GPL-2.0-or-later
"""worker: what an admin has to say about a master's worker, from the master's side."""

from __future__ import annotations

import time

import click

from buildbot_balancer.availability.mood import AUTO
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.cli import cells
from buildbot_balancer.cli import names
from buildbot_balancer.cli import options
from buildbot_balancer.cli.connection import asks_master
from buildbot_balancer.cli.server import Item
from buildbot_balancer.cli.server import Server
from buildbot_balancer.cli.wish import Wish
from buildbot_balancer.errors import WordError


@click.group('worker')
def command() -> None:
    """Say something about a worker of a master, as its admin.

    An owner's "no" stands: an admin can make a worker less willing, not more.
    """


@command.command('set')
@click.argument('worker')
@click.argument('mood')
@options.reason
@options.until
@asks_master
def set_(server: Server, worker: str, mood: str, reason: str | None, until: str | None) -> None:
    """Limit the mood of WORKER to MOOD: offline, going-on-holiday, reluctant, eager, or auto.

    auto is the same as: worker resume WORKER.
    """
    now = time.time()
    wish = Wish.of(reason, until, now)
    if mood.strip().lower() == AUTO:
        if reason is not None or until is not None:
            raise WordError('"auto" takes neither --reason nor --until: it ends what was said')
        _control(server, worker, 'resume', {})
        click.echo(f'{cells.plain(worker)}: auto')
        return
    label = Mood.parse(mood).label
    _control(server, worker, 'set', {'mood': label, **wish.params()})
    click.echo(f'{cells.plain(worker)}: {label}{wish.described(now)}')


@command.command('drain')
@click.argument('worker')
@options.reason
@options.until
@asks_master
def drain(server: Server, worker: str, reason: str | None, until: str | None) -> None:
    """Start nothing new on WORKER; what runs may finish."""
    now = time.time()
    wish = Wish.of(reason, until, now)
    _control(server, worker, 'drain', wish.params())
    click.echo(f'{cells.plain(worker)}: drains{wish.described(now)}')


@command.command('resume')
@click.argument('worker')
@asks_master
def resume(server: Server, worker: str) -> None:
    """End what admins have said about WORKER; its owner's word counts."""
    _control(server, worker, 'resume', {})
    click.echo(f'{cells.plain(worker)}: auto')


@command.command('forget')
@click.argument('worker')
@asks_master
def forget(server: Server, worker: str) -> None:
    """Delete the history of WORKER."""
    done = _control(server, worker, 'forget', {})
    number = done.get('forgotten') if isinstance(done, dict) else None
    known = f' ({cells.count(number, "event")})' if isinstance(number, int) else ''
    click.echo(f'{cells.plain(worker)}: its history is deleted{known}')


def _control(server: Server, worker: str, method: str, params: Item) -> object:
    found = names.worker(server, worker)
    return server.control('workers', names.number(found, 'workerid'), method, params)
