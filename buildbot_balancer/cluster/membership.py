# SPDX-License-Identifier: GPL-2.0-or-later
"""Membership: this master's lease on what it holds of shared locks, and its heartbeat."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import Any
from typing import Callable
from typing import TypeVar

from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.cluster.store import Store
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.tables.shared_leases import BEATS

Result = TypeVar('Result')

LEASE = 30.0  # seconds
SHARPNESS = 0.95  # of a lease are relied upon, for two clocks never run at one speed
RETRIES = 10  # in the time of a lease, while the database does not answer


class Told:
    """Who is told; a method that is called may ask the store, and must not raise."""

    def lease_began(self, incarnation: str) -> None:
        """From now on units can be taken; none is held."""

    def lease_unsure(self, incarnation: str) -> None:
        """The database was not heard for a lease: others may soon have what is held, or do."""

    def lease_sure(self, incarnation: str) -> None:
        """It was unsure, and nothing was lost."""

    def lease_lost(self, incarnation: str) -> None:
        """Others may have what it held; what still runs, runs without its units."""


def steady() -> float:
    """Seconds that go on while the machine sleeps, and that nobody sets."""
    clock = getattr(time, 'CLOCK_BOOTTIME', None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Membership:
    """Begins with the first `need`; a beat without an answer is given up after a lease.

    `who` gives the master's name and id once it is needed.
    """

    def __init__(
        self,
        reactor: Any,
        store: Store,
        who: Callable[[], tuple[str, int]],
        told: Told | None = None,
        lease: float = LEASE,
        clock: Callable[[], float] = steady,
    ) -> None:
        self.lease = lease  # of the run that there is
        self.next_lease = lease  # of one that begins
        self.incarnation: str | None = None
        self._reactor = reactor
        self._store = store
        self._who = who
        self._told = Told() if told is None else told
        self._clock = clock
        self._sure_until = clock()
        self._warned = False  # `told` knows that it is unsure
        self._complained = False  # the log knows that the database does not answer
        self._wanted = False
        self._turn: defer.Deferred[None] | None = None
        self._next: Any = None
        self._warning: Any = None

    @property
    def is_sure(self) -> bool:
        """What was granted is this master's at this very instant, however late the clock's call."""
        return self.seconds_left > 0

    @property
    def seconds_left(self) -> float:
        """For which the lease surely holds, whatever the database does."""
        return 0.0 if self.incarnation is None else max(self._sure_until - self._clock(), 0.0)

    def need(self) -> None:
        """Somebody wants a shared lock: it begins, if it has not."""
        if not self._wanted:
            self._wanted = True
            self._beat_soon(0)

    async def stop(self) -> None:
        """All is given back; the lease ends by itself where the database does not answer."""
        self._wanted = False
        for call in (self._next, self._warning):
            if call is not None and call.active():
                call.cancel()
        if self._turn is not None:
            self._turn.cancel()
        incarnation, self.incarnation = self.incarnation, None
        if incarnation is None:
            return
        try:
            await self._store.end(incarnation)
        except BalancerError as e:
            say(f'shared locks are given back when the lease is over, in {self.lease:.0f} s: {e}')

    # beats

    def _beat_soon(self, seconds: float) -> None:
        self._next = self._reactor.callLater(seconds, self._beat)

    def _beat(self) -> None:
        self._turn = defer.ensureDeferred(self._one_turn())

    async def _one_turn(self) -> None:
        in_a_lease = BEATS
        try:
            await self._begin_or_beat()
            self._complained = False
        except defer.CancelledError:  # it stops
            return
        except (BalancerError, defer.TimeoutError) as e:
            in_a_lease = RETRIES
            self._complain(e)
        except Exception:
            failed(Failure(), 'the heartbeat of shared locks')
        if self._wanted:
            self._beat_soon(self.lease / in_a_lease)

    def _complain(self, error: Exception) -> None:
        late = isinstance(error, defer.TimeoutError)
        why = 'the database does not answer' if late else error
        if not self._complained:
            say(f'no heartbeat for shared locks: {why}')
            self._complained = True

    def _in_time(self, asking: Coroutine[Any, Any, Result]) -> defer.Deferred[Result]:
        """A connection over a network that was cut may be silent long after that has healed."""
        return defer.ensureDeferred(asking).addTimeout(self.lease, self._reactor)

    async def _begin_or_beat(self) -> None:
        if self.incarnation is not None:
            await self._renew(self.incarnation)
        if self.incarnation is None and self._wanted:
            await self._begin()
        elif self.incarnation is not None:
            for name in await self._in_time(self._store.end_dead(self.incarnation)):
                say(f'shared locks: the lease of master {name} is over; its units are given back')

    async def _begin(self) -> None:
        sent = self._clock()
        self.lease = self.next_lease
        made = await self._in_time(self._store.begin(*self._who(), self.lease))
        self.incarnation = made
        self._heard(sent)
        self._told.lease_began(made)

    async def _renew(self, incarnation: str) -> None:
        sent = self._clock()
        if await self._in_time(self._store.beat(incarnation)):
            self._heard(sent)
            return
        self.incarnation = None
        self._warned = False
        say('shared locks: the lease of this master was lost; others may have what it held')
        self._told.lease_lost(incarnation)

    def _heard(self, sent: float) -> None:
        """The database counts from a moment that is not before the question was sent."""
        self._sure_until = sent + self.lease * SHARPNESS
        if self._warning is not None and self._warning.active():
            self._warning.cancel()
        self._warning = self._reactor.callLater(self.seconds_left, self._look)
        if self._warned and self.is_sure and self.incarnation is not None:
            self._warned = False
            say('shared locks: the lease of this master holds again; nothing was lost')
            self._told.lease_sure(self.incarnation)

    def _look(self) -> None:
        if self.incarnation is None or self._warned:
            return
        if self.is_sure:
            self._warning = self._reactor.callLater(self.seconds_left, self._look)
            return
        self._warned = True
        say('shared locks: the database was not heard for a lease; nothing is started with them')
        self._told.lease_unsure(self.incarnation)
