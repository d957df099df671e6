# SPDX-License-Identifier: GPL-2.0-or-later
"""Trouble: hears of it when the master's database fails, whoever asked.

By SQLAlchemy's own event for errors. Buildbot logs such a failure and goes on; what it was about
to write is missing then, and somebody has to look for it.
"""

from __future__ import annotations

from typing import Any
from typing import Callable

import sqlalchemy as sa

from buildbot_balancer.tables.shared_transaction import is_contention
from buildbot_balancer.tables.shared_transaction import is_ours

LOST = (sa.exc.OperationalError, sa.exc.InterfaceError)


def is_lost(error: object) -> bool:
    """The database could not be asked; what it was asked for is not to blame."""
    return isinstance(error, LOST) or bool(getattr(error, 'connection_invalidated', False))


class Trouble:
    """`told()` is called in the reactor's thread, once in a while however often it fails."""

    def __init__(self, master: Any, reactor: Any, told: Callable[[], None]) -> None:
        self._master = master
        self._reactor = reactor
        self._told = told
        self._engine: Any = None
        self._coming = False  # `told` will be called

    def start(self) -> None:
        if self._engine is None:
            self._engine = self._master.db.pool.engine
            sa.event.listen(self._engine, 'handle_error', self._heard)

    def stop(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            sa.event.remove(engine, 'handle_error', self._heard)

    def _heard(self, context: Any) -> None:
        """In a thread of the database's pool."""
        error = context.sqlalchemy_exception
        lost = context.is_disconnect or is_lost(error)
        if lost and not _will_be_tried_again(context, error) and not self._coming:
            self._coming = True
            self._reactor.callFromThread(self._tell)

    def _tell(self) -> None:
        self._coming = False
        if self._engine is not None:
            self._told()


def _will_be_tried_again(context: Any, error: Any) -> bool:
    """Others were in the way: of Buildbot, which waits for SQLite's lock, or of us."""
    if not isinstance(error, sa.exc.DBAPIError) or not is_contention(error):
        return False
    ours = context.connection is not None and is_ours(context.connection)
    return ours or context.dialect.name == 'sqlite'
