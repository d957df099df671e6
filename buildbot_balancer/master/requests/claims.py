# SPDX-License-Identifier: GPL-2.0-or-later
"""Claims: a request is this master's own from here on; only the database decides."""

from __future__ import annotations

import enum
from typing import Any

from buildbot.util import epoch2datetime
from twisted.internet import task
from twisted.python.failure import Failure

from buildbot_balancer.log import failed

PAUSES = (0.1, 0.5, 2.0)  # seconds between tries of a claim that raises


class Claimed(enum.Enum):
    OURS = 'ours'
    LOST = 'lost'  # another master, or a cancel, was faster
    FAILED = 'failed'  # the database could not be asked; nothing is claimed


class Claims:
    """Buildbot's list of requests in progress, by which a cancel finds them, is kept with it."""

    def __init__(self, master: Any, reactor: Any) -> None:
        self._master = master
        self._reactor = reactor
        self._doubtful: set[int] = set()  # a claim of ours raised, and may have been written

    async def claim(self, request: int) -> Claimed:
        botmaster = self._master.botmaster
        botmaster.add_in_progress_buildrequest(request)
        claimed = Claimed.FAILED
        try:
            claimed = await self._claim(request)
        finally:
            if claimed is not Claimed.OURS:
                botmaster.remove_in_progress_buildrequest(request)
        return claimed

    async def give_back(self, request: int) -> None:
        """The build did not start after all."""
        self._master.botmaster.remove_in_progress_buildrequest(request)
        for pause in (*PAUSES, None):
            try:
                await self._master.data.updates.unclaimBuildRequests([request])
            except Exception:
                failed(Failure(), f'giving back request {request}')
            else:
                return
            if pause is not None:
                await task.deferLater(self._reactor, pause)

    async def _claim(self, request: int) -> Claimed:
        for pause in (*PAUSES, None):
            try:
                claimed = Claimed.OURS if await self._ask(request) else await self._whose(request)
                self._doubtful.discard(request)
            except Exception:
                failed(Failure(), f'claiming request {request}')
                self._doubtful.add(request)
            else:
                return claimed
            if pause is not None:
                await task.deferLater(self._reactor, pause)
        return Claimed.FAILED

    async def _ask(self, request: int) -> bool:
        at = epoch2datetime(self._reactor.seconds())
        return bool(await self._master.data.updates.claimBuildRequests([request], claimed_at=at))

    async def _whose(self, request: int) -> Claimed:
        if request not in self._doubtful:
            return Claimed.LOST
        row = await self._master.db.buildrequests.getBuildRequest(request)
        ours = row is not None and row.claimed_by_masterid == self._master.masterid
        return Claimed.OURS if ours and not row.complete else Claimed.LOST
