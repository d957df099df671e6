# SPDX-License-Identifier: GPL-2.0-or-later
"""Returning: transactions in which units, waiters and whole incarnations go.

Each is idempotent, and none needs a lock's row: what it does can only make room.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import sqlalchemy as sa

from buildbot_balancer.cluster.protocol import Held
from buildbot_balancer.cluster.taking import held
from buildbot_balancer.cluster.taking import key_of
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.tables import shared_leases
from buildbot_balancer.tables import shared_units
from buildbot_balancer.tables import shared_waiters


@attrs.frozen
class Ended:
    """Names of masters, and what their runs had."""

    masters: Sequence[str] = ()
    units: Sequence[Held] = ()


def give_back(connection: sa.Connection, incarnation: str, owners: Sequence[str]) -> list[Held]:
    units = [held(row) for row in shared_units.of_owners(connection, incarnation, owners)]
    if units:
        shared_units.delete(connection, incarnation, owners)
    return units


def stop_waiting(
    connection: sa.Connection, incarnation: str, owners: Sequence[str]
) -> list[LockKey]:
    """The locks whose line they have left: somebody behind them may be first now."""
    rows = shared_waiters.of_owners(connection, incarnation, owners)
    if rows:
        shared_waiters.delete(connection, incarnation, owners)
    return sorted({key_of(row) for row in rows})


def hand_over(connection: sa.Connection, incarnation: str, old: str, new: str) -> int:
    shared_waiters.delete(connection, incarnation, [old])
    handed = shared_units.hand_over(connection, incarnation, old, new)
    return handed or len(shared_units.of_owners(connection, incarnation, [new]))


def owners(connection: sa.Connection, incarnation: str) -> set[str]:
    """Who holds something, or waits."""
    units = shared_units.of_incarnations(connection, [incarnation])
    return {row['owner'] for row in units} | shared_waiters.owners(connection, incarnation)


def end_dead(connection: sa.Connection, incarnation: str) -> Ended:
    """All whose lease is over, if the lease of `incarnation` is not."""
    own = shared_leases.look(connection, incarnation)
    names = {} if own is None else shared_leases.over(connection, own)
    return _end(connection, names)


def end(connection: sa.Connection, incarnation: str) -> Ended:
    if not shared_leases.own(connection, incarnation):
        return Ended()
    return _end(connection, {incarnation: ''})


def _end(connection: sa.Connection, names: dict[str, str]) -> Ended:
    if not names:
        return Ended()
    units = [held(row) for row in shared_units.of_incarnations(connection, list(names))]
    shared_leases.delete(connection, list(names))
    return Ended(sorted(names.values()), units)
