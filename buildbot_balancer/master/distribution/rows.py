# SPDX-License-Identifier: GPL-2.0-or-later
"""Row: requests that wait for one lock, and could start on the same workers but for it."""

from __future__ import annotations

from typing import Any

import attrs

from buildbot_balancer.locks.door import Door
from buildbot_balancer.locks.door import access_of
from buildbot_balancer.locks.semaphore import Semaphore
from buildbot_balancer.master.distribution.sortedlist import SortedList


@attrs.frozen(eq=False)
class Obstacle:
    """A real lock as one worker has it, which `request` (Buildbot's) cannot have now."""

    lock: Any
    access: Any
    request: Any

    @property
    def is_open(self) -> bool:
        return bool(self.lock.isAvailable(self.request, self.access))

    @property
    def behind(self) -> Any:
        """Of a lock of ours only the branch or the group that the request would use counts."""
        if isinstance(self.lock, Door):
            return self.lock.known_for(self.request, self.access) or self.lock
        return self.lock

    @property
    def kind(self) -> tuple[Any, ...]:
        """Where one is refused, another one of the same kind is refused, too."""
        access = access_of(self.access)
        return id(self.lock), access.mode, access.count, getattr(access, 'group', None)


class Row:
    """`together`: each release is told to all of them."""

    def __init__(self, lock: Any, *, together: bool) -> None:
        self._lock = lock
        self._together = together
        self._sleepers: dict[int, tuple[Any, Obstacle]] = {}  # by request, with its key
        self._order: SortedList[tuple[Any, int]] = SortedList()

    def __len__(self) -> int:
        return len(self._sleepers)

    def __contains__(self, request: int) -> bool:
        return request in self._sleepers

    def add(self, request: int, key: Any, obstacle: Obstacle) -> None:
        """`key`: the smallest is first."""
        self.discard(request)
        self._sleepers[request] = (key, obstacle)
        self._order.add((key, request))

    def discard(self, request: int) -> None:
        key, obstacle = self._sleepers.pop(request, (None, None))
        if obstacle is not None:
            self._order.remove((key, request))

    def everybody(self) -> set[int]:
        return set(self._sleepers)

    def is_for_all(self) -> bool:
        """A release is worth a look at each: also where a worker has moved to another group, in
        whose line they are not yet.
        """
        if self._together or not self._sleepers:
            return True
        _, first = next(iter(self._sleepers.values()))
        return isinstance(first.lock, Door) and first.behind is not self._lock

    def offered(self) -> set[int]:
        """Whose turn it is in the lock's own line."""
        lock = self._lock
        if not isinstance(lock, Semaphore):
            return set()
        return {one for one, (_, its) in self._sleepers.items() if lock.is_offered(its.request)}

    def first(self) -> int | None:
        """Of those that the lock itself will not call."""
        for _, request in self._order:
            if not self._is_in_line(request):
                return request
        return None

    def _is_in_line(self, request: int) -> bool:
        lock, (_, obstacle) = self._lock, self._sleepers[request]
        return isinstance(lock, Semaphore) and lock.has(obstacle.request)
