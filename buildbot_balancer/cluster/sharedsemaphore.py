# SPDX-License-Identifier: GPL-2.0-or-later
"""SharedSemaphore: this master's line for units that all masters share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from typing import Callable

from buildbot.util.eventual import eventually
from twisted.internet import defer

from buildbot_balancer.cluster.bid import Bid
from buildbot_balancer.cluster.bid import Parts
from buildbot_balancer.cluster.protocol import AGEING
from buildbot_balancer.cluster.sharing import Sharing
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.locks import requester as who
from buildbot_balancer.locks.door import Door
from buildbot_balancer.locks.door import access_of
from buildbot_balancer.locks.holds import covers
from buildbot_balancer.locks.line import State
from buildbot_balancer.locks.line import Waiter
from buildbot_balancer.locks.semaphore import Semaphore
from buildbot_balancer.locks.turns import Turns

TOKEN = 'balancer_token_{}'  # noqa: S105  the property with the fencing token of a lock
SOURCE = 'Balancer'


class SharedSemaphore(Semaphore):
    """Only what the database has granted to this very requester is available to it.

    So `isAvailable` says no to whoever has not waited: it lines up, the database is asked, and
    when that grants it the units are offered as those of any other semaphore. `sharing()` is None
    while this master's part in it does not run, and nothing is given out then.
    """

    shared = True

    def __init__(
        self,
        name: str,
        maxCount: int | None = 1,
        turns: Turns | None = None,
        *,
        key: LockKey,
        sharing: Callable[[], Sharing | None],
    ) -> None:
        super().__init__(name, maxCount, turns)
        self.key = key
        self.sharing = sharing
        self._claiming = False

    # what Buildbot asks

    def isAvailable(self, requester: Any, access: Any) -> bool:
        if not access.count:
            return True
        sharing = self.sharing()
        if requester is None:
            # a builder that is not served: its build asks for itself, on its worker
            return sharing is not None
        return sharing is not None and sharing.is_sure and self._granted(requester, access)

    def claim(self, owner: Any, access: Any) -> None:
        self._claiming = True
        try:
            super().claim(owner, access)
        finally:
            self._claiming = False
        sharing = self.sharing()
        bid = None if sharing is None or not access.count else sharing.claim(owner, self)
        if bid is not None:
            self._hand_token(owner, bid)

    def release(self, owner: Any, access: Any) -> None:
        super().release(owner, access)
        sharing = self.sharing()
        if sharing is not None and not self._holds.get(id(owner)):
            sharing.release(owner, self)

    def setMaxCount(self, count: int | None) -> None:
        """Each take says this master's own limit; a lower one takes nothing back."""
        if count == self.maxCount:
            return
        self.maxCount = count
        self._line.limit_raised(self.never)
        self.used(self)
        self.bid_again()

    # what others can ask

    def join(self, owner: Any, access: Any, via: Any = None) -> defer.Deferred[Any]:
        result = super().join(owner, access, via)
        self._bid(self._line.of(owner))
        return result

    def move(self, requester: Any, to: Semaphore) -> None:
        super().move(requester, to)
        if isinstance(to, SharedSemaphore):
            to.bid_for(requester)

    def hand_over(self, old: Any, new: Any) -> bool:
        done = super().hand_over(old, new)
        sharing = self.sharing()
        if done and sharing is not None:
            sharing.hand_over(old, new)
        return done

    # what the database says

    def granted(self, requester: Any) -> None:
        waiter = self._line.of(requester)
        if waiter is None:
            return
        if waiter.state is not State.OFFERED:
            self._offer(waiter)
            self.used(self)
        elif waiter.quiet and not waiter.reserved:
            eventually(self.release_subs.deliver)

    def revoked(self, requester: Any) -> None:
        """What was in hand is in hand no more; it keeps its place in this line."""
        waiter = self._line.of(requester)
        if self._has_in_hand(requester):
            return  # by another bid
        if waiter is not None and waiter.state is State.OFFERED:
            self._offered.add(waiter.access, -1)
            self._line.enqueue(waiter)
            self.used(self)

    def bid_for(self, requester: Any) -> None:
        """It has come here from the line of another semaphore."""
        waiter = self._line.of(requester)
        if waiter is not None and waiter.state is State.WAITS:
            self._bid(waiter)

    def bid_again(self) -> None:
        """The limit is another, or the sharing has just begun."""
        for waiter in list(self._line):
            if waiter.state is not State.OFFERED:
                self._bid(waiter)
        sharing = self.sharing()
        if sharing is not None:
            sharing.opened(self.key)

    def priority_of(self, requester: Any) -> int:
        """In points of the protocol."""
        if self.turns.order == 'fifo':
            return 0
        return round((who.priority_of(requester) or 0) * self.turns.ageing / AGEING)

    # how it works

    def _granted(self, requester: Any, access: Any) -> bool:
        sharing = self.sharing()
        bid = None if sharing is None else sharing.in_hand(requester, self)
        return bid is not None and covers(bid.parts[self], access)

    def _has_in_hand(self, requester: Any) -> bool:
        sharing = self.sharing()
        return sharing is not None and sharing.in_hand(requester, self) is not None

    def _may_claim(self, owner: Any, access: Any) -> bool:
        """It was seen to be available in this very turn."""
        return self._granted(owner, access)

    def _bid(self, waiter: Waiter | None) -> None:
        sharing = self.sharing()
        if sharing is None or waiter is None or who.is_pending(waiter.requester):
            return  # for requests it is known to whoever lines them up what else they need
        if not self.never(waiter.access):
            sharing.want(waiter.requester, [_company(waiter.requester, self, waiter.access)])

    def _hand_token(self, owner: Any, bid: Bid) -> None:
        build, token = who.build_of(owner), bid.tokens.get(self.key)
        if build is not None and token is not None:
            build.setProperty(TOKEN.format(self.lockName), token, SOURCE)

    def _leave(self, waiter: Waiter) -> None:
        super()._leave(waiter)
        sharing = self.sharing()
        if sharing is not None and not self._claiming:
            sharing.leave(waiter.requester, self)

    def _wake(self) -> None:
        """Nobody but the database lets anybody in."""

    def _take_back_offers(self) -> None:
        """What was granted stays granted."""


def _company(requester: Any, semaphore: SharedSemaphore, access: Any) -> Parts:
    """All shared locks that the build or the step takes at once, in the order of its list."""
    pairs = getattr(requester, '_locks_to_acquire', None) or ()
    return {**shared_parts(requester, pairs), semaphore: access}


def shared_parts(requester: Any, pairs: Iterable[tuple[Any, Any]]) -> Parts:
    """`pairs`: real locks as one worker has them, and accesses. Of two accesses to one the larger
    counts.
    """
    parts: Parts = {}
    for lock, given in pairs:
        access = access_of(given)
        known = isinstance(lock, Door) and lock.shared and access.count
        semaphore = lock.known_for(requester, access) if known else None
        if not isinstance(semaphore, SharedSemaphore):
            continue
        if semaphore not in parts or not covers(parts[semaphore], access):
            parts[semaphore] = access
    return parts
