# SPDX-License-Identifier: GPL-2.0-or-later
"""What really ran on a machine and when, written by the builds themselves.

Each job is a program that writes its start and its end into a file, and holds a lock on a file of
its own for as long as its process lives: what the master thinks plays no part in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import Callable

JOB = """\
import contextlib, fcntl, os, sys, time
folder, life = sys.argv[1], float(sys.argv[2])
lock = open(os.path.join(folder, f'lock-{os.getpid()}'), 'w')
fcntl.flock(lock, fcntl.LOCK_EX)
def note(what):
    line = f'{what} {os.getpid()} {time.time():.4f}\\n'.encode()
    fd = os.open(os.path.join(folder, 'diary'), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, line)
    os.close(fd)
note('start')
with contextlib.suppress(OSError):
    life = float(open(os.path.join(folder, 'life')).read())
end = time.monotonic() + life
while not os.path.exists(os.path.join(folder, 'go')) and time.monotonic() < end:
    time.sleep(0.02)
note('end')
"""
LIFE = 180.0  # seconds until a job ends by itself, should a test not end it


def until(
    true: Callable[[], object],
    seconds: float = 60,
    why: str | Callable[[], str] = '',
    every: float = 0.03,
) -> None:
    """Waits for a condition; `seconds` bounds a failure, it is no expectation."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            told = why if isinstance(why, str) else why()
            raise AssertionError(f'it did not happen within {seconds} s {told}')
        time.sleep(every)


class Diary:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._script = folder / 'job.py'
        self._script.write_text(JOB)

    @property
    def command(self) -> list[str]:
        """What a build runs."""
        return [sys.executable, '-S', '-E', str(self._script), str(self.folder), str(LIFE)]

    def entries(self, what: str) -> dict[int, float]:
        """The times of the starts or of the ends, by the job's pid."""
        try:
            lines = (self.folder / 'diary').read_text().splitlines()
        except FileNotFoundError:
            return {}
        found = [line.split() for line in lines]
        return {int(pid): float(when) for kind, pid, when in found if kind == what}

    @property
    def started(self) -> int:
        return len(self.entries('start'))

    def running(self) -> list[int]:
        """The pids of the jobs whose processes live at this moment."""
        return [pid for pid in self.entries('start') if self._is_locked(pid)]

    def _is_locked(self, pid: int) -> bool:
        with (self.folder / f'lock-{pid}').open('a') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def after(self, when: float) -> list[int]:
        """The pids of the jobs that ended or started after a moment, or still run."""
        late = {
            pid for kind in ('start', 'end') for pid, at in self.entries(kind).items() if at > when
        }
        return sorted(late | set(self.running()))

    def hold(self) -> None:
        """Jobs that start from now on run until `let_go`."""
        (self.folder / 'go').unlink(missing_ok=True)

    def let_go(self) -> None:
        """Lets the running jobs end, and later ones end at once."""
        (self.folder / 'go').touch()

    def live_for(self, seconds: float) -> None:
        """Jobs that start from now on end by themselves after this time."""
        fresh = self.folder / 'life.new'
        fresh.write_text(str(seconds))
        fresh.replace(self.folder / 'life')

    def wait_for_start(self, count: int = 1, seconds: float = 60) -> None:
        until(lambda: self.started >= count, seconds, f'({count} jobs started)')

    def wait_for_end(self, seconds: float = 60) -> None:
        until(lambda: not self.running(), seconds, '(all jobs ended)')

    def stays_silent(self, seconds: float) -> None:
        """Nothing starts for a while."""
        before = self.started
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.started == before, 'a build started'
            time.sleep(0.05)

    def falls_silent(self, within: float, seconds: float) -> None:
        """Starts may go on for a while; then there is none for these seconds."""
        end = time.monotonic() + within
        seen, since = self.started, time.monotonic()
        while time.monotonic() < since + seconds:
            assert time.monotonic() < end + seconds, 'builds go on starting'
            time.sleep(0.05)
            if self.started != seen:
                seen, since = self.started, time.monotonic()

    def kill_all(self) -> None:
        """The jobs that still run, and only these: who holds the lock is the one who wrote it."""
        for pid in self.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
