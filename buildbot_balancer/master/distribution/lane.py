# SPDX-License-Identifier: GPL-2.0-or-later
"""Lane: requests of one builder that the same workers could take, in their order. Pure."""

from __future__ import annotations

from typing import Any

from buildbot_balancer.master.distribution.sortedlist import SortedList

Entry = tuple[Any, int]  # the key by which requests are ordered, and the id of one


class Lane:
    """`open`: the workers that have not refused all of its requests since something last changed
    about them, and where no lock is known to be held that each of its requests needs.
    """

    __slots__ = ('builder', 'entries', 'head', 'number', 'open', 'workers')

    def __init__(self, number: int, builder: str, workers: frozenset[str]) -> None:
        self.number = number
        self.builder = builder
        self.workers = workers
        self.open = set(workers)
        self.entries: SortedList[Entry] = SortedList()
        self.head: Entry | None = None  # as the agenda last knew it

    def could_use(self, free: set[str]) -> bool:
        return not self.open.isdisjoint(free)
