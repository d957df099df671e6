# SPDX-License-Identifier: GPL-2.0-or-later
"""Neighbours: what the masters on one database know of each other, their locks aside.

A master that is alone (``multiMaster`` is not set) looks once a minute whether something that was
said could not be kept, in memory, and for what it has lost when its database failed; all else is
for several.
"""

from __future__ import annotations

from random import Random
from typing import Any
from typing import Callable

from buildbot_balancer.cluster.hearing import Hearing
from buildbot_balancer.cluster.orphans import Orphans
from buildbot_balancer.cluster.published import Published
from buildbot_balancer.cluster.seen import Seen
from buildbot_balancer.cluster.sharedsight import SharedSight
from buildbot_balancer.master.record.control import Control
from buildbot_balancer.master.record.words import Words
from buildbot_balancer.master.sight.sight import Sight

SAID = ('balancer', 'said', 'changed')
POLL = 5.0  # seconds: a lost message costs so many
ALONE = 60.0


class Neighbours:
    """`clock` measures what a look costs."""

    def __init__(
        self,
        master: Any,
        reactor: Any,
        database: Any,
        words: Words,
        control: Control,
        sight: Sight,
        random: Random,
        clock: Callable[[], float],
    ) -> None:
        self._master = master
        self._words = words
        self._control = control
        self._own = sight
        self._seen = Seen(master, reactor, database)
        self._shared = SharedSight(master, sight, self._seen)
        self._published = Published(master, reactor, database, self._shared.published, clock)
        self._orphans = Orphans(master, reactor, database, random.random)
        self._hearing = Hearing(master, reactor, SAID, self._hear, self._every, random.random)
        words.kept = self._kept
        self._started = False

    @property
    def are_there(self) -> bool:
        return bool(self._master.config.multiMaster)

    @property
    def sight(self) -> Sight | SharedSight:
        return self._shared if self.are_there else self._own

    async def announce(self) -> None:
        """Before anything starts: the others know that this master lives."""
        await self._hearing.start()
        if self.are_there:
            await self._published.announce()

    async def start(self) -> None:
        self._started = True
        await self.look_at_config()

    async def look_at_config(self) -> None:
        """At each reconfig."""
        if not self._started:
            return
        self._orphans.start()
        if self.are_there:
            await self._published.start()
        else:
            await self._leave()

    async def stop(self) -> None:
        self._started = False
        await self._hearing.stop()
        await self._orphans.stop()
        await self._leave()

    async def _leave(self) -> None:
        await self._published.stop()
        self._seen.forget()

    def _every(self) -> float:
        return POLL if self.are_there else ALONE

    def _kept(self) -> None:
        if self.are_there:
            self._hearing.say()
            self._published.soon()

    async def _hear(self) -> None:
        if not self.are_there and not self._words.is_behind:
            return
        said = await self._words.read()
        if said is not None and await self._control.hear(said):
            self._published.soon()
