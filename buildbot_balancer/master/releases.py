# SPDX-License-Identifier: GPL-2.0-or-later
"""Releases: a lock that is given back, by a build or by a step, wakes who waited for it.

Buildbot itself wakes every builder when a build gives back a lock, and nobody when a step does.
"""

from __future__ import annotations

from typing import Any
from typing import Callable


class Releases:
    """`released(name)` is called with the lock's name."""

    def __init__(self, released: Callable[[str], None]) -> None:
        self._released = released
        self._subscriptions: dict[int, tuple[Any, Any]] = {}

    def watch(self, lock: Any) -> None:
        """`lock`: a real lock, the one of a worker; once is enough."""
        if id(lock) not in self._subscriptions:
            name = lock.lockName
            subscription = lock.subscribeToReleases(lambda: self._released(name))
            self._subscriptions[id(lock)] = (lock, subscription)

    def stop(self) -> None:
        for _, subscription in self._subscriptions.values():
            subscription.unsubscribe()
        self._subscriptions.clear()
