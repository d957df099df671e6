# SPDX-License-Identifier: GPL-2.0-or-later
"""Locks: the statements on ``balancer_lock``. Who has a lock's row decides about it alone."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from buildbot_balancer.tables.schema import LOCK

_C = LOCK.c


def lock(connection: sa.Connection, names: Mapping[int, tuple[str, str]]) -> dict[int, int]:
    """The last tokens by the locks' ids; the rows are ours until this transaction's end.

    `names` and groups by the ids. Rows are locked in the order of the ids, on all masters alike.
    """
    found = _locked(connection, names)
    if len(found) < len(names):
        for number in sorted(set(names) - set(found)):
            _insert(connection, number, *names[number])
        found = _locked(connection, names)
    return found


def count_grants(connection: sa.Connection, ids: Collection[int]) -> None:
    connection.execute(sa.update(LOCK).where(_C.id.in_(ids)).values(token=_C.token + 1))


def names(row: Mapping[str, Any]) -> tuple[str, str]:
    """The lock's name and group, as they are in the config."""
    return _unescaped(row['lock_name']), _unescaped(row['lock_group'])


def _escaped(name: str) -> str:
    """In characters that each database can be told, and nothing of it taken out."""
    return name.encode('unicode_escape').decode('ascii')


def _unescaped(kept: str) -> str:
    return kept.encode('ascii').decode('unicode_escape')


def _locked(connection: sa.Connection, ids: Collection[int]) -> dict[int, int]:
    query = sa.select(_C.id, _C.token).where(_C.id.in_(ids)).order_by(_C.id).with_for_update()
    return {row.id: row.token for row in connection.execute(query)}


def _insert(connection: sa.Connection, number: int, name: str, group: str) -> None:
    row = {
        'id': number,
        'lock_name': _escaped(name),
        'lock_group': _escaped(group),
        'token': 0,
    }
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(LOCK).values(row))
    except sa.exc.IntegrityError:  # another master was first
        return
