# SPDX-License-Identifier: GPL-2.0-or-later
"""Taking: one transaction that takes units of all locks that are wanted, or of none."""

from __future__ import annotations

import enum
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import attrs
import sqlalchemy as sa

from buildbot_balancer.cluster.protocol import AGEING
from buildbot_balancer.cluster.protocol import STALE
from buildbot_balancer.cluster.protocol import Held
from buildbot_balancer.cluster.protocol import Party
from buildbot_balancer.cluster.protocol import Refusal
from buildbot_balancer.cluster.protocol import refusal
from buildbot_balancer.cluster.protocol import together
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.cluster.want import Refused
from buildbot_balancer.cluster.want import Taken
from buildbot_balancer.cluster.want import Want
from buildbot_balancer.tables import shared_leases
from buildbot_balancer.tables import shared_locks
from buildbot_balancer.tables import shared_units
from buildbot_balancer.tables import shared_waiters
from buildbot_balancer.tables.shared_leases import Lease

Rows = Sequence[Mapping[str, Any]]

ASKED = STALE / 5  # seconds after which it is written down that a waiter has asked again


class Obstacle(enum.Enum):
    LOST = 'the lease of who asks is over'
    DEAD = 'somebody has units whose lease is over'


@attrs.frozen(kw_only=True)
class Ask:
    """`wants` by the locks' ids."""

    incarnation: str
    owner: str
    wants: Mapping[int, Want]
    wait: bool = True
    priority: int = 0
    running: bool = False

    @property
    def names(self) -> dict[int, LockKey]:
        return {lock: want.key for lock, want in self.wants.items()}


def take(connection: sa.Connection, ask: Ask) -> Taken | Refused | Obstacle:
    tokens = shared_locks.lock(connection, ask.names)
    lease = shared_leases.keep(connection, ask.incarnation)
    if lease is None or lease.is_over:
        return Obstacle.LOST
    lines = shared_waiters.front(connection, list(ask.wants), ask.owner, STALE, AGEING)
    locks = {*ask.wants, *(row['lock_id'] for row in lines)}
    units = shared_units.of_locks(connection, locks)
    own = [row for row in units if row['owner'] == ask.owner and row['lock_id'] in ask.wants]
    if own and all(row['incarnation'] == ask.incarnation for row in own) and _covers(own, ask):
        return Taken({key_of(row): row['token'] for row in own})
    asking = _asking(ask, lines, lease.now)
    why = _refusal(ask, asking, lines, units, lease)
    if why is None:
        if own:
            shared_units.delete_of(connection, ask.owner, list(ask.wants))
        return _granted(connection, ask, tokens, lease, lines)
    if any(row['is_over'] and lease.may_end(row['lease']) for row in units):
        return Obstacle.DEAD
    if ask.wait:
        _wait(connection, ask, asking, lines, lease.now)
    return Refused(ask.wants[why.lock].key, why.because, why.ahead)


def held(row: Mapping[str, Any]) -> Held:
    return Held(
        lock=key_of(row),
        incarnation=row['incarnation'],
        master=row['master'],
        owner=row['owner'],
        mode=row['mode'],
        count=row['units'],
        token=row['token'],
        granted_at=row['granted_at'],
    )


def _refusal(ask: Ask, asking: Party, lines: Rows, units: Rows, lease: Lease) -> Refusal | None:
    for row in units:
        if row['lock_id'] in ask.wants and _is_elsewhere(row, ask):
            return Refusal(row['lock_id'], f'taken by {ask.owner} itself on {row["master"]}')
    parties = together(_others(ask, lines))
    why = refusal(asking, parties, [held(row) for row in units], lease.now)
    if why is not None:
        return why
    ahead = [row for row in lines if row['lock_id'] in ask.wants]
    if len(ahead) >= shared_waiters.FRONT and all(one.turn < asking.turn for one in parties):
        first = ahead[0]
        many = f'{shared_waiters.FRONT} or more come first'
        return Refusal(first['lock_id'], many, first['owner'])
    return None


