# SPDX-License-Identifier: GPL-2.0-or-later
"""Store: the shared locks of all masters, in their database."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any
from typing import Callable
from uuid import uuid4

from twisted.internet.task import deferLater

from buildbot_balancer.cluster import returning
from buildbot_balancer.cluster.lost import LostLeaseError
from buildbot_balancer.cluster.picture import SharedLock
from buildbot_balancer.cluster.picture import picture
from buildbot_balancer.cluster.protocol import Held
from buildbot_balancer.cluster.returning import Ended
from buildbot_balancer.cluster.taking import Ask
from buildbot_balancer.cluster.taking import Obstacle
from buildbot_balancer.cluster.taking import take
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.cluster.want import Refused
from buildbot_balancer.cluster.want import Taken
from buildbot_balancer.cluster.want import Want
from buildbot_balancer.cluster.want import by_lock
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.tables import shared_leases
from buildbot_balancer.tables.shared_transaction import Again
from buildbot_balancer.tables.shared_transaction import alone

TRIES = 6
PAUSE = 0.05  # seconds before the second try; twice as long before each further one


class Store:
    """Every method raises BalancerError where the database cannot be asked.

    It is not known then whether anything was done: `give_back` what may have been taken, until
    that succeeds. `freed` is called with locks that may have opened, after the commit. An owner is
    a text that means the same on all masters: 'request:17', 'build:23', 'build:23:step:0.2'.
    """

    def __init__(
        self,
        database: Any,  # master.database.Database
        reactor: Any,
        random: Callable[[], float],
        freed: Callable[[Sequence[LockKey]], None] | None = None,
        new_id: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        self._database = database
        self._reactor = reactor
        self._random = random
        self._freed = freed or _nobody
        self._new_id = new_id

    async def begin(self, name: str, masterid: int, lease: float) -> str:
        """Registers a new run of a master; returns its id. It holds nothing."""
        incarnation = self._new_id()
        await self._ask(shared_leases.insert, incarnation, masterid, name, lease)
        return incarnation

    async def beat(self, incarnation: str) -> bool:
        """False: the lease was lost, with all units; `begin` anew before anything is taken."""
        return bool(await self._ask(shared_leases.beat, incarnation))

    async def end_dead(self, incarnation: str) -> list[str]:
        """Ends the runs whose lease is over, gives back what they hold; returns their names."""
        ended: Ended = await self._ask(returning.end_dead, incarnation)
        self._say_freed(ended.units)
        return list(ended.masters)

    async def take(
        self,
        incarnation: str,
        owner: str,
        wants: Sequence[Want],
        *,
        wait: bool = True,
        priority: int = 0,
        running: bool = False,
    ) -> Taken | Refused:
        """All of it or nothing; asked again by the same owner it is the same grant.

        Raises LostLeaseError. Who is refused and waits keeps its place in the line from the first
        time on, and has to ask again at each 'freed' and every few seconds; others pass one that
        has not asked for `protocol.STALE`. `running`: it holds units while it waits (a step of a
        build that runs), and comes before all that hold none. A point of priority is worth
        `protocol.AGEING` seconds of waiting.
        """
        ask = Ask(
            incarnation=incarnation,
            owner=owner,
            wants=by_lock(wants),
            wait=wait,
            priority=priority,
            running=running,
        )
        if not ask.wants:
            return Taken({})
        for _ in range(TRIES):
            answer = await self._ask(take, ask)
            if isinstance(answer, (Taken, Refused)):
                return answer
            if answer is Obstacle.LOST:
                raise LostLeaseError('the lease of this master on shared locks is over')
            await self.end_dead(incarnation)
        raise BalancerError('shared locks: masters die faster than they can be buried')

    async def give_back(self, incarnation: str, owners: Sequence[str]) -> list[LockKey]:
        """Idempotent; returns the locks that may have opened."""
        units: list[Held] = await self._ask(returning.give_back, incarnation, list(owners))
        return self._say_freed(units)

    async def stop_waiting(self, incarnation: str, owners: Sequence[str]) -> None:
        left: list[LockKey] = await self._ask(returning.stop_waiting, incarnation, list(owners))
        if left:
            self._freed(left)

    async def hand_over(self, incarnation: str, old: str, new: str) -> int:
        """What `old` held is `new`'s; of how many locks, also when it is asked again.

        0: the lease was lost, with all units.
        """
        return int(await self._ask(returning.hand_over, incarnation, old, new))

    async def picture(self) -> list[SharedLock]:
        """All holders and waiters of all masters."""
        found: list[SharedLock] = await self._ask(picture)
        return found

    async def owners(self, incarnation: str) -> set[str]:
        """Whoever of this run holds something, or waits."""
        found: set[str] = await self._ask(returning.owners, incarnation)
        return found

    async def end(self, incarnation: str) -> None:
        """All of it is given back."""
        ended: Ended = await self._ask(returning.end, incarnation)
        self._say_freed(ended.units)

    async def _ask(self, work: Callable[..., Any], *args: Any) -> Any:
        pause = PAUSE
        for _ in range(TRIES):
            answer = await self._database.ask(alone, work, *args)
            if answer is not Again.TRY:
                return answer
            await deferLater(self._reactor, pause * (0.5 + self._random()), _nothing)
            pause *= 2
        raise BalancerError('the database says: others were in the way each time')

    def _say_freed(self, units: Iterable[Held]) -> list[LockKey]:
        locks = sorted({one.lock for one in units})
        if locks:
            self._freed(locks)
        return locks


def _nothing() -> None:
    pass


def _nobody(locks: Sequence[LockKey]) -> None:
    pass
