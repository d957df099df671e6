# SPDX-License-Identifier: GPL-2.0-or-later
"""Ledger: how long locks of this master are held and waited for."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.explain.event import HELD
from buildbot_balancer.explain.event import WAITED
from buildbot_balancer.explain.event import Event
from buildbot_balancer.locks.door import Door
from buildbot_balancer.log import failed
from buildbot_balancer.master.distribution.wishes import Key
from buildbot_balancer.master.distribution.wishes import Wishes
from buildbot_balancer.master.locks.guards import Guards
from buildbot_balancer.master.locks.party import Party
from buildbot_balancer.master.locks.reallocks import RealLocks
from buildbot_balancer.master.locks.reservations import Pair
from buildbot_balancer.master.locks.reservations import Reservation
from buildbot_balancer.master.locks.reservations import Reservations
from buildbot_balancer.policy.decision import Decision

GONE = ('claimed', 'complete', 'cancel')  # what Buildbot says of requests that wait no more


class Ledger:
    """`record(event)` gets a HELD event when somebody lets go of a lock that was seen to be
    claimed, from the claim on, and a WAITED event when somebody has what it waited for: a build or
    a step from its first wait to its claim, a pending request from the first look at which the lock
    was in its way to the moment at which it was let go of. However short: who keeps events decides
    which are worth it. `tell(name, group)` is called after each change of who holds a lock or waits
    for it, often more than once.

    Both are anybody's to set, and are called in the midst of an operation. What they raise is
    logged, and nothing more.
    """

    def __init__(
        self,
        master: Any,
        reactor: Any,
        guards: Guards,
        reservations: Reservations,
    ) -> None:
        self.record: Callable[[Event], Any] = _nothing
        self.tell: Callable[[str, str], Any] = _nothing
        self.reservations = reservations
        self.wishes = Wishes()
        self.locks = RealLocks(master, self.now, guards.kept, self)
        self._master = master
        self._reactor = reactor
        self.builderids: dict[str, int] = {}
        self._consumers: list[Any] = []

    def now(self) -> float:
        return float(self._reactor.seconds())

    async def start(self) -> None:
        """Also at each reconfig. Who holds a lock already does so since nobody knows when."""
        self.locks.watch_all()
        self.reservations.watch = self
        builders = self._master.botmaster.builders
        self.builderids = {name: await one.getBuilderId() for name, one in builders.items()}
        if not self._consumers:
            listen = self._master.mq.startConsuming
            self._consumers = [
                await listen(self._went, ('buildrequests', None, event)) for event in GONE
            ]

    async def stop(self) -> None:
        self.reservations.watch = None
        self.locks.stop()
        consumers, self._consumers = self._consumers, []
        for one in consumers:
            await defer.maybeDeferred(one.stopConsuming)

    # what pending requests wait for

    def decided(self, request: int, decision: Decision | None) -> None:
        """Something else than before is said of it; None: nothing more."""
        builder, locks = ('', ()) if decision is None else (decision.builder, decision.locks)
        for name, group in self.wishes.wait(request, builder, locks, self.now()):
            self.changed(name, group)

    def _went(self, key: tuple[str, ...], _: Any) -> None:
        self.decided(int(key[1]), None)

    # as a watch of reservations

    def reserved(self, reservation: Reservation, pairs: Iterable[Pair]) -> None:
        request, now = reservation.request, self.now()
        pairs = [*pairs, *reservation.worker_locks]
        for key in dict.fromkeys(self._keys(request, pairs)):
            seconds = self.wishes.waited(request.id, key, now)
            if seconds is not None:
                self._shielded(self._tell, WAITED, *key, Party.of(request), seconds)
        for name, group in self.wishes.drop(request.id):
            self.changed(name, group)
        self.touched(pairs)

    def touched(self, pairs: Iterable[Pair]) -> None:
        stock = [pair for pair in pairs if not isinstance(pair[0], Door)]
        for name, group in self._keys(None, stock):  # our own say so themselves
            self.changed(name, group)

    def _keys(self, request: Any, pairs: Iterable[Pair]) -> Iterator[Key]:
        for lock, access in pairs:
            behind = lock.known_for(request, access) if isinstance(lock, Door) else lock
            place = None if behind is None else self.locks.place(behind)
            if place is not None:
                yield place.lockName, place.group

    # as a watch of real locks

    def changed(self, name: str, group: str) -> None:
        self._shielded(self.tell, name, group)

    def ended(self, kind: str, name: str, group: str, requester: Any, seconds: float) -> None:
        if kind == HELD:
            self.wishes.opened((name, group), self.now())
        self._shielded(self._end, kind, name, group, requester, seconds)

    def _end(self, kind: str, name: str, group: str, requester: Any, seconds: float) -> None:
        party = Party.of(requester)
        releasing = self.reservations.releasing
        if kind == HELD and releasing is not None and releasing.worker is requester:
            # of a worker's claims each is one build's, which the lock does not know
            party, seconds = Party.of(releasing), self.now() - releasing.claimed_at
        self._tell(kind, name, group, party, seconds)

    def _tell(self, kind: str, name: str, group: str, party: Party, seconds: float) -> None:
        event = Event(
            kind=kind,
            at=self.now(),
            lock=name,
            group=group or None,
            builder=party.builder,
            request=party.buildrequestid,
            worker=party.worker,
            duration=max(seconds, 0.0),
        )
        self.record(event)

    def _shielded(self, call: Callable[..., Any], *args: Any) -> None:
        try:
            call(*args)
        except Exception:
            failed(Failure(), 'telling what happened to a lock')


def _nothing(*_: Any) -> None:
    """Nobody wants to know."""
