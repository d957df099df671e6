# SPDX-License-Identifier: GPL-2.0-or-later
"""Seen: the statements on ``balancer_seen``, where each master writes what it knows.

A row is one master's picture of one kind of thing. Its age is judged by the database's clock.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping

import attrs
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from buildbot_balancer.tables.clock import now
from buildbot_balancer.tables.schema import LABEL
from buildbot_balancer.tables.schema import METADATA

FORGOTTEN_AFTER = 86400.0  # seconds


def _long() -> sa.types.TypeEngine[str]:
    """A plain text of MySQL's ends at 64 KiB."""
    return sa.Text().with_variant(mysql.MEDIUMTEXT(), 'mysql', 'mariadb')


SEEN = sa.Table(
    'balancer_seen',
    METADATA,
    sa.Column('masterid', sa.Integer, primary_key=True, autoincrement=False),
    sa.Column('kind', sa.String(LABEL), primary_key=True),
    sa.Column('content', _long(), nullable=False),
    sa.Column('changed_at', sa.Float(53), nullable=False),
    sa.Column('seen_at', sa.Float(53), nullable=False),
)
_C = SEEN.c

Key = tuple[int, str]  # a master and a kind


@attrs.frozen(kw_only=True)
class Row:
    """`age`: seconds since its master last said that this is so. `name` and `active` are
    Buildbot's; `content` None: it is still what `changed_at` stands for.
    """

    masterid: int
    name: str
    active: bool
    kind: str
    changed_at: float
    age: float
    content: str | None = None


def publish(
    connection: sa.Connection, masterid: int, changed: Mapping[str, str], same: Collection[str]
) -> bool:
    """`changed` by kind; `same`: kinds that are what they were. False: somebody has deleted one of
    these.
    """
    at = _moment(connection)
    for kind, content in changed.items():
        _save(connection, masterid, kind, content, at)
    if not same:
        return True
    mine = sa.and_(_C.masterid == masterid, _C.kind.in_(sorted(same)))
    said = connection.execute(sa.update(SEEN).where(mine).values(seen_at=at))
    return bool(said.rowcount == len(same))


def load(
    connection: sa.Connection, masters: sa.Table, but: int, known: Mapping[Key, float]
) -> list[Row]:
    """What all masters but one say. `masters` is Buildbot's table; `known`: the `changed_at` of
    what the caller has already, which is not read again.
    """
    at = _moment(connection)
    query = (
        sa.select(_C.masterid, masters.c.name, masters.c.active, _C.kind, _C.changed_at, _C.seen_at)
        .select_from(SEEN.join(masters, masters.c.id == _C.masterid))
        .where(_C.masterid != but)
        .order_by(masters.c.name, _C.masterid, _C.kind)
    )
    rows = [
        Row(
            masterid=masterid,
            name=name,
            active=bool(active),
            kind=kind,
            changed_at=changed_at,
            age=max(at - seen_at, 0.0),
        )
        for masterid, name, active, kind, changed_at, seen_at in connection.execute(query)
    ]
    news = [row for row in rows if known.get((row.masterid, row.kind)) != row.changed_at]
    contents = _contents(connection, news)
    return [_filled(row, contents.get((row.masterid, row.kind))) for row in rows]


def delete(connection: sa.Connection, masterid: int) -> None:
    """What a master says that stops."""
    connection.execute(sa.delete(SEEN).where(_C.masterid == masterid))


def delete_old(connection: sa.Connection) -> None:
    before = _moment(connection) - FORGOTTEN_AFTER
    connection.execute(sa.delete(SEEN).where(_C.seen_at < before))


def alive(connection: sa.Connection, within: float) -> set[int]:
    """The masters that have said something within so many seconds."""
    after = _moment(connection) - within
    found = connection.execute(sa.select(_C.masterid).where(_C.seen_at >= after).distinct())
    return set(found.scalars())


def _moment(connection: sa.Connection) -> float:
    return float(connection.execute(sa.select(now(connection))).scalar_one())


def _save(connection: sa.Connection, masterid: int, kind: str, content: str, at: float) -> None:
    values = {'content': content, 'changed_at': at, 'seen_at': at}
    mine = sa.and_(_C.masterid == masterid, _C.kind == kind)
    if connection.execute(sa.update(SEEN).where(mine).values(values)).rowcount:
        return
    connection.execute(sa.insert(SEEN).values(masterid=masterid, kind=kind, **values))


def _contents(connection: sa.Connection, rows: Iterable[Row]) -> dict[Key, tuple[str, float]]:
    """With the `changed_at` of the very content: it may be newer than the row's."""
    wanted = [sa.and_(_C.masterid == row.masterid, _C.kind == row.kind) for row in rows]
    if not wanted:
        return {}
    query = sa.select(_C.masterid, _C.kind, _C.content, _C.changed_at).where(sa.or_(*wanted))
    return {
        (masterid, kind): (content, changed_at)
        for masterid, kind, content, changed_at in connection.execute(query)
    }


def _filled(row: Row, found: tuple[str, float] | None) -> Row:
    if found is None:
        return row
    content, changed_at = found
    return attrs.evolve(row, content=content, changed_at=changed_at)
