# SPDX-License-Identifier: GPL-2.0-or-later
"""Line: those that wait for units of one semaphore, in their turn."""

from __future__ import annotations

import contextlib
import enum
import heapq
import weakref
from collections.abc import Iterator
from itertools import count
from typing import Any
from typing import Callable

import attrs
from twisted.internet import defer

from buildbot_balancer.locks.turns import Turn
from buildbot_balancer.locks.turns import Turns

SPARE = 64  # places of waiters that have gone, before the line is tidied


class State(enum.Enum):
    WAITS = 'waits'
    OFFERED = 'offered'  # its units are kept for it until it claims or gives up
    TOO_HEAVY = 'too heavy'  # it wants more than the limit, and holds up nobody
    GONE = 'gone'


@attrs.define(eq=False)
class Waiter:
    requester: Any
    access: Any
    turn: Turn
    since: float  # of the semaphore's clock
    via: Any = None  # the door that it came through
    deferred: defer.Deferred[Any] | None = None
    reserved: bool = False
    quiet: bool = False  # a pending request: it is not called when its turn comes
    state: State = State.WAITS


class Line:
    """`never(access)`, where it is asked for: no release can ever make room for it."""

    def __init__(self) -> None:
        self._waiters: dict[int, Waiter] = {}  # by id: Buildbot's steps are equal by arguments
        # a heap, also of places whose waiter does not wait any more
        self._places: list[tuple[Turn, int, Waiter]] = []
        self._numbers = count()  # places of one turn cannot be compared otherwise
        self._too_heavy: dict[int, Waiter] = {}
        # of those that were woken and went on to wait for another lock
        self._kept_turns: dict[int, tuple[weakref.ref[Any], Turn]] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    def __iter__(self) -> Iterator[Waiter]:
        return iter(self._waiters.values())

    def of(self, requester: Any) -> Waiter | None:
        return self._waiters.get(id(requester))

    def make(self, requester: Any, access: Any, turns: Turns, via: Any) -> Waiter:
        """A waiter that has no place yet."""
        kept = self._kept_turns.pop(id(requester), None)
        again = kept is not None and kept[0]() is requester
        turn = kept[1] if kept is not None and again else turns.next(requester)
        return self.adopt(Waiter(requester, access, turn, turns.clock(), via))

    def adopt(self, waiter: Waiter) -> Waiter:
        self._waiters[id(waiter.requester)] = waiter
        return waiter

    def enqueue(self, waiter: Waiter) -> None:
        waiter.state = State.WAITS
        self._too_heavy.pop(id(waiter.requester), None)
        if len(self._places) > 2 * len(self._waiters) + SPARE:
            self._places = [place for place in self._places if place[2].state is State.WAITS]
            heapq.heapify(self._places)
        heapq.heappush(self._places, (waiter.turn, next(self._numbers), waiter))

    def first(self, never: Callable[[Any], bool]) -> Waiter | None:
        """Who is to be served next."""
        while self._places:
            waiter = self._places[0][2]
            if waiter.state is State.WAITS and not never(waiter.access):
                return waiter
            heapq.heappop(self._places)
            if waiter.state is State.WAITS:
                waiter.state = State.TOO_HEAVY
                self._too_heavy[id(waiter.requester)] = waiter
        return None

    def limit_raised(self, never: Callable[[Any], bool]) -> None:
        for waiter in list(self._too_heavy.values()):
            if not never(waiter.access):
                self.enqueue(waiter)

    def served(self, waiter: Waiter) -> None:
        self._too_heavy.pop(id(waiter.requester), None)
        waiter.state = State.OFFERED

    def leave(self, waiter: Waiter) -> None:
        del self._waiters[id(waiter.requester)]
        self._too_heavy.pop(id(waiter.requester), None)
        waiter.state = State.GONE

    def hand_over(self, waiter: Waiter, new: Any) -> None:
        del self._waiters[id(waiter.requester)]
        heavy = self._too_heavy.pop(id(waiter.requester), None)
        waiter.requester = new
        self._waiters[id(new)] = waiter
        if heavy is not None:
            self._too_heavy[id(new)] = waiter

    def keep_turn(self, waiter: Waiter) -> None:
        """If its requester comes again, it has the turn that it had."""
        key, kept = id(waiter.requester), self._kept_turns
        with contextlib.suppress(TypeError):  # what cannot be weakly referred to begins anew
            requester = weakref.ref(waiter.requester, lambda _: kept.pop(key, None))
            kept[key] = (requester, waiter.turn)

    def forget_turn(self, requester: Any) -> None:
        self._kept_turns.pop(id(requester), None)
