# SPDX-License-Identifier: GPL-2.0-or-later
"""Queue: every request that waits for a build, in the order in which they shall start."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import Callable

from twisted.python.failure import Failure

from buildbot_balancer import log
from buildbot_balancer.master.pending import Pending
from buildbot_balancer.master.pending import Row
from buildbot_balancer.master.pending import by_priority_then_age
from buildbot_balancer.master.sortedlist import SortedList

Order = Callable[[Pending], Any]  # a key; the smallest starts first, of equals the lowest id
# The key, the id, which no two have in common, and what is known of the request.
_Entry = tuple[Any, int, Row]


class Queue:
    """All in O(log n); going through it in order stands every change that is made meanwhile.

    `order` must not raise, and its keys must compare with one another.
    """

    def __init__(self, order: Order = by_priority_then_age) -> None:
        self._order = order
        self._entries: dict[int, _Entry] = {}
        self._all: SortedList[_Entry] = SortedList()
        self._of_builder: dict[int, SortedList[_Entry]] = {}
        self._taken: dict[int, Pending] = {}
        self._told: list[Callable[[Pending], Any]] = []
        self._gone: list[Callable[[int], Any]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, request: int) -> bool:
        return request in self._entries

    # for who starts builds

    def first(self, builderid: int) -> Pending | None:
        entries = self._of_builder.get(builderid)
        entry = entries.first() if entries is not None else None
        return Pending(*entry[2]) if entry is not None else None

    def in_order(self) -> Iterator[Pending]:
        """Over all builders."""
        return self._still_waiting(self._all)

    def of_builder(self, builderid: int) -> Iterator[Pending]:
        return self._still_waiting(self._of_builder.get(builderid, ()))

    def get(self, request: int) -> Pending | None:
        entry = self._entries.get(request)
        return Pending(*entry[2]) if entry is not None else None

    def knows(self, row: Row) -> bool:
        """It waits, and is what the row says."""
        entry = self._entries.get(row[0])
        return entry is not None and entry[2] == row

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
        self._insert(pending)
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
        self._insert(pending)
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
        return list(self._entries)

    def keep_only(self, builderids: Collection[int]) -> None:
        """Lets go of the requests of all other builders."""
        for builderid in set(self._of_builder) - set(builderids):
            for _, request, _ in self._of_builder[builderid]:
                self._drop(request)
                _tell(self._gone, request, request)
            del self._of_builder[builderid]
        for request, pending in list(self._taken.items()):
            if pending.builderid not in builderids:
                del self._taken[request]

    def set_order(self, order: Order) -> None:
        """Sorts all of them anew; who goes through them just now meets no more."""
        rows = [entry[2] for entry in self._entries.values()]
        entries = {row[0]: (order(Pending(*row)), row[0], row) for row in rows}
        of_builder: dict[int, list[_Entry]] = {}
        for entry in entries.values():
            of_builder.setdefault(entry[2][1], []).append(entry)
        ordered = SortedList(entries.values())
        self._of_builder = {id_: SortedList(some) for id_, some in of_builder.items()}
        self._order, self._entries, self._all = order, entries, ordered

    def _insert(self, pending: Pending) -> None:
        entry = (self._order(pending), pending.id, pending.row)
        self._drop(pending.id)
        self._entries[pending.id] = entry
        self._all.add(entry)
        self._of_builder.setdefault(pending.builderid, SortedList()).add(entry)

    def _drop(self, request: int) -> Pending | None:
        entry = self._entries.pop(request, None)
        if entry is None:
            return None
        pending = Pending(*entry[2])
        self._all.remove(entry)
        self._of_builder[pending.builderid].remove(entry)
        return pending

    def _still_waiting(self, entries: Iterable[_Entry]) -> Iterator[Pending]:
        for entry in entries:
            if self._entries.get(entry[1]) is entry:  # not so after a change of the order
                yield Pending(*entry[2])


def _tell(listeners: list[Callable[[Any], Any]], what: Any, request: int) -> None:
    for told in listeners:
        try:
            told(what)
        except Exception:
            log.failed(Failure(), f'hearing of request {request}')
