# SPDX-License-Identifier: GPL-2.0-or-later
"""Backlog: the requests that wait, their builders' names, and how they are ordered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.log import failed
from buildbot_balancer.master.choice.views import request_view
from buildbot_balancer.master.complaints import Complaints
from buildbot_balancer.master.distribution.urgency import Key
from buildbot_balancer.master.distribution.urgency import Urgency
from buildbot_balancer.master.requests.facts import Facts
from buildbot_balancer.master.requests.intake import Intake
from buildbot_balancer.master.requests.pending import Pending
from buildbot_balancer.master.requests.queue import Queue
from buildbot_balancer.master.requests.unclaimed import fetch_unclaimed


class Backlog:
    """`came(builder, request, key)` and `went(request)` are called in the turn of the event."""

    def __init__(self, master: Any, reactor: Any, complaints: Complaints) -> None:
        self._master = master
        self._complaints = complaints
        self._names: dict[int, str] = {}
        self._urgency = Urgency()
        self.came: Callable[[str, int, Key], None] = _nothing
        self.went: Callable[[int], None] = _nothing
        self.queue = Queue()
        self.facts = Facts(master, self._name_of)
        self._intake = Intake(master.mq, reactor, self.queue, lambda: fetch_unclaimed(master))
        self.queue.on_added(self._came)
        self.queue.on_gone(self._went)

    async def start(self) -> None:
        await self._intake.start()

    async def stop(self) -> None:
        await self._intake.stop()

    async def serve(self, names: Mapping[int, str], urgency: Urgency) -> None:
        """These builders, by id; what waits for them is told anew."""
        self._names = dict(names)
        self._urgency = urgency
        waiting = self.queue.in_order()
        await self._intake.serve(names)
        for pending in waiting:
            if pending.id in self.queue:
                self._came(pending)

    def get(self, request: int) -> Pending | None:
        return self.queue.get(request)

    async def breq(self, pending: Pending) -> Any:
        """Buildbot's BuildRequest; None: the database does not have it any more."""
        found = await self.facts.of(pending)
        if found is None:
            self.queue.discard(pending.id)
        return found

    async def has_parent(self, pending: Pending) -> bool:
        """A build waits for it: it starts also while the master waits for all builds to end."""
        if not pending.waited_for:
            return False
        buildset = await self._master.db.buildsets.getBuildset(pending.buildsetid)
        return buildset is not None and buildset.parent_buildid is not None

    def _name_of(self, builderid: int) -> str:
        return self._names.get(builderid, '')

    def _came(self, pending: Pending) -> None:
        if self._urgency.rank is not None:
            ranking = defer.ensureDeferred(self._came_with_rank(pending))
            ranking.addErrback(failed, f'ranking request {pending.id}')
        else:
            self._tell(pending, 0.0)

    async def _came_with_rank(self, pending: Pending) -> None:
        try:
            breq = await self.breq(pending)
        except Exception:  # it waits all the same
            failed(Failure(), f'ranking request {pending.id}')
            if pending.id in self.queue:
                self._tell(pending, 0.0)
            return
        builder = self._master.botmaster.builders.get(self._name_of(pending.builderid))
        if breq is not None and builder is not None and pending.id in self.queue:
            self._tell(pending, self._rank(breq, builder))

    def _rank(self, breq: Any, builder: Any) -> float:
        assert self._urgency.rank is not None  # noqa: S101
        try:
            view = request_view(breq, builder, self._master.reactor.seconds())
            rank = float(self._urgency.rank(view))
        except Exception as e:
            self._complaints.about('rank=', e)
            return 0.0
        return 0.0 if math.isnan(rank) else rank

    def _tell(self, pending: Pending, rank: float) -> None:
        name = self._names.get(pending.builderid)
        if name is not None:
            self.came(name, pending.id, self._urgency.key(pending, rank))

    def _went(self, request: int) -> None:
        self.facts.forget(request)
        self.went(request)


def _nothing(*_: Any) -> None:
    """Nobody listens yet."""
