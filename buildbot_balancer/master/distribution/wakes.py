# SPDX-License-Identifier: GPL-2.0-or-later
"""Wakes: who is looked at again, and when; nobody whom the event cannot help.

Buildbot sorts all builders that are pending at each call of its distributor, so everybody who is
to be woken in one turn is woken by one call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from typing import Callable

TOGETHER = 0.01  # seconds in which wakes are collected
LEAST_WAIT = 0.25  # seconds: a moment that has just passed is no reason to spin
WORKER_EVERY = 0.5  # seconds between two wakes for one worker, however often it changes its mood


class Wakes:
    """`wake(builders)` is Buildbot's distributor, `builders_of(worker)` knows the config."""

    def __init__(
        self,
        reactor: Any,
        wake: Callable[[list[str]], Any],
        builders_of: Callable[[str], Iterable[str]],
    ) -> None:
        self._reactor = reactor
        self._wake = wake
        self._builders_of = builders_of
        self._now: set[str] = set()
        self._flushing: Any = None
        self._due: dict[str, float] = {}
        self._timer: Any = None
        self._waiting: dict[tuple[str, str], set[str]] = {}
        self._worker_at: dict[str, float] = {}
        self._stopped = False

    def soon(self, builders: Iterable[str]) -> None:
        self._now.update(builders)
        if self._now and self._flushing is None and not self._stopped:
            self._flushing = self._reactor.callLater(TOGETHER, self._flush)

    def worker(self, name: str) -> None:
        """Wakes the builders that have this worker; one that flaps is slowed down."""
        now = self._reactor.seconds()
        allowed_at = self._worker_at.get(name, now - WORKER_EVERY) + WORKER_EVERY
        if now >= allowed_at:
            self._worker_at[name] = now
            self.soon(self._builders_of(name))
        else:
            for builder in self._builders_of(name):
                self.at(builder, allowed_at)

    def at(self, builder: str, when: float) -> None:
        """Wakes a builder at `when` (epoch seconds), or earlier if it was to be woken earlier."""
        when = max(when, self._reactor.seconds() + LEAST_WAIT)
        if when < self._due.get(builder, when + 1):
            self._due[builder] = when
            self._set_timer()

    def on(self, fact: str, about: str, builder: str) -> None:
        """Wakes a builder when `fact` of `about` (a worker, a lock) changes."""
        self._waiting.setdefault((fact, about), set()).add(builder)

    def happened(self, fact: str, about: str) -> None:
        self.soon(self._waiting.pop((fact, about), ()))

    def stop(self) -> None:
        self._stopped = True
        for timer in (self._flushing, self._timer):
            if timer is not None and timer.active():
                timer.cancel()
        self._waiting.clear()

    def _flush(self) -> None:
        self._flushing = None
        builders, self._now = sorted(self._now), set()
        self._wake(builders)

    def _set_timer(self) -> None:
        first = min(self._due.values())
        if self._timer is not None and self._timer.active():
            if self._timer.getTime() <= first:
                return
            self._timer.cancel()
        if not self._stopped:
            wait = max(first - self._reactor.seconds(), 0)
            self._timer = self._reactor.callLater(wait, self._time_passed)

    def _time_passed(self) -> None:
        self._timer = None
        soon = self._reactor.seconds() + TOGETHER
        due = [builder for builder, when in self._due.items() if when <= soon]
        for builder in due:
            del self._due[builder]
        self.soon(due)
        if self._due:
            self._set_timer()
