# SPDX-License-Identifier: GPL-2.0-or-later
"""Shares: what builds and requests hold of a lock, or wait for."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from buildbot_balancer.cli import cells
from buildbot_balancer.cli import names
from buildbot_balancer.cli.server import Item
from buildbot_balancer.cli.tables import Screen

HEADS = ('', 'who', 'mode', 'units', 'for', 'worker')


def of(lock: Item, role: str) -> list[Item]:
    """`role`: holders or waiters."""
    found = lock.get(role)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def held(lock: Item) -> Text:
    """``2/2``; a lock without a limit shows what is held alone."""
    most = lock.get('max')
    is_full = isinstance(most, int) and isinstance(lock.get('held'), int) and lock['held'] >= most
    limit = '' if most is None else f'/{cells.plain(most)}'
    return cells.text(f'{cells.plain(lock.get("held"))}{limit}', 'red' if is_full else '')


def show(screen: Screen, lock: Item, now: float) -> None:
    name = cells.text(names.lock_name(lock), 'bold')
    summary = cells.text(lock.get('summary'))
    screen.say(name, ': ', summary if summary.plain else Text.assemble(held(lock), ' held'))
    rows = [*_rows(lock, now)]
    if rows:
        screen.table(HEADS, rows)


def _rows(lock: Item, now: float) -> Iterator[tuple[Text, ...]]:
    for share in of(lock, 'holders'):
        yield _row('holds', share, now)
    for place, share in enumerate(of(lock, 'waiters'), 1):
        yield _row(f'waits, {place}.', share, now)


def _row(role: str, share: Item, now: float) -> tuple[Text, ...]:
    return (
        Text(f'  {role}'),
        cells.text(share.get('what')),
        cells.text(share.get('mode')),
        cells.text(share.get('count')),
        Text(cells.since(share.get('since'), now)),
        cells.text(share.get('worker')),
    )
