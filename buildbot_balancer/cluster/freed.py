# SPDX-License-Identifier: GPL-2.0-or-later
"""Freed: masters tell each other which shared locks may have opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.log import failed

TOPIC = ('balancer', 'shared', None, 'freed')


class Freed:
    """Over the masters' own message queue, which may lose a message. `opened(key)` is called for
    what this master has given back, too. `speaker`: its own messages come back to it.
    """

    def __init__(self, master: Any, speaker: str, opened: Callable[[LockKey], None]) -> None:
        self._master = master
        self._speaker = speaker
        self._opened = opened
        self._consumer: Any = None

    async def start(self) -> None:
        self._consumer = await self._master.mq.startConsuming(self._heard, TOPIC)

    async def stop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await defer.maybeDeferred(consumer.stopConsuming)

    def say(self, locks: Sequence[LockKey]) -> None:
        for key in locks:
            self._opened(key)
            message = {'name': key.name, 'group': key.group, 'speaker': self._speaker}
            try:
                self._master.mq.produce(('balancer', 'shared', str(key.id), 'freed'), message)
            except Exception:  # the others look by themselves, some seconds later
                failed(Failure(), 'telling other masters that a shared lock is free')

    def _heard(self, _: Any, message: Any) -> None:
        if message.get('speaker') != self._speaker:
            self._opened(LockKey(str(message.get('name')), str(message.get('group'))))
