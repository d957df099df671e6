# SPDX-License-Identifier: GPL-2.0-or-later
"""Intake: keeps the queue true.

Buildbot's events say at once what happens to a request, here and on other masters. They may be
lost, doubled or late, and for some things there are none (another priority, the claims of a
master that died), so the database is asked at a slow beat: a lost event costs a delay, never a
build.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.availability.text import describe
from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.master.requests.pending import Pending
from buildbot_balancer.master.requests.pending import Row
from buildbot_balancer.master.requests.queue import Queue
from buildbot_balancer.master.requests.reconciliation import Fetch
from buildbot_balancer.master.requests.reconciliation import Reconciliation
from buildbot_balancer.master.requests.tombstones import Tombstones

EVERY = 60.0  # seconds between two looks at the database
SOON = 5.0  # seconds: after the start, for mq may not listen yet, and after a look that failed

# One subscription to all of them, for only within one a mq keeps the order. A cancel says
# "complete" and "cancel", the latter without usable data.
EVENTS = ('buildrequests', None, None)
WAITS = {'new', 'unclaimed'}
GONE = {'claimed', 'complete', 'cancel'}


class Intake:
    """`fetch` asks the database; requests of builders that `serve` did not name are ignored."""

    def __init__(
        self, mq: Any, reactor: Any, queue: Queue, fetch: Fetch, every: float = EVERY
    ) -> None:
        self._mq = mq
        self._reactor = reactor
        self._queue = queue
        self._fetch = fetch
        self._every = every
        self._builders: frozenset[int] = frozenset()
        self._tombstones = Tombstones()
        self._consumer: Any = None
        self._timer: Any = None
        self._looking = defer.DeferredLock()
        self._now: Reconciliation | None = None
        self._taken: dict[int, float] = {}  # since when, as far as the looks have seen
        self._stopped = False

    async def start(self) -> None:
        """Listens first and loads then, so that nothing falls in between."""
        self._consumer = await self._mq.startConsuming(self.hear, EVENTS)
        await self.check()
        self._next_look(SOON)

    async def stop(self) -> None:
        self._stopped = True
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await defer.maybeDeferred(consumer.stopConsuming)
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._now is not None:
            self._now.cancel()
        await self._looking.run(lambda: None)

    async def serve(self, builderids: Iterable[int]) -> None:
        """The builders whose requests are wanted; those of new ones are there when this returns."""
        before, self._builders = self._builders, frozenset(builderids)
        self._queue.keep_only(self._builders)
        if self._consumer is not None and self._builders - before:
            await self.check()

    def hear(self, key: tuple[str, ...], message: Any) -> None:
        """An event of mq."""
        event = key[-1]
        if event in WAITS:
            self._waits(key, message)
        elif event in GONE:
            self._gone(int(key[1]), complete=event != 'claimed')

    async def check(self) -> None:
        """Makes the queue what the database says; a failure is logged, and soon tried again."""
        await self._looking.run(lambda: defer.ensureDeferred(self._look()))

    def _waits(self, key: tuple[str, ...], message: Any) -> None:
        try:
            pending = Pending.from_message(message)
        except (LookupError, TypeError, ValueError, OverflowError) as e:
            say(f'the event {"/".join(key)} cannot be used: {describe(e)}')
            return  # the slow look finds the request
        self._heard(pending.id)
        if not self._serves(pending.builderid):
            return
        if message.get('claimed') or message.get('complete'):
            return  # it was read late; there is another event for that
        if key[-1] == 'unclaimed':
            if self._tombstones.rises(pending.id):
                self._queue.add(pending)
        elif not self._is_known(pending.id):
            self._queue.add(pending)

    def _is_known(self, request: int) -> bool:
        """So that "new" is late, or comes twice."""
        known = request in self._queue or self._queue.is_taken(request)
        return known or request in self._tombstones

    def _gone(self, request: int, *, complete: bool) -> None:
        self._heard(request)
        self._tombstones.bury(request, complete=complete)
        self._queue.discard(request)

    def _serves(self, builderid: int) -> bool:
        return builderid in self._builders  # which may change while a look goes on

    def _heard(self, request: int) -> None:
        if self._now is not None:
            self._now.hear(request)

    async def _look(self) -> list[Row]:
        if self._stopped:
            return []
        now = Reconciliation(self._queue, self._reactor, self._serves, self._overdue())
        self._now = now
        try:
            found = await now.run(self._fetch)
        except Exception:
            failed(Failure(), 'comparing the queue with the database')
            self._next_look(SOON)
            return []
        finally:
            self._now = None
        self._next_look(self._every)
        return found

    def _overdue(self) -> set[int]:
        """Who was on the way to a claim a whole beat ago and still is: nobody takes that long.

        One that was put back and removed once more in between is counted too. That does no harm,
        for only the claim decides.
        """
        now = self._reactor.seconds()
        self._taken = {request: self._taken.get(request, now) for request in self._queue.taken()}
        return {request for request, at in self._taken.items() if now - at >= self._every}

    def _next_look(self, wait: float) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if not self._stopped:
            wait = min(wait, self._every)
            self._timer = self._reactor.callLater(wait, self._slow_look)

    def _slow_look(self) -> None:
        looked = self._looking.run(lambda: defer.ensureDeferred(self._look()))
        looked.addCallback(self._say_what_was_missed)
        looked.addErrback(failed, 'looking for requests that no event told of')

    def _say_what_was_missed(self, added: list[Row]) -> None:
        heard_by = self._reactor.seconds() - SOON  # an event may still be on its way
        missed = sum(Pending(*row).submitted_at < heard_by for row in added)
        if missed:
            say(f'{missed} of the requests that wait were found in the database, by no event')
