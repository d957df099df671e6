# SPDX-License-Identifier: GPL-2.0-or-later
"""Published: what this master tells the others of what it sees, at a bounded rate.

A picture that is what it was costs one small UPDATE. One that takes long to make is made less
often.
"""

from __future__ import annotations

from collections.abc import Awaitable
from collections.abc import Mapping
from typing import Any
from typing import Callable

from twisted.internet import defer

from buildbot_balancer.cluster import pictures
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.tables import seen

EVERY = 10.0  # seconds between two pictures
SOON = 1.0  # seconds: where somebody has said something
SHARE = 50.0  # times as long as one takes, at least


class Published:
    """`look()`: the contents by kind; `database` is a Database; `clock` measures the cost."""

    def __init__(
        self,
        master: Any,
        reactor: Any,
        database: Any,
        look: Callable[[], Awaitable[Mapping[str, str]]],
        clock: Callable[[], float],
    ) -> None:
        self._master = master
        self._reactor = reactor
        self._database = database
        self._look = look
        self._clock = clock
        self._took = 0.0  # seconds that the last picture took
        self._last: dict[str, str] = {}
        self._timer: Any = None
        self._going: defer.Deferred[None] | None = None
        self._announced = False
        self._started = False
        self._problem = ''

    async def announce(self) -> None:
        """The others know that this master lives, and that its last run is over, when this returns
        (where the database can be asked).
        """
        await self._tell({kind: pictures.written(kind, ()) for kind in pictures.KINDS})
        self._announced = True

    async def start(self) -> None:
        if self._started:
            return
        self._started = True
        if not self._announced:
            await self.announce()
        self._next(0)

    async def stop(self) -> None:
        """Nothing of this master is shown elsewhere any more."""
        announced, self._announced, self._started = self._announced, False, False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._going is not None:
            await self._going
        self._last.clear()
        if not announced:
            return
        try:
            await self._database.ask(seen.delete, self._master.masterid)
        except BalancerError as e:
            say(f'what this master saw is shown by others for a while: {e}')

    def soon(self) -> None:
        """What somebody has just said is in the next picture."""
        timer = self._timer
        if timer is not None and timer.active():
            timer.reset(min(SOON, max(timer.getTime() - self._reactor.seconds(), 0)))

    def _next(self, wait: float) -> None:
        if self._started:
            self._timer = self._reactor.callLater(wait, self._begin)

    def _begin(self) -> None:
        going: defer.Deferred[None] = defer.Deferred()
        self._going = going
        done = defer.ensureDeferred(self._publish())
        done.addErrback(failed, 'telling the other masters what this one sees')
        done.addCallback(self._ended, going)

    def _ended(self, _: Any, going: defer.Deferred[None]) -> None:
        self._going = None
        self._next(max(EVERY, SHARE * self._took))
        going.callback(None)

    async def _publish(self) -> None:
        began = self._clock()
        contents = await self._look()
        self._took = self._clock() - began
        if self._started:
            await self._tell(contents)

    async def _tell(self, contents: Mapping[str, str]) -> None:
        changed = {kind: one for kind, one in contents.items() if self._last.get(kind) != one}
        same = contents.keys() - changed.keys()
        ask = self._database.ask
        try:
            whole = await ask(seen.publish, self._master.masterid, changed, same)
            await ask(seen.delete_old)
        except BalancerError as e:
            self._last.clear()
            self._complain(str(e))
            return
        self._problem = ''
        self._last = dict(contents) if whole else {}

    def _complain(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            say(f'the other masters are not told what this one sees: {problem}')
