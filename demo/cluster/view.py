# SPDX-License-Identifier: GPL-2.0-or-later
"""View: who holds the shared locks at a moment, as the database says."""

from __future__ import annotations

import attrs
import sqlalchemy as sa

from buildbot_balancer.tables.schema import INCARNATION
from buildbot_balancer.tables.schema import LOCK
from buildbot_balancer.tables.schema import UNIT
from buildbot_balancer.tables.schema import WAITER


@attrs.frozen
class Holder:
    lock: str
    owner: str  # as 'build 17'
    master: str
    units: int
    token: int

    def __str__(self) -> str:
        return f'{self.owner} of {self.master}'


@attrs.frozen
class View:
    holders: tuple[Holder, ...] = ()
    waiting: int = 0  # requests and builds that stand in a lock's line
    ended: int = 0
    running: int = 0
    dead: tuple[str, ...] = ()

    def of(self, lock: str) -> list[Holder]:
        return [one for one in self.holders if one.lock == lock]

    @property
    def locks(self) -> list[str]:
        return sorted({one.lock for one in self.holders})

    @property
    def masters(self) -> set[str]:
        """That hold something."""
        return {one.master for one in self.holders}


def holders(connection: sa.Connection) -> tuple[Holder, ...]:
    held = UNIT.join(LOCK, UNIT.c.lock_id == LOCK.c.id).outerjoin(
        INCARNATION, UNIT.c.incarnation == INCARNATION.c.id
    )
    wanted = sa.select(
        LOCK.c.lock_name,
        LOCK.c.lock_group,
        UNIT.c.owner,
        INCARNATION.c.name,
        UNIT.c.units,
        UNIT.c.token,
    ).select_from(held)
    return tuple(
        Holder(
            lock=f'{row.lock_name}[{row.lock_group}]',
            owner=row.owner.replace(':', ' ', 1),
            master=(row.name or '?').rpartition('/')[2],
            units=row.units,
            token=row.token,
        )
        for row in connection.execute(wanted.order_by(LOCK.c.lock_name, UNIT.c.token))
    )


def waiting(connection: sa.Connection) -> int:
    count = sa.select(sa.func.count(sa.distinct(WAITER.c.owner)))
    return int(connection.execute(count).scalar_one())
