# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines: pending requests that could start but for a lock of ours wait their turn for it.

A request for many units would never start if each unit that comes free went to a request that
wants one. In the line of the semaphore its turn comes, and what is free is kept for it then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from buildbot_balancer.cluster import wanting
from buildbot_balancer.locks.door import Door
from buildbot_balancer.locks.semaphore import Semaphore
from buildbot_balancer.master.locks.reservations import Pair

SWEEP = 5.0  # seconds
# Seconds after which nobody waits any more for a request that is not looked at: it may be gone.
OFFERED = 10.0
UNSEEN = 100.0


@attrs.define(eq=False)
class _Entry:
    request: Any
    builder: str
    seen: float  # epoch seconds
    semaphores: dict[int, Semaphore] = attrs.field(factory=dict)
    kept: dict[int, Semaphore] = attrs.field(factory=dict)  # while the database is asked


class Lines:
    """By request. Buildbot may make the object of a request anew; the first one stays in line."""

    def __init__(self, reactor: Any) -> None:
        self.hears_of_ends = False  # `leave` is called for each request that is gone
        self._reactor = reactor
        self._entries: dict[int, _Entry] = {}
        self._timer: Any = None

    def __len__(self) -> int:
        return len(self._entries)

    def requester(self, breq: Any) -> Any:
        """Who asks for locks for this request."""
        entry = self._entries.get(breq.id)
        return breq if entry is None else entry.request

    def wait(
        self, breq: Any, builder: str, pairs: Iterable[Pair], shared: Iterable[list[Pair]] = ()
    ) -> None:
        """It waits for these locks and for nothing else; where it waited before and does not wait
        now, others have their turn. `shared`: sets of locks that all masters share, each with all
        that it takes of them on one worker.
        """
        sets = [one for one in shared if one]
        pairs = [*pairs, *(pair for one in sets for pair in one)]
        doors = [(lock, access) for lock, access in pairs if isinstance(lock, Door)]
        if not doors and breq.id not in self._entries:
            return
        now = self._reactor.seconds()
        entry = self._entries.setdefault(breq.id, _Entry(breq, builder, now))
        entry.seen = now
        before, entry.semaphores, entry.kept = entry.semaphores, {}, {}
        for door, access in doors:
            semaphore = door.known_for(entry.request, access)
            if semaphore is not None:
                entry.semaphores[id(semaphore)] = semaphore
                door.line_up(entry.request, access)
        wanting.want(entry.request, sets, lambda: self._refused(breq.id))
        for key, semaphore in before.items():
            if key in entry.semaphores:
                continue
            if semaphore.is_offered(entry.request) and wanting.are_asked(entry.request, sets):
                # all else is there: it keeps its turn until the database has answered
                entry.semaphores[key] = entry.kept[key] = semaphore
            else:
                semaphore.step_out(entry.request)
        if not entry.semaphores:
            del self._entries[breq.id]
        self._set_timer()

    def is_offered(self, request: int) -> bool:
        """Units are kept for it: it is its turn."""
        entry = self._entries.get(request)
        if entry is None:
            return False
        return any(one.is_offered(entry.request) for one in entry.semaphores.values())

    def leave(self, request: int) -> None:
        """It starts, or it is gone."""
        entry = self._entries.pop(request, None)
        if entry is not None:
            for semaphore in entry.semaphores.values():
                semaphore.step_out(entry.request)

    def _refused(self, request: int) -> None:
        """Whoever waits for what all masters share keeps nothing else meanwhile."""
        entry = self._entries.get(request)
        if entry is None:
            return
        kept, entry.kept = entry.kept, {}
        for key, semaphore in kept.items():
            del entry.semaphores[key]
            semaphore.step_out(entry.request)

    def keep_only(self, builder: str, requests: Iterable[int] = ()) -> None:
        """No other request of the builder waits, or it has no worker for any."""
        kept = set(requests)
        entries = list(self._entries.items())
        for request, entry in entries:
            if entry.builder == builder and request not in kept:
                self.leave(request)

    def stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for request in list(self._entries):
            self.leave(request)

    def _set_timer(self) -> None:
        if self._entries and (self._timer is None or not self._timer.active()):
            self._timer = self._reactor.callLater(SWEEP, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        for request, entry in list(self._entries.items()):
            offered = self.is_offered(request)
            unseen = now - entry.seen
            if unseen > OFFERED if offered else unseen > UNSEEN and not self.hears_of_ends:
                self.leave(request)
        self._set_timer()
