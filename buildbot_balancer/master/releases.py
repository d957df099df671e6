# SPDX-License-Identifier: GPL-2.0-or-later
"""Releases: a lock that is given back, by a build or by a step, wakes who waited for it.

Buildbot itself wakes every builder when a build gives back a lock, and nobody when a step does.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from typing import Callable
from typing import Union

import attrs

from buildbot_balancer.locks.door import Door

Waiter = Union[str, int]  # a builder's name, or the id of one request


@attrs.frozen(eq=False)
class _Wait:
    lock: Any
    subscription: Any
    waiters: set[Waiter] = attrs.field(factory=set)


class Releases:
    """`wake(waiters)`: once, when the lock that they wait for opens."""

    def __init__(self, wake: Callable[[Collection[Waiter]], None]) -> None:
        self._wake = wake
        self._waits: dict[int, _Wait] = {}

    def __len__(self) -> int:
        return len(self._waits)

    def wait(self, waiter: Waiter, request: Any, lock: Any, access: Any) -> None:
        """`lock`: a real lock as one worker has it. Of one of ours only the branch or the group
        that `request` would use counts.
        """
        if isinstance(lock, Door):
            lock = lock.known_for(request, access) or lock
        wait = self._waits.get(id(lock))
        if wait is None:
            subscription = lock.subscribeToReleases(lambda: self._opened(id(lock)))
            wait = self._waits[id(lock)] = _Wait(lock, subscription)
        wait.waiters.add(waiter)

    def stop(self) -> None:
        for wait in self._waits.values():
            wait.subscription.unsubscribe()
        self._waits.clear()

    def _opened(self, key: int) -> None:
        wait = self._waits.pop(key, None)
        if wait is not None:
            wait.subscription.unsubscribe()
            self._wake(wait.waiters)
