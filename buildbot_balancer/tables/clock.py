# SPDX-License-Identifier: GPL-2.0-or-later
"""Clock: the database's own, for the masters' may be an hour apart."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

_NOW = {
    # the time of the transaction's start, which now() is, may be long ago
    'postgresql': 'CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)',
    # the julian day of 1970; to the millisecond
    'sqlite': "((julianday('now') - 2440587.5) * 86400.0)",
}
# In UTC, for an hour that comes twice in a year would end each lease. It is the time at which the
# statement began: one that had to wait for a row takes a lease for shorter than it is.
_MYSQL = "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1e6)"


def now(connection: sa.Connection) -> sa.ColumnElement[Any]:
    """Epoch seconds, as a part of a statement."""
    text = _NOW.get(connection.dialect.name, _MYSQL)
    return sa.literal_column(text, sa.Float(53))
