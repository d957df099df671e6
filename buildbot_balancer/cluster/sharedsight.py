# SPDX-License-Identifier: GPL-2.0-or-later
"""SharedSight: what is shown where several masters share a database: what this one sees, and what
the others have published.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from buildbot_balancer.cluster import pictures
from buildbot_balancer.cluster.seen import Seen
from buildbot_balancer.explain.sights import COMPLETE
from buildbot_balancer.explain.sights import RUNNING
from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.explain.sights import LockSight
from buildbot_balancer.explain.sights import RequestSight
from buildbot_balancer.explain.sights import Sample
from buildbot_balancer.explain.sights import WorkerSight
from buildbot_balancer.explain.verdicts import cut
from buildbot_balancer.master import compat
from buildbot_balancer.master.sight.sight import Sight

LONGEST = 2400  # characters of the reasons of all masters


class SharedSight:
    """As Sight, of which `own` is one. Only `look` asks the database for what the others see."""

    def __init__(self, master: Any, own: Sight, seen: Seen) -> None:
        self._master = master
        self._own = own
        self._seen = seen

    async def look(self) -> None:
        await self._seen.look()

    async def published(self) -> Mapping[str, str]:
        """What the others are told: what this master itself sees."""
        requests, _ = await self._own.requests(limit=pictures.MOST[pictures.REQUESTS])
        connected = self._connected()
        workers = [
            attrs.evolve(one, master=self._master.name) if one.workerid in connected else one
            for one in self._own.workers()
        ]
        workers.sort(key=lambda one: one.master is None)  # these are the first to be left out
        return {
            pictures.WORKERS: pictures.written(pictures.WORKERS, workers),
            pictures.REQUESTS: pictures.written(pictures.REQUESTS, requests),
            pictures.BUILDERS: pictures.written(pictures.BUILDERS, self._own.builders()),
        }

    # workers

    def workers(self) -> list[WorkerSight]:
        """Those of all masters, by name."""
        others = {one.workerid: one for one in self._seen.others().workers()}
        connected = self._connected()
        for own in self._own.workers():
            other = others.get(own.workerid)
            if other is None or other.master is None or own.workerid in connected:
                others[own.workerid] = own
        return sorted(others.values(), key=lambda one: one.name)

    def worker(self, workerid: int) -> WorkerSight | None:
        own = self._own.worker(workerid)
        if own is not None and workerid in self._connected():
            return own
        other = self._seen.others().worker(workerid)
        if own is not None and (other is None or other.master is None):
            return own
        return other

    def samples(self, workerid: int) -> list[Sample]:
        """Of this master alone."""
        return self._own.samples(workerid)

    def _connected(self) -> set[int]:
        return {one.workerid for one in compat.all_workers(self._master) if one.conn is not None}

    # locks and builders

    def locks(self) -> list[LockSight]:
        return self._own.locks()

    def lock(self, name: str, group: str | None = None) -> list[LockSight]:
        return self._own.lock(name, group)

    def builders(self) -> list[BuilderSight]:
        """Those of all masters, by name."""
        own = self._own.builders()
        others = self._seen.others().builders({one.builderid for one in own})
        return sorted([*own, *others], key=lambda one: one.name)

    def waiting(self, builderid: int) -> int | None:
        return self._own.waiting(builderid)

    # requests

    async def requests(
        self, offset: int = 0, limit: int | None = None, builderid: int | None = None
    ) -> tuple[list[RequestSight], int]:
        """Those of this master's builders first, then those of others' builders."""
        page, total = await self._own.requests(offset, limit, builderid)
        others = self._seen.others()
        ours = {one.builderid for one in self._own.builders()}
        foreign = others.requests(ours)
        if builderid is not None:
            foreign = [one for one in foreign if one.builderid == builderid]
        left = None if limit is None else offset + limit - total
        first = max(offset - total, 0)
        if left is None or left > 0:
            page = [*page, *foreign[first : left if left is None else max(left, 0)]]
        return page, total + len(foreign)

    async def request(self, requestid: int) -> RequestSight | None:
        """As this master sees it, and what the others say of it."""
        own = await self._own.request(requestid)
        if own is None or own.state in {RUNNING, COMPLETE}:
            return own
        others = self._seen.others().request(requestid)
        if not others:
            return own
        if own.builderid not in {one.builderid for one in self._own.builders()}:
            first, *others = others
            return _with(first, others)
        return _with(own, others)

    def changed(self, requestid: int) -> None:
        self._own.changed(requestid)


def _with(sight: RequestSight, others: list[RequestSight]) -> RequestSight:
    said = [sight.reason, *(one.reason for one in others)]
    return attrs.evolve(sight, reason=cut('; '.join(said), LONGEST))
