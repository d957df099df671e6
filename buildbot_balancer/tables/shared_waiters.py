# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiters: the statements on ``balancer_waiter``."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from buildbot_balancer.tables.clock import now
from buildbot_balancer.tables.schema import INCARNATION
from buildbot_balancer.tables.schema import LOCK
from buildbot_balancer.tables.schema import WAITER
from buildbot_balancer.tables.shared_leases import ENDS

_C = WAITER.c
FRONT = 100  # of a line are looked at


def select(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> list[Mapping[str, Any]]:
    """With the lock's name and group and the master's name."""
    query = (
        sa.select(
            *_C,
            LOCK.c.lock_name,
            LOCK.c.lock_group,
            INCARNATION.c.name.label('master'),
            INCARNATION.c.masterid,
        )
        .where(_C.lock_id == LOCK.c.id, _C.incarnation == INCARNATION.c.id, *where)
        .order_by(_C.id)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def of_owners(
    connection: sa.Connection, incarnation: str, owners: Collection[str]
) -> list[Mapping[str, Any]]:
    return select(connection, _C.incarnation == incarnation, _C.owner.in_(owners))


def in_turn(connection: sa.Connection, ageing: float) -> list[Mapping[str, Any]]:
    """Those of living masters; a point of priority is worth `ageing` seconds of waiting."""
    return sorted(
        select(connection, _lives(connection)),
        key=lambda row: (
            -row['running'],
            row['waiting_since'] - ageing * row['priority'],
            row['id'],
        ),
    )


def front(
    connection: sa.Connection, ids: Collection[int], owner: str, stale: float, ageing: float
) -> list[Mapping[str, Any]]:
    """All rows of the first FRONT owners in the lines of these locks, and all of `owner`.

    Those that have asked in the last `stale` seconds; a point of priority is `ageing` seconds.
    """
    fresh = _C.asked_at >= now(connection) - stale
    first = (
        sa.select(_C.owner)
        .where(_C.lock_id.in_(ids), fresh, _C.incarnation == INCARNATION.c.id, _lives(connection))
        .order_by(_C.running.desc(), _C.waiting_since - ageing * _C.priority, _C.id)
        .limit(FRONT)
        .subquery()  # MySQL knows no limit in the subquery of an IN
    )
    among = sa.or_(_C.owner.in_(sa.select(first.c.owner)), _C.owner == owner)
    return select(connection, _lives(connection), among)


def insert(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    connection.execute(sa.insert(WAITER), [dict(row) for row in rows])


def asked(connection: sa.Connection, incarnation: str, owner: str, moment: float) -> None:
    """It has asked again."""
    where = (_C.incarnation == incarnation, _C.owner == owner)
    connection.execute(sa.update(WAITER).where(*where).values(asked_at=moment))


def delete(connection: sa.Connection, incarnation: str, owners: Collection[str]) -> None:
    where = (_C.incarnation == incarnation, _C.owner.in_(owners))
    connection.execute(sa.delete(WAITER).where(*where))


def delete_everywhere(connection: sa.Connection, owner: str) -> None:
    connection.execute(sa.delete(WAITER).where(_C.owner == owner))


def owners(connection: sa.Connection, incarnation: str) -> set[str]:
    query = sa.select(_C.owner).where(_C.incarnation == incarnation)
    return set(connection.execute(query).scalars())


def _lives(connection: sa.Connection) -> sa.ColumnElement[bool]:
    return now(connection) <= ENDS
