# SPDX-License-Identifier: GPL-2.0-or-later
"""Elsewhere: who has shared locks, and waits for them, on other masters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any
from typing import Callable

import attrs
from twisted.internet import defer

from buildbot_balancer.availability.text import clean
from buildbot_balancer.cluster.picture import Share
from buildbot_balancer.cluster.picture import SharedLock
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.explain.sights import ShareSight
from buildbot_balancer.log import failed

if TYPE_CHECKING:
    from buildbot_balancer.cluster.store import Store

FRESH = 3.0  # seconds; whoever looks is shown what was known then, and begins a new look
NAME = 100  # characters of a master's name


@attrs.frozen
class Others:
    """Of one lock."""

    holders: tuple[ShareSight, ...] = ()
    waiters: tuple[ShareSight, ...] = ()


class Elsewhere:
    """As the database said when it was looked at last; it is asked only while somebody looks.

    `own()`: the run of this master, whose holders it knows better itself. `told(key)`: what is
    known of a lock is another thing now.
    """

    def __init__(
        self,
        reactor: Any,
        store: Store,
        own: Callable[[], str | None],
        told: Callable[[LockKey], None],
    ) -> None:
        self.told = told
        self._reactor = reactor
        self._store = store
        self._own = own
        self._known: dict[LockKey, Others] = {}
        self._looked = float('-inf')
        self._looking: defer.Deferred[None] | None = None

    def of(self, key: LockKey) -> Others:
        self.look()
        return self._known.get(key, Others())

    def all(self) -> dict[LockKey, Others]:
        self.look()
        return dict(self._known)

    def look(self) -> None:
        """Begins, where what is known is old."""
        if self._looking is None and self._reactor.seconds() - self._looked >= FRESH:
            looking = defer.ensureDeferred(self.look_now())
            self._looking = None if looking.called else looking
            looking.addErrback(failed, 'looking at the shared locks of other masters')
            looking.addCallback(self._done)

    async def look_now(self) -> None:
        self._looked = self._reactor.seconds()
        try:
            found = await self._store.picture()
        except BalancerError:
            return  # it is said where locks are taken
        now, own = self._reactor.seconds(), self._own()
        before, self._known = self._known, dict(_others(found, own, now))
        for key in {*before, *self._known}:
            if _who(before.get(key)) != _who(self._known.get(key)):
                self.told(key)

    def _done(self, _: Any) -> None:
        self._looking = None


def _others(
    found: list[SharedLock], own: str | None, now: float
) -> Iterator[tuple[LockKey, Others]]:
    for lock in found:
        holders = [_sight(one, now) for one in lock.holders if one.incarnation != own]
        waiters = [_sight(one, now) for one in lock.waiters if one.incarnation != own]
        if holders or waiters:
            yield lock.key, Others(tuple(holders), tuple(waiters))


def _sight(share: Share, now: float) -> ShareSight:
    """``build 23 on m2``; an owner's key is written in bid.py."""
    kind, _, rest = share.owner.partition('#')[0].partition(':')
    number, _, more = rest.partition(':')
    step = 'a step of ' if more else ''
    known = int(number) if number.isdecimal() else None
    return ShareSight(
        what=clean(f'{step}{kind} {number} on {clean(share.master, NAME)}', 2 * NAME),
        mode=share.mode,
        count=share.count,
        since=now - share.seconds,
        buildid=known if kind == 'build' else None,
        buildrequestid=known if kind == 'request' else None,
    )


def _who(others: Others | None) -> Any:
    """Without times."""
    if others is None:
        return None
    return [[one.what for one in some] for some in (others.holders, others.waiters)]
