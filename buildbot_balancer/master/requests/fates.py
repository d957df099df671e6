# SPDX-License-Identifier: GPL-2.0-or-later
"""Fates: what has become of requests that wait no more, and of those that wait elsewhere."""

from __future__ import annotations

from typing import Any

from buildbot.process.results import Results
from buildbot.process.results import statusToString
from buildbot.util import datetime2epoch

from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.explain import sights
from buildbot_balancer.explain.sights import RequestSight
from buildbot_balancer.master import compat
from buildbot_balancer.policy.decision import Decision

NAME = 60  # characters


class Fates:
    """Rows are Buildbot's BuildRequestModels. One or two queries for each."""

    def __init__(self, master: Any, reactor: Any) -> None:
        self._master = master
        self._reactor = reactor

    async def of(self, row: Any, decision: Decision | None = None) -> RequestSight:
        """Of one that was claimed or is complete; `decision`: why it started where it did."""
        builds = await self._master.db.builds.getBuilds(buildrequestid=row.buildrequestid)
        build = max(builds, key=lambda one: one.id, default=None)
        if row.complete:
            reason = await self._complete(row, build)
        else:
            reason = await self._running(row, build, decision)
        state = sights.COMPLETE if row.complete else sights.RUNNING
        return sight_of(row, state, reason)

    async def elsewhere(self, row: Any) -> RequestSight:
        """Of one that waits for a builder that this master does not have."""
        name = clean(row.buildername, NAME)
        masters = await self._master.data.get(('builders', str(row.builderid), 'masters'))
        others = [
            clean(str(one['name']), NAME)
            for one in masters
            if one['active'] and one['masterid'] != self._master.masterid
        ]
        if others:
            said = f'builder {name} is not of this master; it is of {", ".join(others)}'
            return sight_of(row, sights.WAITING, said)
        said = f'waiting does not help: no master that runs has builder {name}'
        return sight_of(row, sights.STUCK, said)

    async def _complete(self, row: Any, build: Any) -> str:
        result = _result(row.results)
        at = '' if row.complete_at is None else f' at {self._clock(row.complete_at)}'
        if build is None:
            return f'ended without a build{at}: {result}'
        return f'{await self._title(row, build)}: {result}{at}'

    async def _running(self, row: Any, build: Any, decision: Decision | None) -> str:
        if build is None or build.complete_at is not None:
            since = '' if row.claimed_at is None else f' since {self._clock(row.claimed_at)}'
            return f'is about to start{await self._on_master(row)}{since}'
        title = await self._title(row, build)
        why = _why(decision)
        where = await self._on_master(row)
        return f'runs as {title}{where} since {self._clock(build.started_at)}{why}'

    async def _title(self, row: Any, build: Any) -> str:
        worker = await self._worker(build.workerid)
        return f'{clean(row.buildername, NAME)} #{build.number} on {worker}'

    async def _worker(self, workerid: int | None) -> str:
        for worker in compat.all_workers(self._master):
            if worker.workerid == workerid:
                return clean(worker.workername, NAME)
        known = None
        if workerid is not None:
            known = await self._master.data.get(('workers', str(workerid)))
        return 'a worker that is no more' if known is None else clean(known['name'], NAME)

    async def _on_master(self, row: Any) -> str:
        masterid = row.claimed_by_masterid
        if masterid is None or masterid == self._master.masterid:
            return ''
        known = await self._master.data.get(('masters', str(masterid)))
        return '' if known is None else f' on master {clean(known["name"], NAME)}'

    def _clock(self, at: Any) -> str:
        return clock_text(datetime2epoch(at), self._reactor.seconds())


def sight_of(row: Any, state: str, reason: str, position: int | None = None) -> RequestSight:
    return RequestSight(
        buildrequestid=row.buildrequestid,
        builderid=row.builderid,
        buildername=clean(row.buildername, NAME),
        priority=row.priority,
        submitted_at=float(datetime2epoch(row.submitted_at)),
        position=position,
        state=state,
        reason=reason,
    )


def _result(results: int | None) -> str:
    known = results is not None and 0 <= results < len(Results)
    return str(statusToString(results)) if known else 'unknown result'


def _why(decision: Decision | None) -> str:
    if decision is None or decision.worker is None or decision.score is None:
        return ''
    parts = ', '.join(f'{clean(name, NAME)} {score:.0f}' for name, score in decision.parts)
    return f' (score {decision.score:.0f}: {parts})' if parts else ''
