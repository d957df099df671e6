# SPDX-License-Identifier: GPL-2.0-or-later
"""Board: the locks' holders, live on a terminal; plain lines in a log or a pipe."""

from __future__ import annotations

import os
import sys
import time
from collections import deque

from rich import box
from rich.console import Console
from rich.console import Group
from rich.console import RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from demo.cluster.view import View

SAID = 8  # lines under the live table
EVERY = 1.0  # seconds between two plain lines about holders
WIDE = 150  # columns of a log


class Board:
    """`total`: builds that are to be done."""

    def __init__(self, masters: tuple[str, ...], total: int) -> None:
        self._masters = masters
        self._total = total
        self._began = time.monotonic()
        self._said: deque[str] = deque(maxlen=SAID)
        self._view = View()
        self._line = ''
        self._due = 0.0
        self._live: Live | None = None
        if sys.stdout.isatty() and os.environ.get('TERM', 'dumb') != 'dumb':
            self._live = Live(console=Console(), auto_refresh=False)
            self._live.start()

    def say(self, text: str) -> None:
        stamped = f'{time.monotonic() - self._began:5.1f} s  {text}'
        self._said.append(stamped)
        if self._live is None:
            print(stamped, flush=True)
        else:
            self._refresh()

    def show(self, view: View) -> None:
        self._view = view
        if self._live is not None:
            self._refresh()
            return
        line = '; '.join(f'{lock}: {", ".join(map(str, view.of(lock)))}' for lock in view.locks)
        if line != self._line and time.monotonic() >= self._due:
            self._line, self._due = line, time.monotonic() + EVERY
            self.say(f'{view.ended}/{self._total}  {line or "nothing is held"}'[:WIDE])

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.update(self._draw(), refresh=True)

    def _draw(self) -> RenderableType:
        view = self._view
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for heading in ('shared lock', 'held', 'by', 'of master', 'token'):
            table.add_column(heading)
        for one in view.holders:
            table.add_row(one.lock, str(one.units), one.owner, one.master, str(one.token))
        masters = ', '.join(
            f'{name} (dead)' if name in view.dead else name for name in self._masters
        )
        done = f'{view.ended} of {self._total} builds done, {view.running} run'
        return Group(
            Text(f'masters: {masters}', style='bold'),
            Text(f'{done}, {view.waiting} stand in the line of a lock'),
            Text(''),
            table,
            Text(''),
            *(Text(line, no_wrap=True, overflow='ellipsis') for line in self._said),
        )
