# SPDX-License-Identifier: GPL-2.0-or-later
"""Door: what Buildbot takes for a real lock.

Buildbot looks at a lock when it chooses a worker and claims it much later. So which semaphore is
behind the door is decided at each call, by who asks and how: a build that resolved its locks
before a reconfig claims where it belongs after it.
"""

# Misuse is an AssertionError, as with Buildbot's own locks.
# ruff: noqa: S101

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import Callable

import attrs
from buildbot.locks import BaseLockId
from buildbot.locks import LockAccess
from buildbot.process.results import FAILURE
from buildbot.util.eventual import eventually
from buildbot.util.subscription import Subscription
from buildbot.util.subscription import SubscriptionPoint
from twisted.internet import defer

from buildbot_balancer.errors import BalancerError
from buildbot_balancer.locks import requester as who
from buildbot_balancer.locks.semaphore import Semaphore
from buildbot_balancer.log import failed
from buildbot_balancer.log import say


class LockError(BalancerError):
    """A build or a step asks for a lock in a way that has no meaning; the config must change."""


@attrs.define(eq=False)
class Claim:
    owner: Any
    access: Any
    semaphores: list[Semaphore]  # more than one where the worker has changed its group meanwhile


class Door:
    """Subclasses say what is behind it."""

    description = '<Door>'
    shared = False  # what is behind it is shared with other masters

    def __init__(self, name: str) -> None:
        self.lockName = name
        self.release_subs = SubscriptionPoint(f'door of {name}')
        self._claims: dict[int, list[Claim]] = {}
        self._refused: set[str] = set()

    def __repr__(self) -> str:
        return self.description

    def semaphore_for(self, requester: Any, access: Any) -> Semaphore | None:
        """The one that counts for `requester`; None where that is known only with a build.

        Raises LockError for a requester that can never have it.
        """
        raise NotImplementedError

    # what Buildbot asks

    def isAvailable(self, requester: Any, access: Any) -> bool:
        access = access_of(access)
        if not access.count:
            return True
        if requester is None:
            requester = who.ASKING.get()
        try:
            semaphore = self.semaphore_for(requester, access)
        except LockError as e:
            return self._refuse(requester, e)
        return semaphore is None or semaphore.isAvailable(requester, access)

    def never(self, requester: Any, access: Any) -> bool:
        """Waiting is of no use: the access is for more than the limit."""
        access = access_of(access)
        semaphore = self.known_for(requester, access)
        return semaphore is not None and semaphore.never(access)

    def claim(self, owner: Any, access: Any) -> None:
        access = access_of(access)
        if not access.count:
            return
        semaphore = self._claimed_by(owner, access)
        semaphore.claim(owner, access)
        self._claims.setdefault(id(owner), []).append(Claim(owner, access, [semaphore]))

    def release(self, owner: Any, access: Any) -> None:
        claim = self._claim_of(owner, access_of(access))
        if claim is None:
            return
        claims = self._claims[id(owner)]
        claims.remove(claim)
        if not claims:
            del self._claims[id(owner)]
        for semaphore in claim.semaphores:
            semaphore.release(owner, claim.access)

    def isOwner(self, owner: Any, access: Any) -> bool:
        return self._claim_of(owner, access_of(access)) is not None

    def waitUntilMaybeAvailable(self, owner: Any, access: Any) -> defer.Deferred[Any]:
        access = access_of(access)
        if self.isAvailable(owner, access):
            return defer.succeed(self)
        try:
            semaphore = self._claimed_by(owner, access)
        except LockError as e:
            eventually(_stop, owner, str(e))
            return defer.Deferred()
        return semaphore.join(owner, access, self._via(access))

    def stopWaitingUntilAvailable(self, owner: Any, access: Any, d: Any) -> None:
        access = access_of(access)
        semaphore = self.known_for(owner, access)
        if semaphore is not None:
            semaphore.stopWaitingUntilAvailable(owner, access, d)
        elif not d.called:
            d.callback(None)

    def subscribeToReleases(self, callback: Callable[[], Any]) -> Subscription:
        """Called when what is behind the door opens: after a release, a raised limit, and when
        one that waited gives up. For one branch or group subscribe to its semaphore.
        """
        return self.release_subs.subscribe(callback)

    # what the balancer asks

    def reserve(self, requester: Any, access: Any) -> bool:
        """Keeps the units for it until it claims them, hands them over or gives them up."""
        access = access_of(access)
        if not access.count:
            return True
        semaphore = self.known_for(requester, access)  # None: it is to start, and to say so
        return semaphore is None or semaphore.reserve(requester, access, self._via(access))

    def hand_over(self, old: Any, new: Any, access: Any) -> None:
        """What was reserved for a request is its build's now."""
        semaphore = self._reserved_by(old, access_of(access))
        if semaphore is not None:
            semaphore.hand_over(old, new)

    def give_up(self, requester: Any, access: Any) -> None:
        """A reservation or a wait ends; whom that lets in is woken."""
        semaphore = self._reserved_by(requester, access_of(access))
        if semaphore is not None:
            semaphore.give_up(requester)

    def withdraw(self, requester: Any, access: Any) -> None:
        """Undoes a `reserve` in the turn in which it was made; nobody is woken."""
        semaphore = self.known_for(requester, access_of(access))
        if semaphore is not None:
            semaphore.withdraw(requester)

    def line_up(self, requester: Any, access: Any) -> None:
        """A request waits its turn; when it comes the units are kept until it gives them up."""
        access = access_of(access)
        semaphore = self.known_for(requester, access)
        if semaphore is not None and access.count:
            semaphore.line_up(requester, access, self._via(access))

    def known_for(self, requester: Any, access: Any) -> Semaphore | None:
        """As `semaphore_for`; None also for a requester that can never have it."""
        try:
            return self.semaphore_for(requester, access)
        except LockError:
            return None

    @property
    def claims(self) -> Iterator[Claim]:
        for claims in self._claims.values():
            yield from claims

    # how it works

    def all_semaphores(self) -> Iterable[Semaphore]:
        """All that are, or have been, behind this door or another one of the lock."""
        raise NotImplementedError

    def _reserved_by(self, requester: Any, access: Any) -> Semaphore | None:
        """A config that has changed meanwhile may say that there is none."""
        known = self.known_for(requester, access)
        if known is not None and known.has(requester):
            return known
        return next((one for one in self.all_semaphores() if one.has(requester)), known)

    def _claimed_by(self, requester: Any, access: Any) -> Semaphore:
        semaphore = self.semaphore_for(requester, access)
        if semaphore is None:
            raise LockError(f'{self.description} can be claimed by builds and their steps only')
        return semaphore

    def _via(self, access: Any) -> Door | None:
        """Whose waiters follow it when another semaphore is behind it; None: they do not."""
        return self

    def _claim_of(self, owner: Any, access: Any) -> Claim | None:
        for claim in reversed(self._claims.get(id(owner), ())):
            if claim.access == access:
                return claim
        return None

    def _refuse(self, requester: Any, why: LockError) -> bool:
        """The answer to `isAvailable` for a use that has no meaning.

        A build or a step will wait, and is stopped for it: an exception while it takes its locks
        would leave the worker taken, or the step unfinished, for ever.
        """
        if who.is_pending(requester):
            return True  # so that a build starts and says so
        if who.build_of(requester) is None and str(why) not in self._refused:
            self._refused.add(str(why))
            say(str(why))
        return False


def access_of(given: Any) -> Any:
    """``locks=[lock]`` is what Buildbot allowed once; on 4.3 it hands on the lock itself."""
    if isinstance(given, BaseLockId):
        return given.defaultAccess()
    assert isinstance(given, LockAccess)
    return given


def _stop(requester: Any, why: str) -> None:
    build = who.build_of(requester)
    if build is not None:
        stopping = defer.maybeDeferred(build.stopBuild, why, FAILURE)
        stopping.addErrback(failed, f'while stopping {build!r}: {why}')
