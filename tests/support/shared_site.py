# SPDX-License-Identifier: GPL-2.0-or-later
"""A master's sharing over a model of the store, with two shared locks."""

from __future__ import annotations

from random import Random
from typing import Any

from buildbot.locks import LockAccess
from buildbot.locks import MasterLock
from buildbot.util.eventual import eventually
from twisted.internet.task import Clock

from buildbot_balancer.cluster import sharedsemaphore
from buildbot_balancer.cluster import wanting
from buildbot_balancer.cluster.sharedsemaphore import SharedSemaphore
from buildbot_balancer.cluster.sharing import Sharing
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.locks import semaphore as semaphore_module
from support.shared_model import ALease
from support.shared_model import ModelStore
from support.shared_model import OneDoor
from support.shared_model import Pending
from support.shared_model import Step

NAMES = ('a', 'b')
LOCK = MasterLock('l')


def units(count: int = 1) -> LockAccess:
    return LockAccess(LOCK, 'counting', count)


ALONE = LockAccess(LOCK, 'exclusive')


class SharedSite:
    """Nothing happens by itself: `turn` runs what is due, `store.answer` answers one question."""

    def __init__(self, limit: int | None = 1) -> None:
        self.clock = Clock()
        self.store = ModelStore(self.clock)
        self.lease = ALease(self.store)
        self.sharing = Sharing(self.clock, self.store, Random(7))  # type: ignore[arg-type]
        self.sharing.lease = self.lease
        self.store.freed = self.say_freed
        self.locks = {
            name: SharedSemaphore(name, limit, key=LockKey(name), sharing=lambda: self.sharing)
            for name in NAMES
        }
        self.doors = {name: OneDoor(lock) for name, lock in self.locks.items()}
        self.deaf = False  # messages are lost
        self.calls: list[Any] = []
        self._modules = (semaphore_module, sharedsemaphore)
        for module in self._modules:
            module.eventually = self._eventually  # type: ignore[attr-defined]

    def close(self) -> None:
        for module in self._modules:
            module.eventually = eventually  # type: ignore[attr-defined]

    def say_freed(self, keys: list[LockKey]) -> None:
        for key in () if self.deaf else keys:
            self.sharing.opened(key)

    def pairs(self, *wants: tuple[str, LockAccess]) -> list[tuple[Any, Any]]:
        return [(self.doors[name], access) for name, access in wants]

    def step(self, *wants: tuple[str, LockAccess]) -> Step:
        step = Step(self.pairs(*wants))
        step.acquire()
        return step

    def request(self, number: int, *wants: tuple[str, LockAccess]) -> Pending:
        request = Pending(number, self.pairs(*wants))
        self.line_up(request)
        return request

    def line_up(self, request: Pending) -> None:
        for door, access in request.pairs:
            door.line_up(request, access)
        wanting.want(request, [request.pairs], lambda: None)

    def is_free_for(self, request: Pending) -> bool:
        return all(door.isAvailable(request, access) for door, access in request.pairs)

    def leave(self, request: Pending) -> None:
        for door, access in request.pairs:
            door.give_up(request, access)

    def begin_lease(self) -> None:
        self.sharing.lease_began(self.lease.begin())

    def lose_lease(self) -> None:
        before, self.lease.incarnation = self.lease.incarnation, None
        if before is not None:
            self.store.end(before)
            self.sharing.lease_lost(before)

    def turn(self, seconds: float = 0.0) -> None:
        """All that is due, but no answer."""
        self.clock.advance(seconds)
        for _ in range(100):
            while self.calls:
                call, args = self.calls.pop(0)
                call(*args)
            self.clock.advance(0)
            if not self.calls:
                return

    def settle(self) -> None:
        """All answers, and what follows from them."""
        self.turn()
        for _ in range(1000):
            if not self.store.asked:
                return
            self.store.answer()
            self.turn()
        raise AssertionError(f'it never rests: {self.store.asked}')

    def _eventually(self, call: Any, *args: Any) -> None:
        self.calls.append((call, args))
