# SPDX-License-Identifier: GPL-2.0-or-later
"""ClockStep: notices that the clock on the wall was set back.

Twisted's timers go by that clock: set back by an hour, each of them waits an hour too long, and
nobody would hear the owner meanwhile. No timer can notice that, so a thread wakes the reactor.
"""

from __future__ import annotations

import threading
import time
from typing import Any
from typing import Callable

from twisted.internet.interfaces import IReactorFromThreads

EVERY = 1.0  # seconds between two looks
LEAST = 1.0  # seconds; what is less is a clock that is being corrected, and does no harm


class ClockStep:
    """`steady`: seconds of a clock that never steps; `stepped` is called in the reactor's thread,
    after each step back.
    """

    def __init__(
        self, reactor: Any, steady: Callable[[], float], stepped: Callable[[], None]
    ) -> None:
        self._reactor = reactor
        self._steady = steady
        self._stepped = stepped
        self._ahead = self._look()
        self._ended = threading.Event()

    def open(self) -> None:
        self._ahead = self._look()
        if not IReactorFromThreads.providedBy(self._reactor):  # only a clock
            return
        self._ended = threading.Event()
        name = 'buildbot-balancer-clock'
        threading.Thread(target=self._wake, args=(self._ended,), name=name, daemon=True).start()

    def close(self) -> None:
        self._ended.set()

    def look(self) -> None:
        """Called in the reactor's thread."""
        before, self._ahead = self._ahead, self._look()
        if before - self._ahead >= LEAST:
            self._stepped()

    def _look(self) -> float:
        """Seconds that the clock on the wall is ahead of the steady one."""
        return float(self._reactor.seconds() - self._steady())

    def _wake(self, ended: threading.Event) -> None:
        # to wait for the event with a timeout would go by the wall's clock before Python 3.11
        while not ended.is_set():
            self._reactor.callFromThread(self._look_unless, ended)
            time.sleep(EVERY)

    def _look_unless(self, ended: threading.Event) -> None:
        if not ended.is_set():
            self.look()
