# SPDX-License-Identifier: GPL-2.0-or-later
"""Schema: the tables as this version knows them; ``versions`` is how they are made.

Times are epoch seconds. Names are those of Buildbot where it has the thing, and no reserved words.
"""

from __future__ import annotations

import sqlalchemy as sa

VERSION_TABLE = 'balancer_version'

NAME = 255  # characters of what a config names
LABEL = 64  # of what this package names
REASON = 200  # as long as an owner's reason may be

METADATA = sa.MetaData()


def _moment() -> sa.Float[float]:
    return sa.Float(53)  # a plain one is single precision on MySQL: off by minutes


HISTORY = sa.Table(
    'balancer_history',
    METADATA,
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), primary_key=True),
    sa.Column('kind', sa.String(LABEL), nullable=False),
    sa.Column('happened_at', _moment(), nullable=False),
    sa.Column('worker', sa.String(NAME)),
    sa.Column('builder', sa.String(NAME)),
    sa.Column('buildrequestid', sa.Integer),
    sa.Column('lock_name', sa.String(NAME)),
    sa.Column('lock_group', sa.String(NAME)),
    sa.Column('mood', sa.String(LABEL)),
    sa.Column('reason', sa.String(REASON)),
    sa.Column('source', sa.String(LABEL)),
    sa.Column('until_at', _moment()),
    sa.Column('actor', sa.String(NAME)),
    sa.Column('duration', _moment()),
    sa.Index('balancer_history_time', 'happened_at'),
    sa.Index('balancer_history_worker', 'worker', 'happened_at'),
    sa.Index('balancer_history_request', 'buildrequestid'),
    sa.Index('balancer_history_lock', 'lock_name', 'happened_at'),
    sa.Index('balancer_history_longest', 'kind', 'duration'),
    sa.Index('balancer_history_latest', 'kind', 'worker', 'source'),
)

WORD = sa.Table(
    'balancer_word',  # how far a user of the master limits a worker's mood
    METADATA,
    sa.Column('worker', sa.String(NAME), primary_key=True),
    sa.Column('mood', sa.String(LABEL), nullable=False),
    sa.Column('reason', sa.String(REASON)),
    sa.Column('until_at', _moment()),
    sa.Column('actor', sa.String(NAME)),
    sa.Column('said_at', _moment(), nullable=False),
)

PAUSE = sa.Table(
    'balancer_pause',  # builders that a user of the master has paused
    METADATA,
    sa.Column('builder', sa.String(NAME), primary_key=True),
    sa.Column('reason', sa.String(REASON)),
    sa.Column('until_at', _moment()),
    sa.Column('actor', sa.String(NAME)),
    sa.Column('said_at', _moment(), nullable=False),
)

INCARNATION = sa.Table(
    'balancer_incarnation',  # a master's run, and its lease; the times are the database's
    METADATA,
    sa.Column('id', sa.String(LABEL), primary_key=True),
    sa.Column('masterid', sa.Integer, nullable=False),
    sa.Column('name', sa.String(NAME), nullable=False),
    sa.Column('started_at', _moment(), nullable=False),
    sa.Column('present_since', _moment(), nullable=False),  # since when no beat was late
    sa.Column('beat_at', _moment(), nullable=False),
    sa.Column('lease', _moment(), nullable=False),  # seconds
)

LOCK = sa.Table(
    'balancer_lock',  # never deleted, or its tokens would begin anew
    METADATA,
    sa.Column('id', sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column('lock_name', sa.Text, nullable=False),
    sa.Column('lock_group', sa.Text, nullable=False),
    sa.Column('token', sa.BigInteger, nullable=False),  # of its last grant
)

UNIT = sa.Table(
    'balancer_unit',  # who holds how many units of a lock
    METADATA,
    sa.Column('lock_id', sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column('owner', sa.String(NAME), primary_key=True),
    sa.Column('incarnation', sa.String(LABEL), nullable=False),
    sa.Column('mode', sa.String(LABEL), nullable=False),
    sa.Column('units', sa.Integer, nullable=False),
    sa.Column('token', sa.BigInteger, nullable=False),
    sa.Column('granted_at', _moment(), nullable=False),
    sa.Index('balancer_unit_incarnation', 'incarnation', 'owner'),
)

WAITER = sa.Table(
    'balancer_waiter',
    METADATA,
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), primary_key=True),
    sa.Column('lock_id', sa.BigInteger, nullable=False),
    sa.Column('owner', sa.String(NAME), nullable=False),
    sa.Column('incarnation', sa.String(LABEL), nullable=False),
    sa.Column('mode', sa.String(LABEL), nullable=False),
    sa.Column('units', sa.Integer, nullable=False),
    sa.Column('most', sa.Integer),  # the lock's limit, as the waiter's master is configured
    sa.Column('waiting_since', _moment(), nullable=False),
    sa.Column('asked_at', _moment(), nullable=False),
    sa.Column('priority', sa.Integer, nullable=False),
    sa.Column('running', sa.SmallInteger, nullable=False),
    sa.Index('balancer_waiter_lock', 'lock_id', 'waiting_since'),
    sa.Index('balancer_waiter_incarnation', 'incarnation', 'owner'),
    sa.Index('balancer_waiter_owner', 'owner'),
)
