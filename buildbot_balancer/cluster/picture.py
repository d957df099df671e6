# SPDX-License-Identifier: GPL-2.0-or-later
"""Picture: who holds shared locks and who waits for them, on all masters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import sqlalchemy as sa

from buildbot_balancer.cluster.protocol import AGEING
from buildbot_balancer.cluster.taking import key_of
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.tables import shared_units
from buildbot_balancer.tables import shared_waiters
from buildbot_balancer.tables.clock import now


@attrs.frozen(kw_only=True)
class Share:
    """`seconds`: for how long, by the database's clock; `token` is None for one that waits."""

    master: str
    masterid: int
    incarnation: str
    owner: str
    mode: str
    count: int
    seconds: float
    token: int | None = None
    is_over: bool = False  # the lease of its master is; somebody will give its units back


@attrs.frozen
class SharedLock:
    """`waiters`: the first in the line first."""

    key: LockKey
    holders: tuple[Share, ...] = ()
    waiters: tuple[Share, ...] = ()


def picture(connection: sa.Connection) -> list[SharedLock]:
    """Locks that are neither held nor waited for are not in it."""
    moment = float(connection.execute(sa.select(now(connection))).scalar_one())
    holders: dict[LockKey, list[Share]] = {}
    for row in shared_units.select(connection):
        holders.setdefault(key_of(row), []).append(_holder(row, moment))
    waiters: dict[LockKey, list[Share]] = {}
    for row in shared_waiters.in_turn(connection, AGEING):
        waiters.setdefault(key_of(row), []).append(_waiter(row, moment))
    return [
        SharedLock(key, tuple(holders.get(key, ())), tuple(waiters.get(key, ())))
        for key in sorted({*holders, *waiters})
    ]


def _holder(row: Mapping[str, Any], moment: float) -> Share:
    return Share(
        **_common(row),
        seconds=max(moment - row['granted_at'], 0.0),
        token=row['token'],
        is_over=bool(row['is_over']),
    )


def _waiter(row: Mapping[str, Any], moment: float) -> Share:
    return Share(**_common(row), seconds=max(moment - row['waiting_since'], 0.0))


def _common(row: Mapping[str, Any]) -> dict[str, Any]:
    same = {name: row[name] for name in ('master', 'masterid', 'incarnation', 'owner', 'mode')}
    return {**same, 'count': row['units']}
