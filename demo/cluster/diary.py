# SPDX-License-Identifier: GPL-2.0-or-later
"""Diary: what the jobs have written of themselves, see job.py."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import attrs

from demo.cluster import job

BEGIN = 'begin'
END = 'end'


@attrs.frozen
class Entry:
    what: str
    pid: int
    worker: str
    number: int  # of the request
    counts: Mapping[str, int]  # by lock; how many held it then


class Diary:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def command(self, seconds: float) -> list[str]:
        """Up to the arguments that differ from build to build."""
        return [sys.executable, '-S', '-E', job.__file__, str(self.folder), f'{seconds:g}']

    def entries(self, what: str) -> list[Entry]:
        try:
            lines = (self.folder / 'diary').read_text().splitlines()
        except FileNotFoundError:
            return []
        return [one for one in map(_parse, lines) if one.what == what]

    def peak(self, lock: str) -> int:
        return max((one.counts.get(lock, 0) for one in self.entries(BEGIN)), default=0)

    def peaks(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for one in self.entries(BEGIN):
            for lock, count in one.counts.items():
                found[lock] = max(found.get(lock, 0), count)
        return found

    def ended(self) -> collections.Counter[int]:
        """How often each request was built to its end."""
        return collections.Counter(one.number for one in self.entries(END))

    def running(self) -> list[Entry]:
        """Those whose processes live at this moment."""
        ended = {one.pid for one in self.entries(END)}
        return [one for one in self.entries(BEGIN) if one.pid not in ended and _lives(one.pid)]

    def hold(self) -> None:
        """Jobs do not end until `let_go`."""
        (self.folder / 'hold').touch()

    def let_go(self) -> None:
        (self.folder / 'hold').unlink(missing_ok=True)

    def kill_all(self) -> None:
        self.let_go()
        for one in self.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)


def _parse(line: str) -> Entry:
    what, pid, worker, number, *counts = line.split()
    pairs = [one.rpartition('=') for one in counts]
    return Entry(
        what, int(pid), unquote(worker), int(number), {unquote(k): int(v) for k, _, v in pairs}
    )


def _lives(pid: int) -> bool:
    """It may be another's by now; jobs tell by their command line."""
    try:
        return job.__file__.encode() in Path(f'/proc/{pid}/cmdline').read_bytes()
    except OSError:
        return False
