# SPDX-License-Identifier: GPL-2.0-or-later
"""why: why a request waits, a worker gets nothing, a lock is taken."""

from __future__ import annotations

import time

import attrs
import click

from buildbot_balancer.cli import answers
from buildbot_balancer.cli import names
from buildbot_balancer.cli import output
from buildbot_balancer.cli import pending
from buildbot_balancer.cli import shares
from buildbot_balancer.cli.connection import as_json
from buildbot_balancer.cli.connection import asks_master
from buildbot_balancer.cli.pending import Outcome
from buildbot_balancer.cli.server import Server
from buildbot_balancer.cli.tables import Screen

MOST = 10_000  # requests of which the whole picture is made


@attrs.frozen
class _Asked:
    """The command line, once it is known to make sense."""

    server: Server
    as_json: bool
    limit: int


@click.command('why')
@click.argument('target', required=False, metavar='[BUILDER|REQUEST]')
@click.option('--builder', metavar='NAME', help='A builder, also one that is called as a number.')
@click.option('--worker', metavar='NAME', help='Why does this worker get nothing?')
@click.option('--lock', metavar='NAME', help='Who holds this lock, and who waits for it?')
@click.option(
    '--limit',
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help='At most so many rows.',
)
@click.option('--exit-code', is_flag=True, help='0 nothing waits; 5 it waits; 6 it is stuck.')
@asks_master
@as_json
def command(
    server: Server,
    target: str | None,
    builder: str | None,
    worker: str | None,
    lock: str | None,
    limit: int,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Say why builds wait: of a BUILDER, or one REQUEST (a number), or all that waits.

    With --exit-code the exit code says whether anything waits: 0 no; 5 yes; 6 yes, and for at
    least one waiting does not help.
    """
    if sum(one is not None for one in (target, builder, worker, lock)) > 1:
        raise click.UsageError('ask for one builder, request, worker or lock')
    if exit_code and (worker is not None or lock is not None):
        raise click.UsageError('--exit-code is about requests')
    asked = _Asked(server, as_json, limit)
    if worker is not None:
        _of_worker(asked, worker)
        return
    if lock is not None:
        _of_lock(asked, lock)
        return
    result = _of_requests(asked, target, builder)
    if exit_code:
        click.get_current_context().exit(result)


def _of_requests(asked: _Asked, target: str | None, builder: str | None) -> Outcome:
    if target is not None and target.isascii() and target.isdigit():
        return _of_request(asked, int(target))
    name = builder if target is None else target
    return _of_everything(asked) if name is None else _of_builder(asked, name)


def _of_everything(asked: _Asked) -> Outcome:
    found = asked.server.many('requests', limit=MOST)
    if asked.as_json:
        output.as_json(found.items)
    else:
        answers.everything(Screen.of(), found, asked.limit)
    return pending.outcome(found.items)


def _of_builder(asked: _Asked, name: str) -> Outcome:
    item = names.builder(asked.server, name)
    number = names.number(item, 'builderid')
    found = asked.server.many('builders', number, 'requests', limit=MOST)
    if asked.as_json:
        output.as_json(found.items)
    else:
        answers.builder(Screen.of(), item, found, asked.limit, time.time())
    return pending.outcome(found.items)


def _of_request(asked: _Asked, number: int) -> Outcome:
    item = names.request(asked.server, number)
    if asked.as_json:
        output.as_json(item)
    else:
        answers.request(Screen.of(), item, time.time())
    return pending.outcome([item])


def _of_worker(asked: _Asked, name: str) -> None:
    item = names.worker(asked.server, name)
    if asked.as_json:
        output.as_json(item)
    else:
        answers.worker(Screen.of(), item, time.time())


def _of_lock(asked: _Asked, name: str) -> None:
    items = names.locks(asked.server, name)
    if asked.as_json:
        output.as_json(items)
        return
    screen, now = Screen.of(), time.time()
    for item in items:
        shares.show(screen, item, now)
