# SPDX-License-Identifier: GPL-2.0-or-later
"""Sweep: shared units that nobody of this master uses any more, though nobody said so."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer

from buildbot_balancer.cluster.bid import Bid
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.locks import requester as who
from buildbot_balancer.log import failed
from buildbot_balancer.log import say

if TYPE_CHECKING:
    from buildbot_balancer.cluster.sharing import Sharing
    from buildbot_balancer.cluster.store import Store

EVERY = 30.0  # seconds


class Sweep:
    """A build that was seen to be finished twice has had the time to let go by itself."""

    def __init__(self, reactor: Any, store: Store, sharing: Sharing) -> None:
        self._reactor = reactor
        self._store = store
        self._sharing = sharing
        self._timer: Any = None

    def start(self) -> None:
        self._timer = self._reactor.callLater(EVERY, self._begin)

    def stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _begin(self) -> None:
        sweeping = defer.ensureDeferred(self.once())
        sweeping.addErrback(failed, 'sweeping shared locks')
        sweeping.addCallback(self._again)

    def _again(self, _: Any) -> None:
        if self._timer is not None:
            self.start()

    async def once(self) -> None:
        self._drop_finished()
        incarnation = self._sharing.lease.incarnation
        if incarnation is None:
            return
        self._sharing.hold_takes()  # one that begins now might be a stray's namesake
        try:
            await self._give_back_strays(incarnation)
        except BalancerError as e:
            say(f'shared locks could not be swept: {e}')
        finally:
            self._sharing.go_on()

    async def _give_back_strays(self, incarnation: str) -> None:
        """The database is asked first: who had units then, by a name that is nobody's here now,
        has gone, or has another name, under which the units stay.
        """
        found = await self._store.owners(incarnation)
        strays = sorted(found - self._sharing.owners)
        if strays:
            freed = await self._store.give_back(incarnation, strays)
            await self._store.stop_waiting(incarnation, strays)
            if freed:
                names = ', '.join(sorted({key.name for key in freed}))
                say(f'{", ".join(strays)}: no more there; what was held of {names} is given back')

    def _drop_finished(self) -> None:
        for bid in self._sharing:
            if not _is_over(bid):
                continue
            if bid.over:
                say(f'{bid.owner} is over and has not let go of shared locks; they are given back')
                self._sharing.drop(bid)
            bid.over = True


def _is_over(bid: Bid) -> bool:
    build = who.build_of(bid.requester)
    return bool(bid.claimed) and getattr(build, 'finished', False) is True
