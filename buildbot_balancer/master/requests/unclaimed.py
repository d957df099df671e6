# SPDX-License-Identifier: GPL-2.0-or-later
"""Unclaimed: all requests that wait, of all builders and masters, in one query."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from buildbot_balancer.master.requests.pending import Row


async def fetch_unclaimed(master: Any) -> list[Row]:
    """Buildbot's own way reads twice the columns, and four tables more."""
    found: list[Row] = await master.db.pool.do(_read, master.db.model)
    return found


def _read(connection: Any, model: Any) -> list[Row]:
    requests, claims = model.buildrequests, model.buildrequest_claims
    query = (
        sa.select(
            requests.c.id,
            requests.c.builderid,
            requests.c.buildsetid,
            requests.c.priority,
            requests.c.submitted_at,
            requests.c.waited_for,
        )
        .select_from(requests.outerjoin(claims, requests.c.id == claims.c.brid))
        .where(requests.c.complete == 0, claims.c.brid.is_(None))
    )
    return [
        (id_, builderid, buildsetid, priority, submitted_at, bool(waited_for))
        for id_, builderid, buildsetid, priority, submitted_at, waited_for in connection.execute(
            query
        )
    ]
