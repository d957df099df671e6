# SPDX-License-Identifier: GPL-2.0-or-later
"""Table: the figures as text, in the form of reStructuredText's simple tables."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import attrs

from benchmarks.plan import CALM
from benchmarks.plan import DRAIN
from benchmarks.plan import EVENTS
from benchmarks.plan import FLOOR
from benchmarks.plan import MEMORY
from benchmarks.plan import MOOD
from benchmarks.plan import REPORTER
from benchmarks.plan import SHARED
from benchmarks.plan import Plan


@attrs.frozen
class Run:
    plan: Plan
    found: dict[str, Any]


def text(runs: Sequence[Run]) -> str:
    parts = [_drains(runs), _floors(runs), _calm(runs), _reactions(runs), _memory(runs)]
    parts += [_reporters(runs), _shared(runs)]
    return '\n\n'.join(part for part in parts if part)


def _drains(runs: Sequence[Run]) -> str:
    floors = {run.plan.size: run.found['cpu_per_start'] for run in _of(runs, FLOOR)}
    rows = []
    for run in _of(runs, DRAIN):
        found = run.found
        floor, cpu = floors.get(run.plan.size), found['cpu_per_start']
        rows.append(
            [
                str(run.plan.size),
                run.plan.side,
                _number(found['starts_per_second'], '.1f'),
                _ms(cpu),
                '-' if not floor or cpu is None else f'{cpu / floor:.2f}',
                _number(found['calls_per_start'], '.1f'),
                _ms(found['first_start']),
                _seconds(found['idle']['p50']),
                _seconds(found['idle']['p99']),
                f'{found["memory"]["most"]:.0f} MB',
                str(found['starts']),
            ]
        )
    return _table(
        'Drain: all workers free at once, builds of 50 ms',
        ['builders/workers/pending', 'distributor', 'starts/s', 'CPU a start', 'x floor',
         'DB calls a start', 'first start', 'idle p50', 'idle p99', 'memory', 'counted'],
        rows,
    )  # fmt: skip


def _floors(runs: Sequence[Run]) -> str:
    rows = []
    for run in _of(runs, FLOOR):
        parts = run.found['parts']
        rows.append(
            [
                str(run.plan.size),
                *(f'{_ms(part["cpu"])}, {part["calls"]:.0f}' for part in parts.values()),
                f'{_ms(run.found["cpu_per_start"])}, {run.found["calls_per_start"]:.0f}',
            ]
        )
    return _table(
        'Floor: CPU and DB calls of a request without a distributor',
        ['builders/workers/pending', 'load', 'claim', 'complete', 'together'],
        rows,
    )


def _calm(runs: Sequence[Run]) -> str:
    rows = [
        [
            str(run.plan.size),
            run.plan.side,
            _number(run.found['starts_per_second'], '.2f'),
            f'{run.found["cpu_share"]:.0%}',
            _ms(run.found['cpu_per_start']),
            _seconds(run.found['idle']['p50']),
            _seconds(run.found['idle']['p99']),
            str(run.found['idle']['count']),
        ]
        for run in _of(runs, CALM)
    ]
    return _table(
        'Calm: builds of 20 s, how long a freed worker waits',
        ['builders/workers/pending', 'distributor', 'starts/s', 'of one CPU', 'CPU a start',
         'idle p50', 'idle p99', 'counted'],
        rows,
    )  # fmt: skip


def _reactions(runs: Sequence[Run]) -> str:
    rows = []
    for scenario, key, event in (
        (EVENTS, 'after_new', 'a new request'),
        (MOOD, 'after_report', 'a report of a willing worker'),
    ):
        for run in _of(runs, scenario):
            waits = run.found[key]
            spread = (_ms(waits['p50']), _ms(waits['most']))
            rows.append([event, str(run.plan.size), run.plan.side, *spread, str(waits['count'])])
    return _table(
        'Reaction: from an event to the start, on a master with nothing else to do',
        ['event', 'builders/workers/pending', 'distributor', 'p50', 'most', 'counted'],
        rows,
    )


def _memory(runs: Sequence[Run]) -> str:
    rows = [
        [str(run.plan.size), run.plan.side, f'{run.found["memory"]["started"]:.0f} MB']
        for run in _of(runs, MEMORY)
    ]
    return _table(
        'Memory: of a master that has started, before its first worker',
        ['builders/workers/pending', 'distributor', 'memory'],
        rows,
    )


def _reporters(runs: Sequence[Run]) -> str:
    rows = [
        [
            name,
            f'{one["cpu_share"]:.2%}',
            f'{one["memory"]:.0f} MB',
            f'{run.found["seconds"]:.0f} s',
        ]
        for run in _of(runs, REPORTER)
        for name, one in run.found['reporter'].items()
    ]
    return _table(
        'Reporter: an idle worker with one, every probe on, and without',
        ['reporter', 'of one CPU', 'memory', 'watched'],
        rows,
    )


def _shared(runs: Sequence[Run]) -> str:
    rows = [
        [
            str(run.plan.masters),
            _fine(run.found['take']['p50']),
            _fine(run.found['take']['p99']),
            _fine(run.found['both']['p50']),
            _fine(run.found['both']['p99']),
            _number(run.found['per_second'], '.0f'),
            str(run.found['both']['count']),
        ]
        for run in _of(runs, SHARED)
    ]
    return _table(
        'Shared lock: taken and given back, all masters at one lock without a pause',
        ['masters', 'take p50', 'take p99', 'both p50', 'both p99', 'pairs/s', 'counted'],
        rows,
    )


def _of(runs: Sequence[Run], scenario: str) -> Iterator[Run]:
    return (run for run in runs if run.plan.scenario == scenario)


def _table(title: str, headings: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ''
    widths = [max(map(len, column)) for column in zip(headings, *rows)]
    rule = '  '.join('=' * width for width in widths)

    def line(cells: list[str]) -> str:
        return '  '.join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip()

    return '\n'.join([title, '', rule, line(headings), rule, *map(line, rows), rule])


def _number(value: float | None, form: str) -> str:
    return '-' if value is None else format(value, form)


def _ms(value: float | None) -> str:
    return '-' if value is None else f'{value * 1000:,.0f} ms'


def _fine(value: float | None) -> str:
    return '-' if value is None else f'{value * 1000:,.1f} ms'


def _seconds(value: float | None) -> str:
    return '-' if value is None else f'{value:.2f} s'
