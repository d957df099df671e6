# SPDX-License-Identifier: GPL-2.0-or-later
"""Kept: the statements on tables of what is in force, one row a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from buildbot_balancer.tables.fitting import encodable
from buildbot_balancer.tables.fitting import fitting


def load(connection: sa.Connection, table: sa.Table) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def save(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> None:
    """In the place of the row of that name."""
    values = {key: _fit(connection, table.c[key], value) for key, value in row.items()}
    if _updated(connection, table, values):
        return
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(table).values(values))
    except sa.exc.IntegrityError:  # another master was first
        _updated(connection, table, values)


def delete(connection: sa.Connection, table: sa.Table, name: str) -> None:
    column = _name(table)
    connection.execute(sa.delete(table).where(column == _fit(connection, column, name)))


def _name(table: sa.Table) -> sa.Column[Any]:
    (column,) = table.primary_key.columns
    return column


def _updated(connection: sa.Connection, table: sa.Table, values: Mapping[str, Any]) -> bool:
    name = _name(table)
    update = sa.update(table).where(name == values[name.name]).values(dict(values))
    return bool(connection.execute(update).rowcount)


def _fit(connection: sa.Connection, column: sa.Column[Any], value: Any) -> Any:
    return encodable(connection, fitting(column, value))
