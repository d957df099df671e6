# SPDX-License-Identifier: GPL-2.0-or-later
"""What several masters share: their runs, and the locks' units and waiters."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations

revision = '0002'
down_revision = '0001'

OPTIONS: dict[str, Any] = {  # see v0001
    'mysql_engine': 'InnoDB',
    'mysql_charset': 'utf8',
    'mysql_collate': 'utf8_bin',
}
METADATA = sa.MetaData()

sa.Table(
    'balancer_incarnation',
    METADATA,
    sa.Column('id', sa.String(64), primary_key=True),
    sa.Column('masterid', sa.Integer, nullable=False),
    sa.Column('name', sa.String(255), nullable=False),
    sa.Column('started_at', sa.Float(53), nullable=False),
    sa.Column('present_since', sa.Float(53), nullable=False),
    sa.Column('beat_at', sa.Float(53), nullable=False),
    sa.Column('lease', sa.Float(53), nullable=False),
    **OPTIONS,
)
sa.Table(
    'balancer_lock',
    METADATA,
    sa.Column('id', sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column('lock_name', sa.Text, nullable=False),
    sa.Column('lock_group', sa.Text, nullable=False),
    sa.Column('token', sa.BigInteger, nullable=False),
    **OPTIONS,
)
sa.Table(
    'balancer_unit',
    METADATA,
    sa.Column('lock_id', sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column('owner', sa.String(255), primary_key=True),
    sa.Column('incarnation', sa.String(64), nullable=False),
    sa.Column('mode', sa.String(64), nullable=False),
    sa.Column('units', sa.Integer, nullable=False),
    sa.Column('token', sa.BigInteger, nullable=False),
    sa.Column('granted_at', sa.Float(53), nullable=False),
    sa.Index('balancer_unit_incarnation', 'incarnation', 'owner'),
    **OPTIONS,
)
sa.Table(
    'balancer_waiter',
    METADATA,
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), primary_key=True),
    sa.Column('lock_id', sa.BigInteger, nullable=False),
    sa.Column('owner', sa.String(255), nullable=False),
    sa.Column('incarnation', sa.String(64), nullable=False),
    sa.Column('mode', sa.String(64), nullable=False),
    sa.Column('units', sa.Integer, nullable=False),
    sa.Column('most', sa.Integer),
    sa.Column('waiting_since', sa.Float(53), nullable=False),
    sa.Column('asked_at', sa.Float(53), nullable=False),
    sa.Column('priority', sa.Integer, nullable=False),
    sa.Column('running', sa.SmallInteger, nullable=False),
    sa.Index('balancer_waiter_lock', 'lock_id', 'waiting_since'),
    sa.Index('balancer_waiter_incarnation', 'incarnation', 'owner'),
    sa.Index('balancer_waiter_owner', 'owner'),
    **OPTIONS,
)


def upgrade(operations: Operations) -> None:
    connection = operations.get_bind()
    METADATA.create_all(connection)
    for table in METADATA.tables.values():
        for index in table.indexes:
            index.create(connection, checkfirst=True)
