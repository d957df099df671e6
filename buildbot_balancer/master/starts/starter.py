# SPDX-License-Identifier: GPL-2.0-or-later
"""Starter: from a place that was found for a request to the build."""

from __future__ import annotations

import enum
from typing import Any

from buildbot_balancer.master.choice.engine import Engine
from buildbot_balancer.master.requests.backlog import Backlog
from buildbot_balancer.master.requests.claims import Claimed
from buildbot_balancer.master.requests.claims import Claims


class Started(enum.Enum):
    YES = 'yes'
    GONE = 'gone'  # somebody else has it
    NOT_NOW = 'not now'  # the place was refused at the last moment; the request waits again
    LATER = 'later'  # the database could not be asked


class Starter:
    def __init__(self, master: Any, reactor: Any, engine: Engine, backlog: Backlog) -> None:
        self._engine = engine
        self._backlog = backlog
        self._claims = Claims(master, reactor)

    async def start(self, place: Any, breq: Any) -> Started:
        """Its locks are reserved; they are free again unless it starts."""
        self._engine.reservations.claims(breq)
        self._backlog.queue.remove(breq.id)
        claimed = Claimed.FAILED
        try:
            claimed = await self._claims.claim(breq.id)
        finally:
            if claimed is not Claimed.OURS:
                self._engine.reservations.end(breq)
            if claimed is Claimed.FAILED:
                self._backlog.queue.put_back(breq.id)
        if claimed is not Claimed.OURS:
            return Started.GONE if claimed is Claimed.LOST else Started.LATER
        started = False
        try:
            started = await place.builder.maybeStartBuild(place, [breq])
        finally:
            if not started:
                self._engine.reservations.end(breq)
                await self._claims.give_back(breq.id)
        if not started:
            return Started.NOT_NOW
        self._backlog.facts.forget(breq.id)
        return Started.YES
