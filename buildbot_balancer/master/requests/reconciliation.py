# SPDX-License-Identifier: GPL-2.0-or-later
"""Reconciliation: one comparison of the queue with what the database says.

Events go on while the query runs and while its answer is worked through in small portions. What
was heard of a request since the query began is newer than its row.
"""

from __future__ import annotations

from collections.abc import Awaitable
from collections.abc import Collection
from collections.abc import Iterable
from itertools import islice
from typing import Any
from typing import Callable

from twisted.internet.task import deferLater

from buildbot_balancer.master.requests.pending import Pending
from buildbot_balancer.master.requests.pending import Row
from buildbot_balancer.master.requests.queue import Queue

AT_ONCE = 500  # requests in one turn of the reactor

Fetch = Callable[[], Awaitable[Collection[Row]]]


class Reconciliation:
    """`overdue`: requests that were on their way to a claim for so long that nobody can be."""

    def __init__(
        self,
        queue: Queue,
        reactor: Any,
        serves: Callable[[int], bool],
        overdue: Collection[int] = (),
    ) -> None:
        self._queue = queue
        self._reactor = reactor
        self._serves = serves
        self._overdue = overdue
        self._heard: set[int] = set()
        self._unclaimed: set[int] = set()
        self._added: list[Row] = []
        self._cancelled = False

    def hear(self, request: int) -> None:
        """An event told of it: its row is old."""
        self._heard.add(request)

    def cancel(self) -> None:
        """From now on the queue is left alone."""
        self._cancelled = True

    async def run(self, fetch: Fetch) -> list[Row]:
        """The requests that the queue had not known of."""
        await self._portions(await fetch(), self._row)
        await self._portions(self._queue.waiting(), self._known)
        await self._portions(self._queue.taken(), self._known)
        return self._added

    async def _portions(self, values: Iterable[Any], look: Callable[[Any], None]) -> None:
        left = iter(values)
        while not self._cancelled:
            portion = list(islice(left, AT_ONCE))
            for value in portion:
                look(value)
            if len(portion) < AT_ONCE:
                return
            await deferLater(self._reactor, 0)

    def _row(self, row: Row) -> None:
        """It is unclaimed, or was when the query ran."""
        request, builderid = row[:2]
        self._unclaimed.add(request)
        if self._queue.knows(row) or request in self._heard or not self._serves(builderid):
            return
        if self._queue.is_taken(request) and request not in self._overdue:
            return
        if self._queue.add(Pending(*row)):
            self._added.append(row)

    def _known(self, request: int) -> None:
        """The queue has it."""
        if request not in self._unclaimed and request not in self._heard:
            self._queue.discard(request)
