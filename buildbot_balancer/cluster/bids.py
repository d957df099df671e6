# SPDX-License-Identifier: GPL-2.0-or-later
"""Bids: who of this master wants what of shared locks, in their turns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING
from typing import Any

from buildbot_balancer.cluster.bid import Bid
from buildbot_balancer.cluster.bid import Parts
from buildbot_balancer.cluster.bid import State
from buildbot_balancer.cluster.bid import name_of
from buildbot_balancer.cluster.protocol import AGEING
from buildbot_balancer.cluster.want import LockKey

if TYPE_CHECKING:
    from buildbot_balancer.cluster.sharedsemaphore import SharedSemaphore

WINDOW = 10  # of those that wait for one lock, so many stand in the database's line


class Bids:
    """By requester. `keys`: the names in the database that are in use, also of bids that are over
    while they are asked for.
    """

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self._bids: dict[int, list[Bid]] = {}  # by id() of the requester
        self._numbers = count(1)

    def __iter__(self) -> Iterator[Bid]:
        for bids in list(self._bids.values()):
            yield from list(bids)

    def __bool__(self) -> bool:
        return bool(self._bids)

    def of(self, requester: Any) -> list[Bid]:
        return list(self._bids.get(id(requester), ()))

    def unclaimed(self, requester: Any, parts: Parts) -> Bid | None:
        """Its bid for just this."""
        for bid in self.of(requester):
            if not bid.claimed and bid.parts == parts:
                return bid
        return None

    def make(self, requester: Any, parts: Parts, now: float, taken: set[str]) -> Bid:
        """`now`: epoch seconds; `taken`: names that are not free in the database yet."""
        made = Bid(requester, dict(parts), '', None)
        points = max(one.priority_of(requester) for one in parts)
        made.turn = (not made.is_running, now - AGEING * points, next(self._numbers))
        self.name(made, taken)
        self._bids.setdefault(id(requester), []).append(made)
        return made

    def name(self, bid: Bid, taken: set[str]) -> None:
        """A new name in the database, which no other bid of this master has."""
        name = name_of(bid.requester)
        free = name not in self.keys and name not in taken
        bid.owner = name if free else f'{name}#{next(self._numbers)}'
        self.keys.add(bid.owner)

    def remove(self, bid: Bid) -> None:
        """It keeps its name."""
        mine = self._bids[id(bid.requester)]
        mine.remove(bid)
        if not mine:
            del self._bids[id(bid.requester)]

    def hand_over(self, old: Any, new: Any) -> None:
        for bid in self._bids.pop(id(old), []):
            bid.requester = new
            self._bids.setdefault(id(new), []).append(bid)

    # turns

    def is_near(self, bid: Bid) -> bool:
        """Few enough stand in the line of each of its locks before it."""
        return all(
            sum(other.turn < bid.turn for other in self if one in other.parts and other.stands)
            < WINDOW
            for one in bid.parts
        )

    def far(self, semaphore: SharedSemaphore) -> list[Bid]:
        """The first of those that were too far behind to be asked."""
        far = [one for one in self if one.state is State.NEW and semaphore in one.parts]
        return sorted(far, key=by_turn)[:WINDOW]

    def first_waiting(self, key: LockKey) -> Bid | None:
        """The first that waits for it, and is not known to lack another lock."""
        waits = (
            bid
            for bid in self
            if bid.state is State.WAITS and bid.concerns(key) and bid.lacks in {None, key}
        )
        return min(waits, key=by_turn, default=None)

    def waiting_as(self, owner: str) -> Bid | None:
        """By its name in the database."""
        waits = (bid for bid in self if bid.state is State.WAITS and bid.owner == owner)
        return next(waits, None)


def by_turn(bid: Bid) -> Any:
    return bid.turn
