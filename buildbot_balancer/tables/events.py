# SPDX-License-Identifier: GPL-2.0-or-later
"""Events: the statements on ``balancer_history``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import attrs
import sqlalchemy as sa

from buildbot_balancer.explain.event import Event
from buildbot_balancer.tables.fitting import encodable
from buildbot_balancer.tables.fitting import fitting
from buildbot_balancer.tables.schema import HISTORY

_C = HISTORY.c
_COLUMNS: dict[str, sa.Column[Any]] = {  # by the names of Event's fields
    'eventid': _C.id,
    'kind': _C.kind,
    'at': _C.happened_at,
    'worker': _C.worker,
    'builder': _C.builder,
    'request': _C.buildrequestid,
    'lock': _C.lock_name,
    'group': _C.lock_group,
    'mood': _C.mood,
    'reason': _C.reason,
    'source': _C.source,
    'until': _C.until_at,
    'actor': _C.actor,
    'duration': _C.duration,
}
_TEXTS = [name for name, column in _COLUMNS.items() if isinstance(column.type, sa.String)]
_NUMBERS = ('until', 'duration')
_LARGEST_ID = 2**31 - 1
# What is wrong with a row, and not with the database.
_ROW_FAULTS = (sa.exc.DataError, sa.exc.IntegrityError, OverflowError, UnicodeError)


@attrs.frozen(kw_only=True)
class Search:
    """None and () ask for nothing; `since` is epoch seconds."""

    worker: str | None = None
    request: int | None = None
    lock: str | None = None
    kinds: tuple[str, ...] = ()
    since: float | None = None
    offset: int = 0
    limit: int = 100


def fit(event: Event) -> Event:
    """As it can be kept: texts on one line and no longer than their column, numbers finite."""
    fits: dict[str, Any] = {n: fitting(_COLUMNS[n], getattr(event, n)) for n in _TEXTS}
    fits.update({name: _finite(getattr(event, name)) for name in _NUMBERS})
    if event.request is not None and not 0 <= event.request <= _LARGEST_ID:
        fits['request'] = None
    return attrs.evolve(event, **fits)


def insert(connection: sa.Connection, events: Iterable[Event]) -> int:
    """Returns how many of them the database refused for what they are."""
    rows = [_row(connection, event) for event in events]
    if _inserted(connection, rows):
        return 0
    return sum(not _inserted(connection, [row]) for row in rows)


def find(connection: sa.Connection, search: Search) -> list[Event]:
    """Newest first."""
    query = _asked(_select(), search).order_by(_C.happened_at.desc(), _C.id.desc())
    return _read(connection, query.offset(max(search.offset, 0)).limit(max(search.limit, 0)))


def count(connection: sa.Connection, search: Search) -> int:
    """All that `find` would give, whatever its offset and limit."""
    query = _asked(sa.select(sa.func.count()).select_from(HISTORY), search)
    return int(connection.execute(query).scalar_one())


def _asked(query: sa.Select[Any], search: Search) -> sa.Select[Any]:
    if search.worker is not None:
        query = query.where(_C.worker == fitting(_COLUMNS['worker'], search.worker))
    if search.request is not None:
        query = query.where(_C.buildrequestid == min(search.request, _LARGEST_ID + 1))
    if search.lock is not None:
        query = query.where(_C.lock_name == fitting(_COLUMNS['lock'], search.lock))
    if search.kinds:
        query = query.where(_C.kind.in_(search.kinds))
    if search.since is not None:
        query = query.where(_C.happened_at >= search.since)
    return query


def longest(connection: sa.Connection, kind: str, limit: int, since: float | None) -> list[Event]:
    """The longest first."""
    query = _select().where(_C.kind == kind, _C.duration.is_not(None))
    if since is not None:
        query = query.where(_C.happened_at >= since)
    return _read(connection, query.order_by(_C.duration.desc(), _C.id.desc()).limit(max(limit, 0)))


def latest(connection: sa.Connection, kinds: tuple[str, ...], without: str) -> list[Event]:
    """The last one of each worker, kind and source, oldest first; none of the source `without`."""
    last = (
        sa.select(sa.func.max(_C.id).label('id'))
        .where(_C.kind.in_(kinds), _C.worker.is_not(None), _C.source != without)
        .group_by(_C.worker, _C.kind, _C.source)
        .subquery()
    )
    query = _select().join(last, last.c.id == _C.id)
    return _read(connection, query.order_by(_C.happened_at, _C.id))


def forget(connection: sa.Connection, worker: str) -> int:
    """Deletes all that names a worker; returns how many there were."""
    name = fitting(_COLUMNS['worker'], worker)
    own_lock = sa.and_(_C.worker.is_(None), _C.lock_group == name)
    deleted = connection.execute(sa.delete(HISTORY).where(sa.or_(_C.worker == name, own_lock)))
    return int(deleted.rowcount)


def delete_before(connection: sa.Connection, moment: float, most: int) -> int:
    """Deletes the oldest ones, at most so many; returns how many there were."""
    old = sa.select(_C.id).where(_C.happened_at < moment).order_by(_C.happened_at).limit(most)
    ids = list(connection.execute(old).scalars())  # MySQL knows no limit in a subquery
    connection.execute(sa.delete(HISTORY).where(_C.id.in_(ids)))
    return len(ids)


def _select() -> sa.Select[Any]:
    return sa.select(*(column.label(name) for name, column in _COLUMNS.items()))


def _read(connection: sa.Connection, query: sa.Select[Any]) -> list[Event]:
    return [Event(**row) for row in connection.execute(query).mappings()]


def _inserted(connection: sa.Connection, rows: list[dict[str, Any]]) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(HISTORY), rows)
    except _ROW_FAULTS:
        return False
    return True


def _row(connection: sa.Connection, event: Event) -> dict[str, Any]:
    return {
        column.name: encodable(connection, getattr(event, name))
        for name, column in _COLUMNS.items()
        if name != 'eventid'
    }


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def names(event: Event, worker: str) -> bool:
    """As `forget` means it."""
    name = fitting(_COLUMNS['worker'], worker)
    return event.worker == name or (event.worker is None and event.group == name)
