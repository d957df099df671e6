# SPDX-License-Identifier: GPL-2.0-or-later
"""Journal: when builds started and ended, and on which worker."""

from __future__ import annotations

from typing import Callable

import attrs
from twisted.internet import defer


@attrs.frozen
class Start:
    at: float
    request: int
    worker: str
    idle: float | None  # seconds since the worker's last build ended; None before there was one


class Journal:
    """`now` is a monotonic clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.starts: list[Start] = []
        self._ended: dict[str, float] = {}
        self._waiting: list[tuple[int, defer.Deferred[None]]] = []

    def started(self, request: int, worker: str) -> None:
        at = self.now()
        ended = self._ended.pop(worker, None)
        idle = None if ended is None else at - ended
        self.starts.append(Start(at, request, worker, idle))
        due = [one for one in self._waiting if one[0] <= len(self.starts)]
        self._waiting = [one for one in self._waiting if one not in due]
        for _, reached in due:
            reached.callback(None)

    def ended(self, worker: str) -> None:
        self._ended[worker] = self.now()

    def until(self, count: int) -> defer.Deferred[None]:
        """Fires in the turn of start number `count`."""
        reached: defer.Deferred[None] = defer.Deferred()
        if len(self.starts) >= count:
            reached.callback(None)
        else:
            self._waiting.append((count, reached))
        return reached

    def idle_now(self) -> list[float]:
        """How long each worker that has ended a build and started none since has been idle."""
        now = self.now()
        return [now - ended for ended in self._ended.values()]
