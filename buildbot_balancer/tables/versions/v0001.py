# SPDX-License-Identifier: GPL-2.0-or-later
"""The history, what users said about workers, and which builders they paused."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations

revision = '0001'
down_revision = None

# Buildbot speaks 3-byte UTF-8 to MySQL, which by default compares names regardless of case, and
# is asked by Buildbot for tables that know no transactions.
OPTIONS: dict[str, Any] = {
    'mysql_engine': 'InnoDB',
    'mysql_charset': 'utf8',
    'mysql_collate': 'utf8_bin',
}
METADATA = sa.MetaData()

sa.Table(
    'balancer_history',
    METADATA,
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), primary_key=True),
    sa.Column('kind', sa.String(64), nullable=False),
    sa.Column('happened_at', sa.Float(53), nullable=False),
    sa.Column('worker', sa.String(255)),
    sa.Column('builder', sa.String(255)),
    sa.Column('buildrequestid', sa.Integer),
    sa.Column('lock_name', sa.String(255)),
    sa.Column('lock_group', sa.String(255)),
    sa.Column('mood', sa.String(64)),
    sa.Column('reason', sa.String(200)),
    sa.Column('source', sa.String(64)),
    sa.Column('until_at', sa.Float(53)),
    sa.Column('actor', sa.String(255)),
    sa.Column('duration', sa.Float(53)),
    sa.Index('balancer_history_time', 'happened_at'),
    sa.Index('balancer_history_worker', 'worker', 'happened_at'),
    sa.Index('balancer_history_request', 'buildrequestid'),
    sa.Index('balancer_history_lock', 'lock_name', 'happened_at'),
    sa.Index('balancer_history_longest', 'kind', 'duration'),
    sa.Index('balancer_history_latest', 'kind', 'worker', 'source'),
    sqlite_autoincrement=True,  # or the number of a deleted event is given again
    **OPTIONS,
)
sa.Table(
    'balancer_word',
    METADATA,
    sa.Column('worker', sa.String(255), primary_key=True),
    sa.Column('mood', sa.String(64), nullable=False),
    sa.Column('reason', sa.String(200)),
    sa.Column('until_at', sa.Float(53)),
    sa.Column('actor', sa.String(255)),
    sa.Column('said_at', sa.Float(53), nullable=False),
    **OPTIONS,
)
sa.Table(
    'balancer_pause',
    METADATA,
    sa.Column('builder', sa.String(255), primary_key=True),
    sa.Column('reason', sa.String(200)),
    sa.Column('until_at', sa.Float(53)),
    sa.Column('actor', sa.String(255)),
    sa.Column('said_at', sa.Float(53), nullable=False),
    **OPTIONS,
)


def upgrade(operations: Operations) -> None:
    connection = operations.get_bind()
    METADATA.create_all(connection)
    for table in METADATA.tables.values():
        for index in table.indexes:
            index.create(connection, checkfirst=True)
