# SPDX-License-Identifier: GPL-2.0-or-later
"""Table: the semaphores of one lock, one for each group or branch."""

from __future__ import annotations

import functools
from collections.abc import Hashable
from typing import Any
from typing import Callable
from typing import Generic
from typing import TypeVar
from weakref import WeakValueDictionary

from buildbot_balancer.locks.semaphore import Semaphore
from buildbot_balancer.locks.turns import Turns
from buildbot_balancer.locks.watch import Watch

Key = TypeVar('Key', bound=Hashable)


class Table(Generic[Key]):
    """Semaphores that nobody holds, waits for or refers to are forgotten.

    A plain dict that forgets would hand out a second semaphore to somebody while another still has
    the first; weak references cannot. `opened(key)` is called when somebody may be let in.
    """

    def __init__(
        self,
        name: str,
        limit: Callable[[Key], int | None],
        describe: Callable[[Key], str],
        opened: Callable[[Key], None],
        label: Callable[[Key], str],
        make: Callable[[str, int | None, Turns, Key], Semaphore] | None = None,
    ) -> None:
        self.turns = Turns()
        self.watch: Watch | None = None
        self._name = name
        self._limit = limit
        self._describe = describe
        self._opened = opened
        self._label = label
        self._make = make or _make
        self._known: WeakValueDictionary[Key, Semaphore] = WeakValueDictionary()
        self._busy: dict[Key, Semaphore] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, key: Key) -> Semaphore:
        semaphore = self._known.get(key)
        if semaphore is None:
            semaphore = self._make(self._name, self._limit(key), self.turns, key)
            semaphore.description = self._describe(key)
            semaphore.opened = functools.partial(self._told, key)
            semaphore.used = functools.partial(self._used, key)
            semaphore.group = self._label(key)
            semaphore.told = functools.partial(self._heard, key)
            self._known[key] = semaphore
        return semaphore

    def _told(self, key: Key, _: Semaphore) -> None:
        self._opened(key)

    def _used(self, key: Key, semaphore: Semaphore) -> None:
        if semaphore.idle:
            self._busy.pop(key, None)
        else:
            self._busy[key] = semaphore
        if self.watch is not None:
            self.watch.changed(self._name, semaphore.group)

    def _heard(self, key: Key, kind: str, requester: Any, seconds: float) -> None:
        if self.watch is not None:
            self.watch.ended(kind, self._name, self._label(key), requester, seconds)

    def all(self) -> dict[Key, Semaphore]:
        return dict(self._known)

    def busy(self) -> list[Semaphore]:
        """Those that somebody holds or waits for."""
        return list(self._busy.values())

    def update(self, turns: Turns) -> None:
        """The limits and the order of the lock may be others now."""
        self.turns = turns
        for key, semaphore in self.all().items():
            semaphore.turns = turns
            semaphore.description = self._describe(key)
            semaphore.group = self._label(key)
            semaphore.setMaxCount(self._limit(key))


def _make(name: str, limit: int | None, turns: Turns, _: Any) -> Semaphore:
    return Semaphore(name, limit, turns)
