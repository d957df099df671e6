# SPDX-License-Identifier: GPL-2.0-or-later
"""Holders: who holds how much of a real lock, and who waits in its line before a requester.

Of a lock of Buildbot's own and of one of ours alike. Nothing is changed by looking.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import attrs
from buildbot.locks import BaseLock

from buildbot_balancer.locks import requester as who
from buildbot_balancer.locks.door import Door
from buildbot_balancer.locks.door import access_of
from buildbot_balancer.locks.picture import Share
from buildbot_balancer.locks.semaphore import Semaphore


@attrs.frozen
class Part:
    """What one holds or waits for. Buildbot's locks know who it is by id() only."""

    owner: int
    mode: str
    count: int
    requester: Any = None


@attrs.frozen
class Hindrance:
    """As long as `holders`, id()s, keep what they hold there is no room: at all, or behind
    `before`, who stand earlier in the line and can have nothing either.
    """

    holders: tuple[int, ...]
    before: tuple[Part, ...] = ()


@attrs.frozen
class Holders:
    """`limit` None is no limit. `in_turn`: whoever stands in the line is passed by nobody behind
    him; else, as with Buildbot's locks, a counting one there takes the place of one unit.
    """

    limit: int | None
    held: tuple[Part, ...] = ()
    before: tuple[Part, ...] = ()
    in_turn: bool = True

    @classmethod
    def of(cls, lock: Any, requester: Any, access: Any) -> Holders | None:
        """`lock` as ``getLockForWorker`` gives it; None for one that nothing is known of."""
        if isinstance(lock, BaseLock):
            return _of_buildbot(lock, requester)
        return _of_ours(lock, requester, access) if isinstance(lock, Door) else None

    def hindered(self, access: Any, by: Collection[int]) -> Hindrance | None:
        """Whether those who are named by their id() keep it away for as long as they hold, even
        if all others let go.
        """
        wanted = _part(0, access)
        held = [part for part in self.held if part.owner in by]
        if not self._fits(wanted, ()):  # it is not their fault
            return None
        owners = tuple({part.owner: None for part in held})
        if not self._fits(wanted, held):
            return Hindrance(owners)
        stuck = [p for p in self.before if self._fits(p, ()) and not self._fits(p, held)]
        if stuck and not self._fits_behind(wanted, held, stuck):
            return Hindrance(owners, tuple(stuck))
        return None

    def _fits(self, part: Part, held: Collection[Part]) -> bool:
        if not part.count:
            return True
        if part.mode == 'exclusive':
            return not held
        if any(one.mode == 'exclusive' for one in held):
            return False
        return self.limit is None or sum(one.count for one in held) + part.count <= self.limit

    def _fits_behind(self, part: Part, held: list[Part], stuck: list[Part]) -> bool:
        if not part.count:
            return True
        if self.in_turn or any(one.mode == 'exclusive' for one in stuck):
            return False
        places = [Part(one.owner, 'counting', 1) for one in stuck]
        return self._fits(part, [*held, *places])


def _of_buildbot(lock: Any, requester: Any) -> Holders:
    line = [owner for owner, _, _ in lock.waiting]
    place = line.index(id(requester)) if id(requester) in line else len(line)
    return Holders(
        limit=lock.maxCount,
        held=tuple(_part(owner, access) for owner, access in lock.owners),
        before=tuple(_part(owner, access) for owner, access, _ in lock.waiting[:place]),
        in_turn=False,
    )


def _of_ours(door: Door, requester: Any, access: Any) -> Holders | None:
    semaphore = door.known_for(requester, access_of(access))
    if semaphore is None:
        return None
    picture = semaphore.picture()
    before = _earlier(semaphore, picture.waiting, requester)
    return Holders(picture.limit, _parts(picture.held), _parts(before))


def _earlier(semaphore: Semaphore, waiting: tuple[Share, ...], requester: Any) -> Iterator[Share]:
    """In the line before `requester`; a request has a turn also while it does not stand there."""
    turns = semaphore.turns
    for share in waiting:
        if share.requester is requester:
            return
        runs = not who.is_pending(requester) or not who.is_pending(share.requester)
        if runs or turns.last(share.requester) < turns.last(requester):
            yield share


def _parts(shares: Iterable[Share]) -> tuple[Part, ...]:
    return tuple(Part(id(one.requester), one.mode, one.count, one.requester) for one in shares)


def _part(owner: int, access: Any) -> Part:
    access = access_of(access)
    return Part(owner, access.mode, access.count)
