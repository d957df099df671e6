# SPDX-License-Identifier: GPL-2.0-or-later
"""Wishes: pending requests and the locks that were in their way when they were looked at last.

Buildbot's own locks have no line for requests, and in the line of one of ours a request stands for
one lock at a time.
"""

from __future__ import annotations

from collections.abc import Collection

import attrs

KEPT = 10_000  # requests

Key = tuple[str, str]  # name and group of a lock


@attrs.define(eq=False)
class Wish:
    """`since`: epoch seconds, by lock."""

    request: int
    builder: str
    since: dict[Key, float] = attrs.field(factory=dict)


class Wishes:
    """All operations cost what one request waits for, but `of`, which costs what it returns."""

    def __init__(self) -> None:
        self._wishes: dict[int, Wish] = {}
        self._by_lock: dict[Key, dict[int, Wish]] = {}
        self._opened: dict[Key, float] = {}  # of locks that somebody waits for

    def __len__(self) -> int:
        return len(self._wishes)

    def wait(self, request: int, builder: str, keys: Collection[Key], now: float) -> set[Key]:
        """What it waits for now, in the place of what it waited for before; returns the locks for
        which that is a change.
        """
        wish = self._wishes.get(request)
        if wish is None:
            if not keys or len(self._wishes) >= KEPT:
                return set()
            wish = self._wishes[request] = Wish(request, builder)
        left = wish.since.keys() - set(keys)
        new = [key for key in dict.fromkeys(keys) if key not in wish.since]
        for key in left:
            self._leave(wish, key)
        for key in new:
            wish.since[key] = now
            self._by_lock.setdefault(key, {})[request] = wish
        if not wish.since:
            del self._wishes[request]
        return left.union(new)

    def drop(self, request: int) -> set[Key]:
        """It waits for nothing any more."""
        return self.wait(request, '', (), 0.0)

    def opened(self, key: Key, now: float) -> None:
        """Somebody has let go of it."""
        if key in self._by_lock:
            self._opened[key] = now

    def waited(self, request: int, key: Key, now: float) -> float | None:
        """For how many seconds. It ended when the lock was last let go of: what came after that
        was no wait for the lock. None: it has not waited.
        """
        wish = self._wishes.get(request)
        since = None if wish is None else wish.since.get(key)
        if since is None:
            return None
        opened = self._opened.get(key, now)
        return max((opened if opened > since else now) - since, 0.0)

    def of(self, key: Key) -> list[Wish]:
        """The oldest request first."""
        return [one for _, one in sorted(self._by_lock.get(key, {}).items())]

    def of_request(self, request: int) -> list[Key]:
        wish = self._wishes.get(request)
        return [] if wish is None else list(wish.since)

    def _leave(self, wish: Wish, key: Key) -> None:
        del wish.since[key]
        here = self._by_lock[key]
        del here[wish.request]
        if not here:
            del self._by_lock[key]
            self._opened.pop(key, None)
