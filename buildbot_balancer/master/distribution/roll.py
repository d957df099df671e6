# SPDX-License-Identifier: GPL-2.0-or-later
"""Roll: all requests that wait, in the order in which they will be looked at.

Made anew in one pass when somebody asks, and with many requests not more often than it may cost.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from collections.abc import Mapping
from operator import itemgetter
from typing import Any
from typing import Callable

import attrs

from buildbot_balancer.master.requests.pending import Pending
from buildbot_balancer.master.requests.pending import by_priority_then_age
from buildbot_balancer.master.requests.unclaimed import fetch_unclaimed

FEW = 1000  # requests that are put in order whenever somebody asks
EACH = 1e-4  # seconds for which the order of more is kept, for each of them
QUERY = 2.0  # seconds at least for which what the database said is kept


# The key, of which the smallest is first, then the lowest id; the id; and the builder's name. Where
# there are very many, plain tuples cost half.
Entry = tuple[Any, int, str]


@attrs.frozen(eq=False, kw_only=True)
class Distributed:
    """What our distributor knows, where it is in place.

    `pending(request)`: None for one that waits no more. `by_builder`: all of one builder come
    before those of the next; `sequence`: the builders' places, where that is known.
    """

    entries: Callable[[], Iterable[Entry]]
    pending: Callable[[int], Pending | None]
    breq: Callable[[Pending], Any]
    by_builder: bool = False
    sequence: Mapping[str, int] | None = None


@attrs.frozen(eq=False)
class Listing:
    """At one moment. `pending(request)` is of now: None for one that waits no more.

    `places`: of the requests in `entries`; `of_builder`: the places of the requests of each.
    """

    at: float
    entries: list[Entry]
    pending: Callable[[int], Pending | None]
    places: dict[int, int]
    of_builder: dict[str, list[int]]

    @classmethod
    def of(
        cls, at: float, entries: list[Entry], pending: Callable[[int], Pending | None]
    ) -> Listing:
        """`entries` are in order."""
        places: dict[int, int] = {}
        of_builder: dict[str, list[int]] = {}
        for place, (_, request, builder) in enumerate(entries):
            places[request] = place
            of_builder.setdefault(builder, []).append(place)
        return cls(at, entries, pending, places, of_builder)

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, request: object) -> bool:
        return request in self.places

    def page(self, offset: int, limit: int | None, builder: str | None = None) -> list[int]:
        """Requests of all builders, or of one."""
        end = None if limit is None else offset + limit
        if builder is None:
            return [entry[1] for entry in self.entries[offset:end]]
        places = self.of_builder.get(builder, [])[offset:end]
        return [self.entries[place][1] for place in places]

    def count(self, builder: str) -> int:
        return len(self.of_builder.get(builder, ()))

    def builder_of(self, request: int) -> str | None:
        place = self.places.get(request)
        return None if place is None else self.entries[place][2]

    def first_of(self, builder: str) -> int | None:
        places = self.of_builder.get(builder)
        return self.entries[places[0]][1] if places else None

    def before(self, request: int) -> int:
        """How many of its builder come earlier."""
        place = self.places[request]
        return bisect_left(self.of_builder[self.entries[place][2]], place)


class Roll:
    """`distributed()`: None where Buildbot's own distributor is at work."""

    def __init__(
        self, master: Any, reactor: Any, distributed: Callable[[], Distributed | None]
    ) -> None:
        self._master = master
        self._reactor = reactor
        self.distributed = distributed
        self._last: tuple[Any, Listing] | None = None

    async def listing(self) -> Listing:
        return self.known() or await self._fetched()

    def known(self) -> Listing | None:
        """Without a query; None where one would be needed."""
        ours = self.distributed()
        kept = self._kept(ours is not None)
        if kept is not None or ours is None:
            return kept
        return self._keep(True, in_order(ours.entries(), ours), ours.pending)

    def forget(self) -> None:
        """The next one is of the moment."""
        self._last = None

    def _kept(self, ours: bool) -> Listing | None:
        if self._last is None or self._last[0] is not ours:
            return None
        listing = self._last[1]
        count = len(listing)
        lasts = count * EACH if count > FEW else 0.0
        if not ours:
            lasts = max(lasts, QUERY)
        age = self._reactor.seconds() - listing.at
        return listing if age < lasts else None

    def _keep(
        self, ours: bool, entries: list[Entry], pending: Callable[[int], Pending | None]
    ) -> Listing:
        listing = Listing.of(self._reactor.seconds(), entries, pending)
        self._last = (ours, listing)
        return listing

    async def _fetched(self) -> Listing:
        """As Buildbot's distributor goes about it, unless ``prioritizeBuilders`` says otherwise:
        one builder after the other, the one with the most urgent request first.
        """
        builders = list(self._master.botmaster.builders.values())
        names = {await one.getBuilderId(): one.name for one in builders}
        rows = {row[0]: row for row in await fetch_unclaimed(self._master) if row[1] in names}
        waiting = {request: Pending(*row) for request, row in rows.items()}
        entries = [
            (by_priority_then_age(one), one.id, names[one.builderid]) for one in waiting.values()
        ]
        return self._keep(False, grouped(entries, {}), waiting.get)


def in_order(entries: Iterable[Entry], ours: Distributed) -> list[Entry]:
    return grouped(entries, ours.sequence or {}) if ours.by_builder else _sorted(entries)


def grouped(entries: Iterable[Entry], sequence: Mapping[str, int]) -> list[Entry]:
    """One builder after the other; those without a place last, by their first request."""
    ordered = _sorted(entries)
    first: dict[str, tuple[float, Entry]] = {}
    for entry in ordered:
        builder = entry[2]
        if builder not in first:
            first[builder] = (sequence.get(builder, math.inf), entry)
    return sorted(ordered, key=lambda entry: first[entry[2]])


def _sorted(entries: Iterable[Entry]) -> list[Entry]:
    """Twice, as keys alone are compared faster; the second one leaves equals as they are."""
    return sorted(sorted(entries, key=itemgetter(1)), key=itemgetter(0))
