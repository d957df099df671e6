# SPDX-License-Identifier: GPL-2.0-or-later
"""Barriers: locks of Buildbot's own that every build of a builder needs.

While one of them is held no request of the builder is looked at, however many wait; where it is a
lock of one worker, none on that worker.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from typing import Any
from typing import Callable

from buildbot.locks import RealMasterLock
from buildbot.locks import RealWorkerLock

from buildbot_balancer.locks.door import access_of
from buildbot_balancer.master.distribution.releases import Releases
from buildbot_balancer.master.locks.reservations import Pair


class Barriers:
    """They are learned from looks that were in vain. `opened(builder, worker)`: somebody may start
    there now, or (None) anywhere.
    """

    def __init__(self, opened: Callable[[str, str | None], None]) -> None:
        self._told = opened
        self._needed: dict[str, list[Pair]] = {}  # by builder, before it is known on which worker
        self._shut: set[str] = set()  # builders whose lock was held when last seen
        self._releases = Releases(self._opened)

    def learn(self, builder: str, pairs: Iterable[Pair]) -> None:
        self._needed[builder] = list(pairs)
        self._shut.discard(builder)

    def may_start(self, builder: str) -> bool:
        """None of the locks is held that are the same ones on all workers."""
        if builder in self._shut:
            return False
        for lock, access in self._needed.get(builder, ()):
            if isinstance(lock, RealMasterLock) and is_held(lock, access):
                self._shut.add(builder)
                self._releases.wait(builder, None, lock, access)
                return False
        return True

    def may_start_on(self, builder: str, worker: str) -> bool:
        """If not, `opened` will say so once."""
        for real, access in self._needed.get(builder, ()):
            if isinstance(real, RealWorkerLock):
                lock = real.getLockForWorker(worker)
                if is_held(lock, access):
                    self._releases.wait((builder, worker), None, lock, access)
                    return False
        return True

    def look_again(self) -> None:
        """A release may have gone unheard."""
        self._shut.clear()

    def forget(self) -> None:
        """Builders may need other locks now."""
        self._needed.clear()
        self._shut.clear()

    def stop(self) -> None:
        self._releases.stop()
        self._shut.clear()

    def _opened(self, waiters: Collection[Any]) -> None:
        for one in waiters:
            builder, worker = (one, None) if isinstance(one, str) else one
            self._shut.discard(builder)
            self._told(builder, worker)


def in_the_way(real: Any, access: Any, workers: Iterable[str]) -> set[str]:
    """The workers on which nobody in particular could have it."""
    if isinstance(real, RealMasterLock):
        return set(workers) if is_held(real, access) else set()
    return {name for name in workers if is_held(real.getLockForWorker(name), access)}


def is_held(lock: Any, access: Any) -> bool:
    return not lock.isAvailable(None, access_of(access))
