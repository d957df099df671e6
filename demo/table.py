# SPDX-License-Identifier: GPL-2.0-or-later
"""Table: what is shown, as rich draws it."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from demo.facts import Facts
from demo.promise import PROMISES
from demo.scene import RUNS
from demo.scene import SUCCESS
from demo.scene import WAITS
from demo.scene import RequestRow
from demo.scene import Scene
from demo.scene import WorkerRow

COLOURS = {
    'eager': 'green',
    'reluctant': 'yellow',
    'going-on-holiday': 'magenta',
    'offline': 'red',
    WAITS: 'dim',
    RUNS: 'cyan',
    SUCCESS: 'green',
}
SHOWN = 12  # requests, the latest


def live(scene: Scene, heading: str, said: Sequence[str]) -> RenderableType:
    """All of it fits a terminal of 24 lines."""
    gap = Text('')
    return Group(
        Text(heading, style='bold'),
        gap,
        workers(scene.workers),
        gap,
        requests(scene.requests),
        gap,
        *_tail(said),
    )


def _tail(said: Sequence[str]) -> list[Text]:
    return [Text(line, no_wrap=True, overflow='ellipsis') for line in said]


def workers(rows: Sequence[WorkerRow]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ('worker', 'protocol', 'mood', 'until', "owner's reason", 'load', 'builds'):
        table.add_column(heading, justify='right' if heading == 'load' else 'left')
    for row in rows:
        builds = f'{row.done} done'
        if row.running:
            builds = f'runs {", ".join(map(str, row.running))}; {builds}'
        load = '?' if row.load is None else f'{row.load:.2f}'
        table.add_row(
            row.name, row.protocol, coloured(row.mood), row.until, Text(row.reason), load, builds
        )
    return table


def requests(rows: Sequence[RequestRow]) -> Table:
    """In two columns."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for _ in range(2):
        for heading in ('request', 'state', 'worker', 'took', ''):
            table.add_column(heading, justify='right' if heading in {'request', 'took'} else 'left')
    latest = [_cells(row) for row in rows[-SHOWN:]]
    half = (len(latest) + 1) // 2
    for left, cells in enumerate(latest[:half]):
        right = latest[half + left] if half + left < len(latest) else []
        table.add_row(*cells, *right)
    return table


def _cells(row: RequestRow) -> list[str | Text]:
    return [str(row.id), coloured(row.state), row.worker, seconds(row), ' ']


def seconds(row: RequestRow) -> str:
    return '' if row.seconds is None else f'{row.seconds:.0f} s'


def coloured(word: str) -> Text:
    return Text(word, style=COLOURS.get(word, 'red' if word else ''))


def closing(facts: Facts) -> Table:
    """Where each build ran, and why."""
    table = Table(title='Where each build ran, and why', box=box.SIMPLE_HEAD, title_justify='left')
    for heading in ('request', 'result', 'worker', 'took'):
        table.add_column(heading, no_wrap=True)
    table.add_column('why')
    rows = {row.id: row for row in facts.scene.requests}
    for request in facts.requests:
        row = rows.get(request) or RequestRow(id=request, state=WAITS)
        table.add_row(
            str(row.id), coloured(row.state), row.worker, seconds(row), Text(why(facts, row.id))
        )
    return table


def why(facts: Facts, request: int) -> str:
    """From the last decision on it."""
    for number, one in reversed([*enumerate(facts.decisions)]):
        if one.request == request:
            known = number >= facts.reluctant.decisions
            return one.why(facts.protocols, [facts.reluctant.worker] if known else [])
    return ''


def promises(broken: Sequence[str]) -> Table:
    table = Table(title='Promises', box=None, title_justify='left', show_header=False)
    for promise in PROMISES:
        kept = promise.text not in broken
        table.add_row(Text('kept', 'green') if kept else Text('BROKEN', 'red'), promise.text)
    return table
