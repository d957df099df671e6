# SPDX-License-Identifier: GPL-2.0-or-later
"""Stop: signals and the time limit, heard at safe places only.

A signal never raises where it happens to arrive: between the start of a process and the note of
its id that would leave the process behind. It is noted, and whoever waits looks at the note.
"""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Any
from typing import Callable

from demo.errors import DemoError
from demo.errors import StoppedError

SIGNALS = ('SIGINT', 'SIGTERM', 'SIGHUP')
NAP = 0.05  # seconds


class Stop:
    """`heard` is the number of the first signal, 0 before there is one."""

    def __init__(self) -> None:
        self.heard = 0
        self.ends: float | None = None  # of the monotonic clock

    def listen(self) -> None:
        self._set(self._hear)

    def deafen(self) -> None:
        """When all is put away: a late signal must not disturb the exit."""
        self._set(signal.SIG_IGN)

    def _set(self, handler: Any) -> None:
        for name in SIGNALS:
            number = getattr(signal, name, None)
            if number is not None:
                signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.heard = self.heard or number

    def check(self) -> None:
        """Raises StoppedError after a signal, DemoError after the time limit."""
        if self.heard:
            raise StoppedError
        if self.ends is not None and time.monotonic() > self.ends:
            self.ends = None
            raise DemoError('It took too long and was given up.')

    def nap(self, seconds: float = NAP) -> None:
        end = time.monotonic() + seconds
        self.check()
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, NAP))
            self.check()

    def until(self, true: Callable[[], object], seconds: float, otherwise: str) -> None:
        """Waits for a condition; after `seconds` raises DemoError, which says `otherwise`."""
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise DemoError(otherwise)
            self.nap()
