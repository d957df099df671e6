# SPDX-License-Identifier: GPL-2.0-or-later
"""Throttle: of what comes too fast, only the newest is taken, and a little later."""

from __future__ import annotations

from typing import Any
from typing import Callable

RATE = 5.0  # a second, in the long run
BURST = 20.0  # at once, after a while of silence


class Throttle:
    """`take(what)` is called for the newest of what was held back, when its time has come."""

    def __init__(self, reactor: Any, take: Callable[[Any], Any]) -> None:
        self._reactor = reactor
        self._take = take
        self._tokens = BURST
        self._at = reactor.seconds()
        self._newest: Any = None
        self._timer: Any = None

    def admits(self, what: Any) -> bool:
        """False: it is held back, and whatever was before it is dropped."""
        self._earn()
        if self._timer is None and self._tokens >= 1:
            self._tokens -= 1
            return True
        self._newest = what
        if self._timer is None:
            wait = (1 - self._tokens) / RATE
            self._timer = self._reactor.callLater(wait, self._due)
        return False

    def stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _earn(self) -> None:
        now = self._reactor.seconds()
        self._tokens = min(BURST, self._tokens + max(now - self._at, 0) * RATE)
        self._at = now

    def _due(self) -> None:
        self._timer = None
        self._earn()
        self._tokens -= 1
        newest, self._newest = self._newest, None
        self._take(newest)
