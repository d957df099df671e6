# SPDX-License-Identifier: GPL-2.0-or-later
"""Queue: every request that waits for a build. Which one is next is the `Agenda`'s to say."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from typing import Callable

from twisted.python.failure import Failure

from buildbot_balancer import log
from buildbot_balancer.master.requests.pending import Pending
from buildbot_balancer.master.requests.pending import Row
from buildbot_balancer.master.requests.pending import by_priority_then_age


class Queue:
    """All that comes and goes costs O(1)."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._taken: dict[int, Pending] = {}
        self._told: list[Callable[[Pending], Any]] = []
        self._gone: list[Callable[[int], Any]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, request: int) -> bool:
        return request in self._rows

    # for who starts builds

    def in_order(self) -> list[Pending]:
        """By priority, then age; sorted at each call."""
        found = [Pending(*row) for row in self._rows.values()]
        return sorted(found, key=lambda one: (*by_priority_then_age(one), one.id))

    def first(self, builderid: int) -> Pending | None:
        return next((one for one in self.in_order() if one.builderid == builderid), None)

    def get(self, request: int) -> Pending | None:
        row = self._rows.get(request)
        return Pending(*row) if row is not None else None

    def knows(self, row: Row) -> bool:
        """It waits, and is what the row says."""
        return self._rows.get(row[0]) == row

    def remove(self, request: int) -> Pending | None:
        """It is offered no more, for this master is about to claim it, until it is put back.

        A claim that another master was faster with needs no putting back: should the request
        become free again, an event or the slow check says so.
        """
        pending = self._drop(request)
        if pending is not None:
            self._taken[request] = pending
        return pending

    def put_back(self, request: int) -> bool:
        """It was not claimed after all. False where it has meanwhile been claimed elsewhere or
        cancelled, has left with its builder, or waits again.
        """
        pending = self._taken.pop(request, None)
        if pending is None:
            return False
        self._rows[request] = pending.row
        return True

    def on_added(self, told: Callable[[Pending], Any]) -> None:
        """`told(pending)` is called in the turn in which a request begins to wait, or is found to
        have another priority.
        """
        self._told.append(told)

    def on_gone(self, gone: Callable[[int], Any]) -> None:
        """`gone(request)` is called in the turn in which one is heard to wait no more."""
        self._gone.append(gone)

    # for who keeps it true

    def add(self, pending: Pending) -> bool:
        """It waits; what was known of it before is replaced. True for one that did not wait yet."""
        self._taken.pop(pending.id, None)
        if self.knows(pending.row):
            return False
        is_new = pending.id not in self
        self._rows[pending.id] = pending.row
        _tell(self._told, pending, pending.id)
        return is_new

    def discard(self, request: int) -> bool:
        """It waits no more, whoever has it. True where it was known."""
        taken = self._taken.pop(request, None)
        known = self._drop(request) is not None or taken is not None
        if known:
            _tell(self._gone, request, request)
        return known

    def is_taken(self, request: int) -> bool:
        """It was removed and, as far as is known, neither claimed nor put back."""
        return request in self._taken

    def taken(self) -> list[int]:
        """The ids of all such."""
        return list(self._taken)

    def waiting(self) -> list[int]:
        """The ids of all, in no order."""
        return list(self._rows)

    def keep_only(self, builderids: Collection[int]) -> None:
        """Lets go of the requests of all other builders."""
        left = [row[0] for row in self._rows.values() if row[1] not in builderids]
        for request in left:
            self._drop(request)
            _tell(self._gone, request, request)
        for request, pending in list(self._taken.items()):
            if pending.builderid not in builderids:
                del self._taken[request]

    def _drop(self, request: int) -> Pending | None:
        row = self._rows.pop(request, None)
        return Pending(*row) if row is not None else None


def _tell(listeners: list[Callable[[Any], Any]], what: Any, request: int) -> None:
    for told in listeners:
        try:
            told(what)
        except Exception:
            log.failed(Failure(), f'hearing of request {request}')
