# SPDX-License-Identifier: GPL-2.0-or-later
"""Durations: when builds that run now will be over, by how long the last ones took."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from buildbot.process.results import SUCCESS
from buildbot.process.results import WARNINGS

LAST = 5  # builds of one builder


class Durations:
    """Reads the database only when it is asked."""

    def __init__(self, master: Any) -> None:
        self._master = master

    async def ends(self, ids: Collection[int]) -> dict[int, float | None]:
        """Epoch seconds; None where no build of that builder has succeeded yet.

        The longest of the last ones on the same worker counts, else of the last ones anywhere.
        """
        db = self._master.db
        found: dict[int, float | None] = await db.pool.do(_ends, db.model.builds, list(ids))
        return found


def _ends(connection: Any, builds: Any, ids: list[int]) -> dict[int, float | None]:
    table = builds.c
    query = sa.select(
        table.id, table.builderid, table.workerid, table.started_at, table.locks_duration_s
    ).where(table.id.in_(ids))
    ends: dict[int, float | None] = {}
    for row in connection.execute(query).fetchall():
        of_builder = table.builderid == row.builderid
        seconds = _longest(connection, table, of_builder & (table.workerid == row.workerid))
        if seconds is None:
            seconds = _longest(connection, table, of_builder)
        began = row.started_at + (row.locks_duration_s or 0)
        ends[row.id] = None if seconds is None else began + seconds
    return ends


def _longest(connection: Any, table: Any, which: Any) -> float | None:
    query = (
        sa.select(table.complete_at, table.started_at, table.locks_duration_s)
        .where(which, table.complete_at.is_not(None), table.results.in_([SUCCESS, WARNINGS]))
        .order_by(table.number.desc())
        .limit(LAST)
    )
    took = [
        float(row.complete_at - row.started_at - (row.locks_duration_s or 0))
        for row in connection.execute(query)
    ]
    return max(took, default=None)
