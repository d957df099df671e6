# SPDX-License-Identifier: GPL-2.0-or-later
"""What each master tells the others of what it sees."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects import mysql

revision = '0003'
down_revision = '0002'

OPTIONS: dict[str, Any] = {  # see v0001
    'mysql_engine': 'InnoDB',
    'mysql_charset': 'utf8',
    'mysql_collate': 'utf8_bin',
}
LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), 'mysql', 'mariadb')  # else 64 KiB
METADATA = sa.MetaData()

sa.Table(
    'balancer_seen',
    METADATA,
    sa.Column('masterid', sa.Integer, primary_key=True, autoincrement=False),
    sa.Column('kind', sa.String(64), primary_key=True),
    sa.Column('content', LONG, nullable=False),
    sa.Column('changed_at', sa.Float(53), nullable=False),
    sa.Column('seen_at', sa.Float(53), nullable=False),
    **OPTIONS,
)


def upgrade(operations: Operations) -> None:
    METADATA.create_all(operations.get_bind())