def _asking(ask: Ask, lines: Rows, now: float) -> Party:
    mine = [row for row in lines if row['owner'] == ask.owner]
    return Party(
        owner=ask.owner,
        wants=ask.wants,
        since=min((row['waiting_since'] for row in mine), default=now),
        asked_at=now,
        number=min((row['id'] for row in mine), default=sys.maxsize),
        priority=ask.priority,
        running=ask.running,
    )


def _others(ask: Ask, lines: Rows) -> list[Party]:
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in lines:
        if row['owner'] != ask.owner:
            found.setdefault((row['owner'], row['incarnation']), []).append(row)
    return [_party(rows) for rows in found.values()]


def _party(rows: Rows) -> Party:
    first = rows[0]
    return Party(
        owner=first['owner'],
        wants={row['lock_id']: _want(row) for row in rows},
        since=min(row['waiting_since'] for row in rows),
        asked_at=max(row['asked_at'] for row in rows),
        number=min(row['id'] for row in rows),
        master=first['master'],
        priority=first['priority'],
        running=bool(first['running']),
    )


def _granted(
    connection: sa.Connection,
    ask: Ask,
    tokens: Mapping[int, int],
    lease: Lease,
    lines: Rows,
) -> Taken:
    rows = [
        {**row, 'token': tokens[row['lock_id']] + 1, 'granted_at': lease.now} for row in _rows(ask)
    ]
    shared_units.insert(connection, rows)
    shared_locks.count_grants(connection, list(ask.wants))
    if any(row['owner'] == ask.owner for row in lines):
        shared_waiters.delete_everywhere(connection, ask.owner)
    return Taken({want.key: tokens[lock] + 1 for lock, want in ask.wants.items()})


def _wait(connection: sa.Connection, ask: Ask, asking: Party, lines: Rows, now: float) -> None:
    same = (ask.incarnation, ask.owner)
    mine = [row for row in lines if (row['incarnation'], row['owner']) == same]
    if mine and _waits_alike(mine, ask):
        if mine[0]['asked_at'] < now - ASKED:
            shared_waiters.asked(connection, *same, now)
        return
    if mine:
        shared_waiters.delete(connection, ask.incarnation, [ask.owner])
    rows = [
        {
            **row,
            'most': ask.wants[row['lock_id']].limit,
            'waiting_since': asking.since,
            'asked_at': now,
            'priority': ask.priority,
            'running': int(ask.running),
        }
        for row in _rows(ask)
    ]
    shared_waiters.insert(connection, rows)


def _rows(ask: Ask) -> list[dict[str, Any]]:
    """What a unit and a waiter have in common, for each lock."""
    return [
        {
            'lock_id': lock,
            'owner': ask.owner,
            'incarnation': ask.incarnation,
            'mode': want.mode,
            'units': want.count,
        }
        for lock, want in ask.wants.items()
    ]


def _waits_alike(rows: Rows, ask: Ask) -> bool:
    first = rows[0]
    alike = (first['priority'], bool(first['running'])) == (ask.priority, ask.running)
    return alike and {row['lock_id']: _want(row) for row in rows} == dict(ask.wants)


def _is_elsewhere(row: Mapping[str, Any], ask: Ask) -> bool:
    """A request that another master is about to build."""
    return bool(row['owner'] == ask.owner and row['incarnation'] != ask.incarnation)


def _covers(rows: Rows, ask: Ask) -> bool:
    have = {row['lock_id']: (row['mode'], row['units']) for row in rows}
    return have == {lock: (want.mode, want.count) for lock, want in ask.wants.items()}


def _want(row: Mapping[str, Any]) -> Want:
    return Want(*key_of(row), limit=row['most'], mode=row['mode'], count=row['units'])


def key_of(row: Mapping[str, Any]) -> LockKey:
    return LockKey(*shared_locks.names(row))
