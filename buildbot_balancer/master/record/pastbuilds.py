# SPDX-License-Identifier: GPL-2.0-or-later
"""PastBuilds: those that are over, of all builders and masters, in one query."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.process.results import WARNINGS

from buildbot_balancer.policy.past import PastBuild


class PastBuilds:
    """Both answers are in the order in which the builds began."""

    def __init__(self, master: Any) -> None:
        self._master = master

    async def last(self, most: int) -> list[PastBuild]:
        """The last ones that are over."""
        db = self._master.db
        found: list[PastBuild] = await db.pool.do(_last, db.model, most)
        return found

    async def among(self, ids: Collection[int]) -> list[PastBuild]:
        """Those of `ids` that are over."""
        db = self._master.db
        found: list[PastBuild] = await db.pool.do(_among, db.model, list(ids))
        return found


def _last(connection: Any, model: Any, most: int) -> list[PastBuild]:
    builds = model.builds
    return _read(connection, model, _over(builds).order_by(builds.c.id.desc()).limit(most))


def _among(connection: Any, model: Any, ids: list[int]) -> list[PastBuild]:
    builds = model.builds
    return _read(connection, model, _over(builds).where(builds.c.id.in_(ids)))


def _over(builds: Any) -> Any:
    return sa.select(
        builds.c.id,
        builds.c.builderid,
        builds.c.workerid,
        builds.c.buildrequestid,
        builds.c.started_at,
        builds.c.complete_at,
        builds.c.locks_duration_s,
        builds.c.results,
    ).where(builds.c.complete_at.is_not(None))


def _read(connection: Any, model: Any, chosen: Any) -> list[PastBuild]:
    """One row for each sourcestamp of each build."""
    over = chosen.subquery()
    requests, places, stamps = (
        model.buildrequests,
        model.buildset_sourcestamps,
        model.sourcestamps,
    )
    tables = (
        over.join(model.builders, model.builders.c.id == over.c.builderid)
        .join(model.workers, model.workers.c.id == over.c.workerid)
        .join(requests, requests.c.id == over.c.buildrequestid)
        .outerjoin(places, places.c.buildsetid == requests.c.buildsetid)
        .outerjoin(stamps, stamps.c.id == places.c.sourcestampid)
    )
    query = (
        sa.select(
            over.c.id,
            model.builders.c.name.label('builder'),
            model.workers.c.name.label('worker'),
            over.c.started_at,
            over.c.complete_at,
            over.c.locks_duration_s,
            over.c.results,
            stamps.c.id.label('stamp'),
            stamps.c.branch,
        )
        .select_from(tables)
        .order_by(over.c.id)
    )
    builds: dict[int, list[Any]] = {}
    for row in connection.execute(query):
        builds.setdefault(row.id, []).append(row)
    return [_past(rows) for rows in builds.values()]


def _past(rows: list[Any]) -> PastBuild:
    row = rows[0]
    sources = len(rows) if row.stamp is not None else 0
    return PastBuild(
        builder=row.builder,
        worker=row.worker,
        seconds=float(max(row.complete_at - row.started_at - (row.locks_duration_s or 0), 0)),
        at=float(row.complete_at),
        succeeded=row.results in {SUCCESS, WARNINGS},
        ran=row.results in {SUCCESS, WARNINGS, FAILURE},
        sources=sources,
        branch=row.branch if sources == 1 else None,
    )
