# SPDX-License-Identifier: GPL-2.0-or-later
"""Writer: what is recorded now is written soon, many in one transaction, at most one a second."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.errors import BalancerError
from buildbot_balancer.explain.event import Event
from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.master.database import Database
from buildbot_balancer.tables import events

EVERY = 1.0  # seconds between two transactions, and from an event to the table
AT_ONCE = 500  # events of one transaction
MOST = 10_000  # events that wait; more are lost
LONGEST_RETRY = 60.0  # seconds between two attempts, while the database fails
STOP_PATIENCE = 10.0  # seconds for what is left at the stop


class Writer:
    def __init__(self, database: Database, reactor: Any) -> None:
        self._database = database
        self._reactor = reactor
        self._waiting: deque[Event] = deque()
        self._lost = 0  # since it was last said
        self._timer: Any = None  # for the next transaction; kept until that is over
        self._next = 0.0  # not before then
        self._retry = 0.0  # above 0 while the database fails
        self._running = False
        self._lock = defer.DeferredLock()

    def start(self) -> None:
        self._running = True
        self._plan()

    def add(self, event: Event) -> None:
        if len(self._waiting) < MOST:
            self._waiting.append(event)
            self._plan()
            return
        self._lost += 1
        if self._lost == 1:
            say(f'the history loses events: {MOST} wait to be written, and no more are kept')

    async def stop(self) -> None:
        """Writes what is left, unless the database does not answer."""
        self._running = False
        self._cancel()
        rest = self._lock.run(lambda: defer.ensureDeferred(self._write_rest()))
        rest.addTimeout(STOP_PATIENCE, self._reactor)
        try:
            await rest
        except defer.TimeoutError:
            self._give_up('the database does not answer')
        except BalancerError as e:
            self._give_up(str(e))
        except Exception:  # others have yet to be stopped
            failed(Failure(), 'writing the rest of the history')

    def _give_up(self, why: str) -> None:
        say(f'{len(self._waiting)} events of the history are lost: {why}')

    def alone(self, work: Callable[[], Any], unwanted: Callable[[Event], bool]) -> Any:
        """`work()` while nothing is written, after all `unwanted` ones that wait were dropped."""

        async def go() -> tuple[Any, int]:
            wanted = deque(event for event in self._waiting if not unwanted(event))
            dropped = len(self._waiting) - len(wanted)
            self._waiting = wanted
            return await work(), dropped

        return self._lock.run(lambda: defer.ensureDeferred(go()))

    def _plan(self) -> None:
        if self._running and self._waiting and self._timer is None:
            wait = max(self._next - self._reactor.seconds(), 0)
            self._timer = self._reactor.callLater(wait, self._write)

    def _cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _write(self) -> None:
        self._lock.run(lambda: defer.ensureDeferred(self._write_soon())).addErrback(
            failed, 'writing the history'
        )

    async def _write_soon(self) -> None:
        wait = EVERY
        try:
            await self._write_batch()
            self._succeeded()
        except BalancerError as e:
            wait = self._failed(str(e))
        except Exception:  # a defect of ours must not end the history
            wait = self._failed('see the error before this line')
            failed(Failure(), 'writing the history')
        self._next = self._reactor.seconds() + wait
        self._timer = None
        self._plan()

    async def _write_rest(self) -> None:
        while self._waiting:
            await self._write_batch()

    async def _write_batch(self) -> None:
        batch = list(islice(self._waiting, AT_ONCE))
        refused = await self._database.ask(events.insert, batch) if batch else 0
        for _ in batch:
            self._waiting.popleft()
        if refused:
            say(f'{refused} events of the history are lost: the database refuses them')

    def _succeeded(self) -> None:
        if self._retry:
            say('the history is written again')
        if self._lost:
            say(f'{self._lost} events of the history are lost: too many waited to be written')
        self._retry, self._lost = 0.0, 0

    def _failed(self, why: str) -> float:
        """Returns the seconds until the next attempt."""
        if not self._retry:
            say(f'the history cannot be written, which is tried again until it can: {why}')
        self._retry = min(max(2 * self._retry, EVERY), LONGEST_RETRY)
        return self._retry
