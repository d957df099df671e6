# SPDX-License-Identifier: GPL-2.0-or-later
"""Releases: a lock that is given back, by a build or by a step, wakes who waited for it.

Buildbot itself wakes every builder when a build gives back a lock, and nobody when a step does.
Of requests only those are woken that it can help: whose turn it is in the lock's own line, and of
those in no line the first of each `Row`; the next one when that has started or cannot start.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from typing import Any
from typing import Callable
from typing import Union

import attrs

from buildbot_balancer.master.distribution.rows import Obstacle
from buildbot_balancer.master.distribution.rows import Row

Place = tuple[str, str]  # a builder's name and a worker's
Waiter = Union[str, int, 'Place']  # a builder's name, or the id of one request, or a place


@attrs.frozen(eq=False)
class _Wait:
    lock: Any
    subscription: Any
    places: set[Waiter] = attrs.field(factory=set)
    rows: dict[Any, Row] = attrs.field(factory=dict)


class Releases:
    """`wake(waiters)`: when the lock that they wait for opens; builders and places once."""

    def __init__(self, wake: Callable[[Collection[Any]], None]) -> None:
        self._wake = wake
        self._waits: dict[int, _Wait] = {}
        self._rows: dict[int, set[tuple[int, Any]]] = {}  # where a request is, by its id
        self._firsts: dict[int, dict[int, Row]] = {}  # in which it was woken before the others

    def __len__(self) -> int:
        return len(self._waits)

    def wait(self, place: str | Place, request: Any, lock: Any, access: Any) -> None:
        """`lock`: a real lock as one worker has it."""
        self._wait_of(Obstacle(lock, access, request).behind).places.add(place)

    def sleep(
        self, request: int, key: Any, obstacles: Iterable[Obstacle], alike: Any = None
    ) -> None:
        """It has been looked at: it waits for these, or for none.

        `key`: the smallest is woken first. `alike`: requests for which it is the same could start
        on the same workers, and one after the other; None: it is woken beside all others.
        """
        self._leave(request)
        for one in obstacles:
            wait = self._wait_of(one.behind)
            name = (alike, *one.kind)
            row = wait.rows.setdefault(name, Row(wait.lock, together=alike is None))
            row.add(request, key, one)
            self._rows.setdefault(request, set()).add((id(wait.lock), name))
        self._go_on(request)

    def awake(self, request: int) -> None:
        """It is being looked at, and sees itself what is open: what it gives back does not wake
        it, or two that refuse what they are offered would wake each other for ever.
        """
        self._leave(request)

    def gone(self, request: int) -> None:
        """It has started, or waits for no lock."""
        if request in self._rows or request in self._firsts:
            self.sleep(request, None, ())

    def forget_requests(self) -> None:
        """All of them are looked at anew."""
        for request in list(self._rows):
            self._leave(request)
        self._firsts.clear()

    def stop(self) -> None:
        for wait in self._waits.values():
            wait.subscription.unsubscribe()
        self._waits.clear()
        self._rows.clear()
        self._firsts.clear()

    def _wait_of(self, lock: Any) -> _Wait:
        wait = self._waits.get(id(lock))
        if wait is None:
            subscription = lock.subscribeToReleases(lambda: self._opened(id(lock)))
            wait = self._waits[id(lock)] = _Wait(lock, subscription)
        return wait

    def _leave(self, request: int) -> None:
        for key, name in self._rows.pop(request, ()):
            wait = self._waits[key]
            row = wait.rows.get(name)
            if row is not None:
                row.discard(request)
                if not row:
                    del wait.rows[name]
            self._tidy(wait)

    def _tidy(self, wait: _Wait) -> None:
        if not wait.rows and not wait.places and id(wait.lock) in self._waits:
            del self._waits[id(wait.lock)]
            wait.subscription.unsubscribe()

    def _go_on(self, request: int) -> None:
        """Where it was woken first and is not refused, the next one is woken."""
        rows = self._firsts.pop(request, {}).values()
        woken = {one for row in rows if request not in row for one in self._first_of(row)}
        if woken:
            self._wake(woken)

    def _first_of(self, row: Row) -> set[int]:
        first = row.first()
        if first is None:
            return set()
        self._firsts.setdefault(first, {})[id(row)] = row
        return {first}

    def _opened(self, key: int) -> None:
        wait = self._waits.get(key)
        if wait is None:
            return
        woken: set[Waiter] = set(wait.places)
        wait.places.clear()
        for row in list(wait.rows.values()):
            woken |= row.everybody() if row.is_for_all() else row.offered() | self._first_of(row)
        self._tidy(wait)
        if woken:
            self._wake(woken)
