# SPDX-License-Identifier: GPL-2.0-or-later
"""Hearing: does something when another master says so, and at a slow beat behind it.

A message may be lost, doubled or late: it spares the wait for the beat, and nothing depends on it.
"""

from __future__ import annotations

from collections.abc import Coroutine
from collections.abc import Mapping
from typing import Any
from typing import Callable

from twisted.internet import defer

from buildbot_balancer.log import failed


class Hearing:
    """`act()` is called never twice at once; `every()`: seconds between two beats; `random()`: 0
    to 1, so that masters that start together do not ask together.
    """

    def __init__(
        self,
        master: Any,
        reactor: Any,
        key: tuple[str, ...],
        act: Callable[[], Coroutine[Any, Any, None]],
        every: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._master = master
        self._reactor = reactor
        self._key = key
        self._act = act
        self._every = every
        self._random = random
        self._consumer: Any = None
        self._timer: Any = None
        self._going: defer.Deferred[None] | None = None
        self._again = False
        self._started = False

    async def start(self) -> None:
        self._started = True
        self._next()
        self._consumer = await self._master.mq.startConsuming(self._heard, self._key)

    async def stop(self) -> None:
        """What goes on has ended when this returns."""
        self._started = False
        self._cancel()
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await defer.maybeDeferred(consumer.stopConsuming)
        if self._going is not None:
            await self._going

    def say(self) -> None:
        """To all others."""
        self._master.mq.produce(self._key, {'masterid': self._master.masterid})

    def look(self) -> None:
        """Now, or once more when what goes on has ended: it may have begun too early."""
        self._again = True
        if self._going is None and self._started:
            self._begin()

    def _heard(self, _: Any, message: Any) -> None:
        own = isinstance(message, Mapping) and message.get('masterid') == self._master.masterid
        if not own:
            self.look()

    def _begin(self) -> None:
        self._cancel()
        self._again = False
        going: defer.Deferred[None] = defer.Deferred()
        self._going = going
        done = defer.ensureDeferred(self._act())
        done.addErrback(failed, f'after {"/".join(self._key)}')
        done.addCallback(self._ended, going)

    def _ended(self, _: Any, going: defer.Deferred[None]) -> None:
        self._going = None
        if self._started and self._again:
            self._begin()
        elif self._started:
            self._next()
        going.callback(None)

    def _next(self) -> None:
        wait = self._every() * (0.75 + self._random() / 2)
        self._timer = self._reactor.callLater(wait, self._begin)

    def _cancel(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
