# SPDX-License-Identifier: GPL-2.0-or-later
"""Witness: sees who claims, waits for and lets go of a lock of Buildbot's own, and since when.

Such a lock knows its owners and waiters by id() alone, and no time. Instance attributes over
``claim`` and ``waitUntilMaybeAvailable``, and over ``release`` and ``stopWaitingUntilAvailable``
once there is something to let go of.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import Callable

import attrs

from buildbot_balancer.explain.event import HELD
from buildbot_balancer.explain.event import WAITED
from buildbot_balancer.locks.door import access_of
from buildbot_balancer.locks.picture import Picture
from buildbot_balancer.locks.picture import Share
from buildbot_balancer.master.locks.guards import Kept
from buildbot_balancer.master.overlays import Overlays


@attrs.frozen(eq=False)
class _Stay:
    requester: Any  # which is kept alive, so that no other one gets its id()
    access: Any
    since: float | None


class Witness:
    """`lock`: a ``buildbot.locks.BaseLock``. `kept()` is what is reserved there. `used(witness)`
    is called after each change, `ended(kind, witness, requester, seconds)` at the end of a stay
    whose beginning was seen.
    """

    __slots__ = (
        '_ended',
        '_holds',
        '_kept',
        '_now',
        '_overlays',
        '_used',
        '_waits',
        'group',
        'lock',
    )

    def __init__(
        self,
        lock: Any,
        group: str,
        overlays: Overlays,
        now: Callable[[], float],
        kept: Callable[[Any], Iterable[Kept]],
        used: Callable[[Witness], None],
        ended: Callable[[str, Witness, Any, float], None],
    ) -> None:
        self.lock = lock
        self.group = group
        self._overlays = overlays
        self._now = now
        self._kept = kept
        self._used = used
        self._ended = ended
        self._holds: dict[int, list[_Stay]] = {}
        self._waits: dict[int, _Stay] = {}
        overlays.put(lock, 'claim', self._claim)
        overlays.put(lock, 'waitUntilMaybeAvailable', self._wait)

    @property
    def lockName(self) -> str:
        return str(self.lock.lockName)

    @property
    def idle(self) -> bool:
        """Nobody holds it or waits for it; something may be reserved."""
        return not self.lock.owners and not self.lock.waiting

    def adopt(self, requesters: Mapping[int, Any]) -> None:
        """Who holds it or waits for it already; `requesters` by id(). Nobody knows since when."""
        for owner, access in self.lock.owners:
            self._hold(requesters.get(owner), owner, access, None)
        for owner, access, _ in self.lock.waiting:
            self._waits_now(requesters.get(owner), owner, access, None)
        if not self.idle:
            self._used(self)

    def picture(self) -> Picture:
        """What the lock itself says, with names and times."""
        waiting = [self._waiter(owner, access) for owner, access, _ in self.lock.waiting]
        return Picture(
            name=self.lockName,
            limit=self.lock.maxCount,
            held=tuple(self._holders()),
            offered=tuple(_kept_share(one) for one in self._kept(self.lock)),
            waiting=tuple(one for one in waiting if not self._is_never(one)),
            never=tuple(one for one in waiting if self._is_never(one)),
        )

    # what it says

    def _holders(self) -> Iterable[Share]:
        stays = {owner: list(found) for owner, found in self._holds.items()}
        for owner, access in self.lock.owners:
            stay = _take(stays.get(owner, []), access)
            if stay is None:
                yield Share(None, access.mode, access.count)
            else:
                yield Share(stay.requester, access.mode, access.count, stay.since)

    def _waiter(self, owner: int, access: Any) -> Share:
        stay = self._waits.get(owner)
        if stay is None:
            return Share(None, access.mode, access.count)
        return Share(stay.requester, access.mode, access.count, stay.since)

    def _is_never(self, share: Share) -> bool:
        return bool(share.mode == 'counting' and share.count > self.lock.maxCount)

    # what it sees

    def _claim(self, stock: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def claim(owner: Any, access: Any) -> None:
            stock(owner, access)
            now, wait = self._now(), self._waits.pop(id(owner), None)
            if access.count:
                self._hold(owner, id(owner), access, now)
            if wait is not None and wait.since is not None:
                self._ended(WAITED, self, owner, now - wait.since)
            self._used(self)

        return claim

    def _release(self, stock: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def release(owner: Any, access: Any) -> None:
            held = self.lock.isOwner(owner, access)
            stay = _take(self._holds.get(id(owner), []), access) if held else None
            if not self._holds.get(id(owner)):
                self._holds.pop(id(owner), None)
            if stay is not None and stay.since is not None:
                self._ended(HELD, self, owner, self._now() - stay.since)
            stock(owner, access)
            self._used(self)

        return release

    def _wait(self, stock: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def wait(owner: Any, access: Any) -> Any:
            result = stock(owner, access)
            if not result.called and id(owner) not in self._waits:  # else it was woken in vain
                self._waits_now(owner, id(owner), access, self._now())
                self._used(self)
            return result

        return wait

    def _stop(self, stock: Callable[[Any, Any, Any], None]) -> Callable[[Any, Any, Any], None]:
        def stop(owner: Any, access: Any, d: Any) -> None:
            stock(owner, access, d)
            self._waits.pop(id(owner), None)
            self._used(self)

        return stop

    def _hold(self, requester: Any, owner: int, access: Any, since: float | None) -> None:
        self._overlays.put(self.lock, 'release', self._release)
        self._holds.setdefault(owner, []).append(_Stay(requester, access, since))

    def _waits_now(self, requester: Any, owner: int, access: Any, since: float | None) -> None:
        self._overlays.put(self.lock, 'stopWaitingUntilAvailable', self._stop)
        self._waits[owner] = _Stay(requester, access, since)


def _take(stays: list[_Stay], access: Any) -> _Stay | None:
    """As Buildbot does it: the first of those that are alike."""
    for stay in stays:
        if stay.access == access:
            stays.remove(stay)
            return stay
    return None


def _kept_share(kept: Kept) -> Share:
    access = access_of(kept.access)
    return Share(kept.requester, access.mode, access.count, reserved=True)
