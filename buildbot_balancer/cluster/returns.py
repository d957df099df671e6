# SPDX-License-Identifier: GPL-2.0-or-later
"""Returns: what goes back to the database, told until it has heard."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from typing import Any

import attrs
from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.cluster.lost import LostLeaseError
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.log import failed
from buildbot_balancer.log import say

if TYPE_CHECKING:
    from buildbot_balancer.cluster.store import Store

PAUSE = 1.0  # seconds after which a database that failed is told again
LONGEST = 15.0


@attrs.frozen
class _Return:
    incarnation: str
    held: bool
    waited: bool


class Returns:
    """In the order in which it came. A run that has lost its lease has nothing to give back."""

    def __init__(self, reactor: Any, store: Store) -> None:
        self._reactor = reactor
        self._store = store
        self._owners: dict[str, _Return] = {}
        self._names: dict[str, tuple[str, str]] = {}  # incarnation and new name, by the old one
        self._telling: defer.Deferred[None] | None = None
        self._pause = PAUSE
        self._timer: Any = None

    @property
    def owners(self) -> set[str]:
        return {*self._owners, *self._names}

    def add(self, incarnation: str, owner: str, *, held: bool, waited: bool) -> None:
        """What `owner` may have held, or waited for."""
        self._owners[owner] = _Return(incarnation, held, waited)
        self._tell_soon()

    def rename(self, incarnation: str, old: str, new: str) -> None:
        """What `old` held is `new`'s."""
        self._names[old] = (incarnation, new)
        self._tell_soon()

    async def once(self) -> None:
        """Until the database has heard, or cannot be asked."""
        if self._telling is not None:
            await self._telling
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        await self._tell()

    def _tell_soon(self, after: float = 0.0) -> None:
        if self._telling is None and (self._timer is None or not self._timer.active()):
            self._timer = self._reactor.callLater(after, self._begin)

    def _begin(self) -> None:
        telling = defer.ensureDeferred(self._tell())
        self._telling = None if telling.called else telling
        telling.addErrback(failed, 'giving back shared locks')
        telling.addCallback(self._told)

    def _told(self, _: Any) -> None:
        self._telling = None
        if self._names or self._owners:
            self._tell_soon(self._pause)

    async def _tell(self) -> None:
        try:
            while self._names or self._owners:
                await self._tell_names()
                await self._tell_owners()
        except BalancerError as e:
            say(f'shared locks could not be given back, and will be: {e}')
            self._pause = min(2 * self._pause, LONGEST)
        except Exception:
            failed(Failure(), 'giving back shared locks')
            self._pause = min(2 * self._pause, LONGEST)
        else:
            self._pause = PAUSE

    async def _tell_names(self) -> None:
        while self._names:  # a new name is known there before it is given back
            old, (incarnation, new) = next(iter(self._names.items()))
            with suppress(LostLeaseError):
                await self._store.hand_over(incarnation, old, new)
            del self._names[old]

    async def _tell_owners(self) -> None:
        before = dict(self._owners)
        for incarnation in {one.incarnation for one in before.values()}:
            mine = {owner: one for owner, one in before.items() if one.incarnation == incarnation}
            held = [owner for owner, one in mine.items() if one.held]
            waited = [owner for owner, one in mine.items() if one.waited]
            with suppress(LostLeaseError):
                if held:
                    await self._store.give_back(incarnation, held)
                if waited:
                    await self._store.stop_waiting(incarnation, waited)
            for owner in mine:
                del self._owners[owner]
