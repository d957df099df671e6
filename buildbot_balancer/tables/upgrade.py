# SPDX-License-Identifier: GPL-2.0-or-later
"""Upgrade: makes the tables, and brings those of an older version up to this one.

Several masters may do so at once: one of them does, and the others wait for it. Alembic's own
commands would need a global variable, which two threads cannot share.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from buildbot_balancer.tables.attempt import described
from buildbot_balancer.tables.schema import VERSION_TABLE

PATIENCE = 30  # seconds for another master's upgrade
LOCK = 0x62616C616E636572  # any number that nobody else would take: "balancer"


class _AnotherUpgradeError(Exception):
    """It takes too long."""


def upgrade(engine: sa.Engine, folder: Path | None = None) -> str:
    """Why the tables cannot be used, in one sentence; '' where they can.

    `folder` holds a folder ``versions``.
    """
    scripts = ScriptDirectory(str(folder or Path(__file__).parent))
    try:
        with engine.connect() as connection:
            state = _state(connection, scripts)
        if state.behind:
            with engine.connect() as connection, _alone(connection):
                state = _state(connection, scripts)  # another master may have been first
                if state.behind:
                    _run(connection, scripts)
                    state = _state(connection, scripts)
    except (sa.exc.SQLAlchemyError, CommandError, _AnotherUpgradeError) as e:
        return f'the tables balancer_* cannot be made or read: {described(e)}'
    return state.problem


class _State:
    """`behind`: there is something to do."""

    def __init__(self, found: set[str], known: set[str], head: str | None) -> None:
        foreign = found - known
        self.behind = not foreign and found != {head}
        self.problem = ''
        if foreign:
            self.problem = (
                f'the tables balancer_* have version {", ".join(sorted(foreign))}, and this'
                f' buildbot-balancer knows them up to {head}: a newer one has made them'
            )


def _state(connection: sa.Connection, scripts: ScriptDirectory) -> _State:
    found = set(_context(connection).get_current_heads())
    known = {script.revision for script in scripts.walk_revisions()}
    return _State(found, known, scripts.get_current_head())


def _context(connection: sa.Connection, **options: Any) -> MigrationContext:
    options['version_table'] = VERSION_TABLE  # Buildbot's own is alembic_version
    return MigrationContext.configure(connection, opts=options)


def _run(connection: sa.Connection, scripts: ScriptDirectory) -> None:
    def steps(revision: Any, _: MigrationContext) -> Any:
        return scripts._upgrade_revs('head', revision)  # noqa: SLF001  as Buildbot does

    context = _context(connection, fn=steps)
    context.run_migrations(operations=Operations(context))


@contextlib.contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    """In a transaction that no other master has at the same time."""
    if connection.dialect.name in {'mysql', 'mariadb'}:
        with _named_lock(connection):
            yield
        return
    with connection.begin():
        if connection.dialect.name == 'sqlite':  # which else begins at the first row that changes
            connection.exec_driver_sql('BEGIN IMMEDIATE')
        elif connection.dialect.name == 'postgresql':
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}s'")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        yield


@contextlib.contextmanager
def _named_lock(connection: sa.Connection) -> Iterator[None]:
    """MySQL ends a transaction at each CREATE, and with it all locks but these.

    They are of the whole server, hence the name of the database.
    """
    name = sa.func.sha1(sa.func.concat(f'{VERSION_TABLE} ', sa.func.database()))
    if connection.execute(sa.select(sa.func.get_lock(name, PATIENCE))).scalar() != 1:
        raise _AnotherUpgradeError(f'another upgrade goes on for {PATIENCE} s')
    try:
        yield
        connection.commit()
    finally:
        connection.rollback()
        connection.execute(sa.select(sa.func.release_lock(name)))
        connection.rollback()
