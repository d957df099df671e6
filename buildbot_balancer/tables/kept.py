# SPDX-License-Identifier: GPL-2.0-or-later
"""Kept: the statements on tables of what is in force, one row a name.

A name is found again only when it is loaded as it is in the config, so nothing of it is taken out;
what some database could not keep is written as Python does in a string.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from buildbot_balancer.tables.fitting import encodable
from buildbot_balancer.tables.fitting import fitting
from buildbot_balancer.tables.fitting import narrowed


def load(connection: sa.Connection, table: sa.Table) -> list[dict[str, Any]]:
    key = _name(table).name
    rows = connection.execute(sa.select(table)).mappings()
    return [{**row, key: _unescaped(row[key])} for row in rows]


def save(connection: sa.Connection, table: sa.Table, row: Mapping[str, Any]) -> None:
    """In the place of the row of that name."""
    values = {key: _fit(connection, table.c[key], value) for key, value in row.items()}
    values[_name(table).name] = _escaped(row[_name(table).name])
    if _updated(connection, table, values):
        return
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(table).values(values))
    except sa.exc.IntegrityError:  # another master was first
        _updated(connection, table, values)


def delete(connection: sa.Connection, table: sa.Table, name: str) -> None:
    connection.execute(sa.delete(table).where(_name(table) == _escaped(name)))


def _name(table: sa.Table) -> sa.Column[Any]:
    (column,) = table.primary_key.columns
    return column


def _escaped(name: str) -> str:
    plain = name.isprintable() and '\\' not in name and narrowed(name) == name
    return name if plain else name.encode('unicode_escape').decode('ascii')


def _unescaped(kept: str) -> str:
    try:
        return kept.encode('ascii').decode('unicode_escape') if '\\' in kept else kept
    except UnicodeError:  # not written by us
        return kept


def _updated(connection: sa.Connection, table: sa.Table, values: Mapping[str, Any]) -> bool:
    name = _name(table)
    update = sa.update(table).where(name == values[name.name]).values(dict(values))
    return bool(connection.execute(update).rowcount)


def _fit(connection: sa.Connection, column: sa.Column[Any], value: Any) -> Any:
    return encodable(connection, fitting(column, value))
