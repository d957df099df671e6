# SPDX-License-Identifier: GPL-2.0-or-later
"""Guards: reservations on locks of Buildbot's own, which know of none.

Instance attributes over ``isAvailable`` and ``claim`` of a real lock, put on when something is
first reserved there: they bind every claimer, a step or a builder that is not served too. Our own
locks need none, for a `Door` has the same three methods.
"""

from __future__ import annotations

from typing import Any
from typing import Callable
from typing import Protocol

import attrs
from buildbot.locks import LockAccess

from buildbot_balancer.locks.door import Door
from buildbot_balancer.locks.door import access_of
from buildbot_balancer.master import compat
from buildbot_balancer.master.overlays import Overlays


class Keeper(Protocol):
    """Keeps units of a lock for somebody who has not claimed them yet."""

    def reserve(self, requester: Any, access: Any) -> bool:
        """False where the units are not free; nothing has changed then."""

    def hand_over(self, old: Any, new: Any, access: Any) -> None:
        """What was reserved for `old` is `new`'s now."""

    def give_up(self, requester: Any, access: Any) -> None:
        """It ends unclaimed, and whom that lets in is woken. Quiet where there is none."""

    def withdraw(self, requester: Any, access: Any) -> None:
        """As if it had not been reserved in this turn: nobody is woken."""


@attrs.frozen(eq=False)
class Kept:
    requester: Any
    access: Any


class Guard:
    """Of one real lock of Buildbot's own (``buildbot.locks.BaseLock``)."""

    def __init__(self, lock: Any, overlays: Overlays) -> None:
        self.lock = lock
        self._kept: list[Kept] = []
        overlays.put(lock, 'isAvailable', self._available)
        overlays.put(lock, 'claim', self._claim)

    def reserve(self, requester: Any, access: Any) -> bool:
        access = access_of(access)
        if not self.lock.isAvailable(None, access):
            return False
        if access.count:
            self._kept.append(Kept(requester, access))
        return True

    def hand_over(self, old: Any, new: Any, access: Any) -> None:
        found = self._find(old, access_of(access))
        if found is not None:
            self._kept[self._kept.index(found)] = Kept(new, found.access)

    def give_up(self, requester: Any, access: Any) -> None:
        if self._drop(requester, access):
            compat.lock_opened(self.lock)

    def withdraw(self, requester: Any, access: Any) -> None:
        self._drop(requester, access)

    @property
    def reserved(self) -> list[Any]:
        """The accesses."""
        return [kept.access for kept in self._kept]

    @property
    def kept(self) -> tuple[Kept, ...]:
        return tuple(self._kept)

    def _drop(self, requester: Any, access: Any) -> bool:
        found = self._find(requester, access_of(access))
        if found is not None:
            self._kept.remove(found)
        return found is not None

    def _find(self, requester: Any, access: Any) -> Kept | None:
        for kept in self._kept:
            if kept.requester is requester and _alike(kept.access, access):
                return kept
        return None

    def _available(self, stock: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
        def is_available(requester: Any, access: Any) -> bool:
            if self._find(requester, access) is not None:
                return True  # it comes before those that have begun to wait since
            others = [kept.access for kept in self._kept if kept.requester is not requester]
            if not others or not access.count:
                return stock(requester, access)
            if access.mode == 'exclusive' or any(one.mode == 'exclusive' for one in others):
                return False
            units = access.count + sum(one.count for one in others)
            return stock(requester, LockAccess(access.lockid, 'counting', units))

        return is_available

    def _claim(self, stock: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def claim(owner: Any, access: Any) -> None:
            stock(owner, access)  # which asks isAvailable first
            found = self._find(owner, access)
            if found is not None:
                self._kept.remove(found)

        return claim


def _alike(one: Any, other: Any) -> bool:
    """A reconfig makes new accesses, which are not equal where the lock has another limit now."""
    return (one.mode, one.count) == (other.mode, other.count)


class Guards:
    """One for each real lock, made when it is first asked for."""

    def __init__(self) -> None:
        self._overlays = Overlays()
        self._guards: dict[int, Guard] = {}

    def keeper(self, lock: Any) -> Keeper:
        """`lock`: a real lock as one worker has it."""
        if isinstance(lock, Door):
            return lock
        guard = self._guards.get(id(lock))
        if guard is None:
            guard = self._guards[id(lock)] = Guard(lock, self._overlays)
        return guard

    def kept(self, lock: Any) -> tuple[Kept, ...]:
        """What is reserved on one of Buildbot's own."""
        guard = self._guards.get(id(lock))
        return () if guard is None else guard.kept

    def take_off(self) -> None:
        self._overlays.take_off()
        self._guards.clear()
