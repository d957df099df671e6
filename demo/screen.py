# SPDX-License-Identifier: GPL-2.0-or-later
"""Screen: a live table on a terminal; plain lines in a log or a pipe."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from typing import Protocol

from rich.console import Console
from rich.console import RenderableType
from rich.live import Live

from demo import table
from demo.scene import RUNS
from demo.scene import WAITS
from demo.scene import RequestRow
from demo.scene import Scene

WIDE = 150  # columns of a log
SAID = 5  # lines under the live table


class Screen(Protocol):
    heading: str

    def say(self, text: str) -> None:
        """Something has happened."""

    def show(self, scene: Scene) -> None:
        """How it looks now."""

    def draw(self, what: RenderableType) -> None:
        """To stay."""

    def close(self) -> None:
        """Nothing is live any more."""


def make() -> Screen:
    for stream in (sys.stdout, sys.stderr):
        # a terminal that lacks a letter shows it somehow
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')
    if sys.stdout.isatty() and os.environ.get('TERM', 'dumb') != 'dumb':
        return LiveScreen(Console())
    plain = Console(force_terminal=False, no_color=True, color_system=None, width=WIDE)
    return PlainScreen(plain)


class _Clock:
    def __init__(self) -> None:
        self._began = time.monotonic()

    def stamp(self, text: str) -> str:
        return f'{time.monotonic() - self._began:5.1f} s  {text}'


class PlainScreen:
    def __init__(self, console: Console) -> None:
        self.heading = ''
        self._console = console
        self._clock = _Clock()
        self._states: dict[int, str] = {}
        self._moods: dict[str, str] = {}

    def say(self, text: str) -> None:
        self._console.out(self._clock.stamp(text), highlight=False)
        self._console.file.flush()

    def show(self, scene: Scene) -> None:
        for row in scene.requests:
            if row.state != self._states.get(row.id, WAITS):
                self._states[row.id] = row.state
                self.say(_news(row))
        for worker in scene.workers:
            before = self._moods.get(worker.name)
            if before not in {None, 'unknown', worker.mood}:
                ends = f' until {worker.until}' if worker.until else ''
                why = f' ({worker.reason})' if worker.reason else ''
                self.say(f'{worker.name} is {worker.mood}{ends}{why}.')
            self._moods[worker.name] = worker.mood

    def draw(self, what: RenderableType) -> None:
        self._console.print(what)
        self._console.file.flush()

    def close(self) -> None:
        """Lines stay as they are."""


def _news(row: RequestRow) -> str:
    if row.state == RUNS:
        return f'Request {row.id} runs on {row.worker}.'
    where = f' on {row.worker} after {table.seconds(row)}' if row.worker else ''
    return f'Request {row.id}: {row.state}{where}.'


class LiveScreen:
    def __init__(self, console: Console) -> None:
        self.heading = ''
        self._console = console
        self._clock = _Clock()
        self._scene = Scene()
        self._said: deque[str] = deque(maxlen=SAID)
        # drawn by whoever shows something, so no thread and no signal can come in between
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def say(self, text: str) -> None:
        self._said.append(self._clock.stamp(text))
        if self._live.is_started:
            self._refresh()
        else:
            self._console.print(self._said[-1], markup=False, highlight=False)

    def show(self, scene: Scene) -> None:
        self._scene = scene
        if not self._live.is_started:
            self._live.start()
        self._refresh()

    def _refresh(self) -> None:
        self._live.update(table.live(self._scene, self.heading, self._said), refresh=True)

    def draw(self, what: RenderableType) -> None:
        self._console.print(what)

    def close(self) -> None:
        """What was live last stays."""
        if self._live.is_started:
            self._live.transient = False
            self._live.stop()
