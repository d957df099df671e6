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
