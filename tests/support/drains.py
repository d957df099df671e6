# SPDX-License-Identifier: GPL-2.0-or-later
"""``buildbot-balancer drain --wait`` as a program that runs beside the test."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from pathlib import Path

from demo.processes import BIN
from demo.processes import kill_group
from support.diary import Diary

FREE = 0
NOT_RUNNING = 3
NO_MASTER = 4
TIMED_OUT = 5
SUPERSEDED = 6
SLACK = 15.0  # seconds that a loaded machine may add to a --timeout


class Drain:
    """`running`: the jobs that still ran when it had returned; a drain that says free has none."""

    def __init__(self, basedir: Path, diary: Diary, timeout: float, *more: str) -> None:
        self._diary = diary
        self._timeout = timeout
        self._begun = time.monotonic()
        self._output = tempfile.TemporaryFile('w+')  # noqa: SIM115 - the program writes to it
        self._process = subprocess.Popen(
            [
                str(BIN / 'buildbot-balancer'),
                'drain',
                '--wait',
                f'--timeout={timeout:g}s',
                *more,
                str(basedir),
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.running: list[int] = []
        self.ended = 0.0
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self) -> None:
        self._process.wait()
        self.ended = time.time()
        self.running = self._diary.after(self.ended)

    @property
    def waits(self) -> bool:
        return self._watcher.is_alive()

    @property
    def said(self) -> str:
        self._output.seek(0)
        return self._output.read()

    def code(self) -> int:
        """How it ended; it has its --timeout for that and no more."""
        self._watcher.join(max(0.0, self._begun + self._timeout + SLACK - time.monotonic()))
        assert not self.waits, f'drain --wait hangs past its timeout:\n{self.said}'
        code = self._process.returncode
        assert code != FREE or not self.running, f'it said free while a build ran:\n{self.said}'
        return code

    def keeps_waiting(self, seconds: float) -> None:
        """For what must not end yet."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.waits, f'it ended with {self._process.returncode}:\n{self.said}'
            time.sleep(0.05)

    def is_not_free_for(self, seconds: float) -> None:
        """It may give up, but it does not say free."""
        end = time.monotonic() + seconds
        while self.waits and time.monotonic() < end:
            time.sleep(0.05)
        assert self.waits or self._process.returncode != FREE, f'it said free:\n{self.said}'

    def end(self) -> None:
        kill_group(self._process)
        self._watcher.join(5)
        self._output.close()
