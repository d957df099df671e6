# SPDX-License-Identifier: GPL-2.0-or-later
"""Leases: the statements on ``balancer_incarnation``.

Units count until the row of their incarnation is deleted, and nobody counts them away for a lease
that looks over: so a heartbeat that comes late still saves them, and none that comes too late.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import sqlalchemy as sa

from buildbot_balancer.tables.clock import now
from buildbot_balancer.tables.fitting import encodable
from buildbot_balancer.tables.fitting import fitting
from buildbot_balancer.tables.schema import INCARNATION
from buildbot_balancer.tables.schema import UNIT
from buildbot_balancer.tables.schema import WAITER

_C = INCARNATION.c
ENDS = _C.beat_at + _C.lease
BEATS = 3  # in the time of a lease


@attrs.frozen
class Lease:
    """`now`: when it was looked at."""

    now: float
    ends: float
    present_since: float

    @property
    def is_over(self) -> bool:
        return self.ends < self.now

    def may_end(self, other: float) -> bool:
        """A lease of that length: after an outage all have the time of a heartbeat to come back."""
        return not self.is_over and self.present_since + other / BEATS <= self.now


def insert(
    connection: sa.Connection, incarnation: str, masterid: int, name: str, lease: float
) -> None:
    moment = connection.execute(sa.select(now(connection))).scalar_one()
    row = {
        'id': incarnation,
        'masterid': masterid,
        'name': encodable(connection, fitting(_C.name, name)),
        'started_at': moment,
        'present_since': moment,
        'beat_at': moment,
        'lease': lease,
    }
    connection.execute(sa.insert(INCARNATION).values(row))


def beat(connection: sa.Connection, incarnation: str) -> bool:
    """False: there is no such incarnation any more."""
    moment = now(connection)
    since = sa.case((moment > ENDS, moment), else_=_C.present_since)
    # in this order, for MySQL uses what it has already set
    update = sa.update(INCARNATION).where(_C.id == incarnation)
    update = update.ordered_values((_C.present_since, since), (_C.beat_at, moment))
    return bool(connection.execute(update).rowcount)


def keep(connection: sa.Connection, incarnation: str) -> Lease | None:
    """Until this transaction's end nobody can end the incarnation; it can beat meanwhile."""
    query = sa.select(now(connection), ENDS, _C.present_since).where(_C.id == incarnation)
    row = connection.execute(query.with_for_update(read=True, key_share=True)).first()
    return None if row is None else Lease(*(float(value) for value in row))


def look(connection: sa.Connection, incarnation: str) -> Lease | None:
    query = sa.select(now(connection), ENDS, _C.present_since).where(_C.id == incarnation)
    row = connection.execute(query).first()
    return None if row is None else Lease(*(float(value) for value in row))


def over(connection: sa.Connection, own: Lease) -> dict[str, str]:
    """Names by the ids of those that `own` may end; until this transaction's end they are ours."""
    query = sa.select(_C.id, _C.lease).where(now(connection) > ENDS)
    late = [row.id for row in connection.execute(query) if own.may_end(row.lease)]
    if not late:
        return {}
    locked = sa.select(_C.id, _C.name).where(_C.id.in_(late), now(connection) > ENDS)
    rows = connection.execute(locked.order_by(_C.id).with_for_update())
    return {row.id: row.name for row in rows}


def own(connection: sa.Connection, incarnation: str) -> bool:
    """Locks the row of one that ends itself."""
    query = sa.select(_C.id).where(_C.id == incarnation).with_for_update()
    return connection.execute(query).first() is not None


def delete(connection: sa.Connection, incarnations: Sequence[str]) -> None:
    """With all that they have; their rows are locked already."""
    for table in (UNIT, WAITER):
        connection.execute(sa.delete(table).where(table.c.incarnation.in_(incarnations)))
    connection.execute(sa.delete(INCARNATION).where(_C.id.in_(incarnations)))
