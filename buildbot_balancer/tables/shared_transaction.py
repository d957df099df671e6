# SPDX-License-Identifier: GPL-2.0-or-later
"""Transactions on the shared locks: begun alike on each database, and tried again."""

from __future__ import annotations

import enum
from typing import Any
from typing import Callable

import sqlalchemy as sa

ROW_PATIENCE = 5  # seconds that a statement waits for another master's row
# A process that is stopped in the middle of a transaction would keep its rows for ever.
IDLE_PATIENCE = 5  # seconds without a statement after which PostgreSQL ends a transaction
_POSTGRES = (
    'SET TRANSACTION ISOLATION LEVEL READ COMMITTED;'
    f" SET LOCAL lock_timeout = '{ROW_PATIENCE}s';"
    f" SET LOCAL idle_in_transaction_session_timeout = '{IDLE_PATIENCE}s'"
)
_OURS = 'balancer_tries_again'
_SQLSTATES = {'40001', '40P01', '55P03'}  # serialization, deadlock, lock_timeout
_MYSQL_ERRORS = {1205, 1213, 1020}  # lock wait, deadlock, the row has changed
_SQLITE_ERRORS = ('database is locked', 'database table is locked', 'database schema is locked')


class Again(enum.Enum):
    """Others were in the way; nothing was done."""

    TRY = 'try'


def alone(connection: sa.Connection, work: Callable[..., Any], *args: Any) -> Any:
    """`work(connection, *args)` in a transaction that sees what others have committed; or TRY."""
    connection.execution_options(**{_OURS: True})
    try:
        _begin(connection)
        return work(connection, *args)
    except sa.exc.DBAPIError as e:
        if not is_contention(e):
            raise
        connection.rollback()
        return Again.TRY


def is_ours(connection: sa.Connection) -> bool:
    """What fails on it because of others is tried again."""
    return bool(connection.get_execution_options().get(_OURS))


def is_contention(error: sa.exc.DBAPIError) -> bool:
    original: Any = error.orig
    if error.connection_invalidated or original is None:
        return False
    if getattr(original, 'pgcode', None) in _SQLSTATES:
        return True
    first = original.args[0] if original.args else None
    return first in _MYSQL_ERRORS or first in _SQLITE_ERRORS


def _begin(connection: sa.Connection) -> None:
    dialect = connection.dialect.name
    if dialect == 'sqlite':  # which else begins at the first row that changes
        connection.exec_driver_sql('BEGIN IMMEDIATE')
    elif dialect == 'postgresql':
        connection.exec_driver_sql(_POSTGRES)
    else:  # of the next transaction, which begins with the next statement
        connection.exec_driver_sql('SET TRANSACTION ISOLATION LEVEL READ COMMITTED')
