# SPDX-License-Identifier: GPL-2.0-or-later
"""Units: the statements on ``balancer_unit``."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from buildbot_balancer.tables.clock import now
from buildbot_balancer.tables.schema import INCARNATION
from buildbot_balancer.tables.schema import LOCK
from buildbot_balancer.tables.schema import UNIT
from buildbot_balancer.tables.shared_leases import ENDS

_C = UNIT.c


def select(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> list[Mapping[str, Any]]:
    """With the lock's name and group, and of the master its name, lease, and whether it is over."""
    query = sa.select(
        *_C,
        LOCK.c.lock_name,
        LOCK.c.lock_group,
        INCARNATION.c.name.label('master'),
        INCARNATION.c.masterid,
        INCARNATION.c.lease,
        (now(connection) > ENDS).label('is_over'),
    ).where(_C.lock_id == LOCK.c.id, _C.incarnation == INCARNATION.c.id, *where)
    query = query.order_by(_C.lock_id, _C.token, _C.owner)
    return [dict(row) for row in connection.execute(query).mappings()]


def of_locks(connection: sa.Connection, ids: Collection[int]) -> list[Mapping[str, Any]]:
    return select(connection, _C.lock_id.in_(ids))


def of_incarnations(
    connection: sa.Connection, incarnations: Collection[str]
) -> list[Mapping[str, Any]]:
    return select(connection, _C.incarnation.in_(incarnations))


def of_owners(
    connection: sa.Connection, incarnation: str, owners: Collection[str]
) -> list[Mapping[str, Any]]:
    return select(connection, _C.incarnation == incarnation, _C.owner.in_(owners))


def insert(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    connection.execute(sa.insert(UNIT), [dict(row) for row in rows])


def delete(connection: sa.Connection, incarnation: str, owners: Collection[str]) -> None:
    where = (_C.incarnation == incarnation, _C.owner.in_(owners))
    connection.execute(sa.delete(UNIT).where(*where))


def delete_of(connection: sa.Connection, owner: str, ids: Collection[int]) -> None:
    connection.execute(sa.delete(UNIT).where(_C.owner == owner, _C.lock_id.in_(ids)))


def hand_over(connection: sa.Connection, incarnation: str, old: str, new: str) -> int:
    where = (_C.incarnation == incarnation, _C.owner == old)
    return int(connection.execute(sa.update(UNIT).where(*where).values(owner=new)).rowcount)
