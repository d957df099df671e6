# SPDX-License-Identifier: GPL-2.0-or-later
"""Remaining: how long the builds of a worker that drains will still take."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from typing import Callable

from twisted.internet import defer

from buildbot_balancer.availability.standing import Heard
from buildbot_balancer.log import failed
from buildbot_balancer.master.workers.builds import Builds
from buildbot_balancer.master.workers.durations import Durations


class Remaining:
    """`heard_of(worker)`: its last report; `told(worker)` is called when more is known.

    Only a drain asks, so that nobody else pays for the query.
    """

    def __init__(
        self,
        reactor: Any,
        builds: Builds,
        durations: Durations,
        heard_of: Callable[[Any], Heard | None],
        told: Callable[[Any], None],
    ) -> None:
        self._reactor = reactor
        self._builds = builds
        self._durations = durations
        self._heard_of = heard_of
        self._told = told
        self._ends: dict[str, dict[int, float | None]] = {}  # by worker, by the build's id

    def look(self, worker: Any) -> None:
        """Something about it has changed: its word, or the number of builds."""
        name = worker.workername
        heard = self._heard_of(worker)
        if heard is None or not heard.report.draining:
            self._ends.pop(name, None)
            return
        running = self._ids(name)
        known = self._ends.get(name, {})
        new = running - set(known)
        self._ends[name] = {one: known.get(one) for one in running}
        if new:
            asked = defer.ensureDeferred(self._ask(worker, new))
            asked.addErrback(failed, 'asking how long builds take')

    def left(self, name: str) -> float | None:
        """Seconds until the last of them is over; None: nobody can tell."""
        known, ids = self._ends.get(name, {}), self._ids(name)
        if not ids or len(ids) < self._builds.count(name):  # one is about to start
            return None
        now = self._reactor.seconds()
        left = 0.0
        for one in ids:
            end = known.get(one)
            if end is None or end <= now:  # it takes longer than those before it
                return None
            left = max(left, end - now)
        return left

    async def _ask(self, worker: Any, ids: Collection[int]) -> None:
        found = await self._durations.ends(ids)
        known = self._ends.get(worker.workername, {})
        news = {one: end for one, end in found.items() if one in known and end is not None}
        known.update(news)
        if news:
            self._told(worker)

    def _ids(self, name: str) -> set[int]:
        builds = self._builds.of(name)
        return {build.buildid for build in builds if build.buildid is not None}
