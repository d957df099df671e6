# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers: why something waits, or gets nothing, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

from rich.text import Text

from buildbot_balancer.cli import cells
from buildbot_balancer.cli import pending
from buildbot_balancer.cli.cells import count
from buildbot_balancer.cli.server import Found
from buildbot_balancer.cli.server import Item
from buildbot_balancer.cli.tables import Screen
from buildbot_balancer.explain import sights

GROUPS = ('builder', 'requests', 'state', 'reason')
HINDRANCES = ('hindrance', 'requests', 'names')
REQUESTS = ('place', 'request', 'priority', 'for', 'state', 'reason')
VERDICTS = ('  verdict', 'workers', 'names')


def everything(screen: Screen, found: Found, limit: int) -> None:
    items = found.items
    if not items:
        screen.say('No request waits.')
        return
    stuck = sum(item.get('state') == sights.STUCK for item in items)
    builders = len({item.get('buildername') for item in items})
    verb = 'waits' if found.total == 1 else 'wait'
    screen.say(
        f'{count(found.total, "request")} {verb} for {count(builders, "builder")}'
        + (f', {stuck} of them stuck: waiting does not help.' if stuck else '.')
    )
    if found.total > len(items):
        screen.say(f'Only the first {len(items)} are counted below.')
    rows = [*_groups(items)]
    screen.say('')
    screen.table(GROUPS, rows[:limit])
    _rest(screen, len(rows) - limit)
    hindrances = pending.hindrances(items)
    if hindrances:
        screen.say('')
        screen.table(HINDRANCES, [_hindrance(one) for one in hindrances])


def _groups(items: Sequence[Item]) -> Iterator[tuple[Text, ...]]:
    for group in pending.groups(items):
        yield (
            cells.text(group.builder),
            cells.text(group.requests),
            cells.word(group.state),
            cells.text(group.reason),
        )


def _hindrance(one: pending.Hindrance) -> tuple[Text, ...]:
    return cells.text(one.code), cells.text(one.requests), cells.names(one.names)


def builder(screen: Screen, item: Item, found: Found, limit: int, now: float) -> None:
    name = cells.text(item.get('name'), 'bold')
    verb = 'waits' if found.total == 1 else 'wait'
    screen.say(name, f': {count(found.total, "request")} {verb}')
    if item.get('paused'):
        screen.say('  ', cells.word(sights.PAUSED), _paused(item, now))
    rows = [_request(one, now) for one in found.items[:limit]]
    if rows:
        screen.table(REQUESTS, rows)
    _rest(screen, found.total - len(rows))


def _paused(item: Item, now: float) -> str:
    ends = cells.moment(item.get('until'), now)
    who = cells.plain(item.get('by'))
    why = cells.plain(item.get('reason'))
    said = f' until {ends}' if ends else ''
    said += f' by {who}' if who else ''
    return said + (f' ({why})' if why else '')


def _request(item: Item, now: float) -> tuple[Text, ...]:
    return (
        cells.text(item.get('position')),
        cells.text(item.get('buildrequestid')),
        cells.text(item.get('priority')),
        Text(cells.since(item.get('submitted_at'), now)),
        cells.word(item.get('state')),
        cells.text(item.get('reason')),
    )


def request(screen: Screen, item: Item, now: float) -> None:
    facts = [f'priority {cells.plain(item.get("priority"))}']
    since = cells.since(item.get('submitted_at'), now)
    if since:
        facts.append(f'submitted {since} ago')
    if item.get('position') is not None:
        facts.append(f'place {cells.plain(item["position"])} in the queue')
    name = f'request {cells.plain(item.get("buildrequestid"))}'
    screen.say(
        Text(name, style='bold'),
        f' of {cells.plain(item.get("buildername"))}: ',
        cells.word(item.get('state')),
    )
    screen.say(f'  {", ".join(facts)}')
    if item.get('reason'):
        screen.say('  ', cells.text(item['reason']))
    verdicts = pending.verdicts_of(item)
    if verdicts:
        screen.table(VERDICTS, [_verdict(one) for one in verdicts])


def _verdict(verdict: Item) -> tuple[Text, ...]:
    return (
        Text(f'  {cells.plain(verdict.get("code"))}'),
        cells.text(verdict.get('count')),
        cells.names(pending.names_of(verdict)),
    )


def worker(screen: Screen, item: Item, now: float) -> None:
    ends = cells.moment(item.get('until'), now)
    why = cells.plain(item.get('reason'))
    screen.say(
        cells.text(item.get('name'), 'bold'),
        ': ',
        cells.word(item.get('mood')),
        f' until {ends}' if ends else '',
        f' ({why})' if why else '',
        f', source: {cells.plain(item.get("source"))}',
    )
    screen.say(f'  {", ".join(_busy(item, now))}')
    if item.get('summary'):
        screen.say('  ', cells.text(item['summary']))


def _busy(item: Item, now: float) -> Iterator[str]:
    load = cells.load(item.get('load')).plain
    yield f'load {load} per CPU' if load else 'load unknown'
    running = item.get('running')
    if isinstance(running, int):
        yield f'{count(running, "build")} {"runs" if running == 1 else "run"}'
    heard = cells.since(item.get('reported_at'), now)
    if heard:
        yield f'last heard {heard} ago' + ('' if item.get('fresh') else ', too long')
    else:
        yield 'has reported nothing'


def _rest(screen: Screen, left: int) -> None:
    if left > 0:
        screen.say(f'{left} more not shown (--limit)')
