# SPDX-License-Identifier: GPL-2.0-or-later
"""Wakes: who is looked at again, and when; nobody whom the event cannot help."""

from __future__ import annotations

from typing import Any
from typing import Callable

LEAST_WAIT = 0.01  # seconds: a moment that has just passed is no reason to spin


class Wakes:
    def __init__(self, reactor: Any, wake_builder: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._wake_builder = wake_builder
        self._timers: dict[str, Any] = {}
        self._waiting: dict[tuple[str, str], set[str]] = {}

    def at(self, builder: str, when: float) -> None:
        """Wakes a builder at `when` (epoch seconds), or earlier if it was to be woken earlier."""
        timer = self._timers.get(builder)
        if timer is not None and timer.active():
            if timer.getTime() <= when:
                return
            timer.cancel()
        wait = max(when - self._reactor.seconds(), LEAST_WAIT)
        self._timers[builder] = self._reactor.callLater(wait, self._now, builder)

    def on(self, fact: str, about: str, builder: str) -> None:
        """Wakes a builder when `fact` of `about` (a worker) changes."""
        self._waiting.setdefault((fact, about), set()).add(builder)

    def happened(self, fact: str, about: str) -> None:
        for builder in sorted(self._waiting.pop((fact, about), ())):
            self._wake_builder(builder)

    def stop(self) -> None:
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        self._timers.clear()
        self._waiting.clear()

    def _now(self, builder: str) -> None:
        self._timers.pop(builder, None)
        self._wake_builder(builder)
