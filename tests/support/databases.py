# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases that run on each of the databases that a master can have."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from typing import Callable

import sqlalchemy as sa
from buildbot.db import enginestrategy
from twisted.internet import defer
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.tables.upgrade import upgrade
from support import mariadb
from support import postgres


class OnDatabase:
    """`problem()`: why it cannot be had; '' where it can.

    Beside a TestCase; engines are made as Buildbot makes them."""

    @staticmethod
    def problem() -> str:
        return ''

    def make_url(self) -> str:
        raise NotImplementedError

    def setUp(self) -> None:
        self.url = self.make_url()
        self.engine = self.make_engine()

    def make_engine(self, url: str | None = None) -> Any:
        engine = enginestrategy.create_engine(url or self.url, basedir=str(Path.cwd()))
        self.addCleanup(engine.dispose)  # type: ignore[attr-defined]
        return engine

    def make_tables(self) -> None:
        self.assertEqual(upgrade(self.engine), '')  # type: ignore[attr-defined]

    def do(self, work: Callable[..., Any], *args: Any) -> Any:
        with self.engine.begin() as connection:
            return work(connection, *args)

    def tables(self) -> set[str]:
        return {*sa.inspect(self.engine).get_table_names()} - {'sqlite_sequence'}


class OnSqlite(OnDatabase):
    def make_url(self) -> str:
        return 'sqlite:///state.sqlite'


class OnPostgres(OnDatabase):
    problem = staticmethod(postgres.problem)

    def make_url(self) -> str:
        return postgres.fresh_database()


class OnMariadb(OnDatabase):
    problem = staticmethod(mariadb.problem)

    def make_url(self) -> str:
        return mariadb.fresh_database()


def on_each(case: type, *bases: type[OnDatabase]) -> dict[str, type]:
    """For ``globals().update(...)``: `case` on each database that there is, a class each.

    ``unit/tables/test_databases.py`` says which there are not.
    """
    made = {}
    for base in bases or (OnSqlite, OnPostgres, OnMariadb):
        name = f'{case.__name__}{base.__name__}'
        if not base.problem():
            space = {'__module__': case.__module__}
            made[name] = type(name, (case, base, SynchronousTestCase), space)
    return made


class Pool:
    """Buildbot's, in the test's own thread; with `slow` work waits for `answer`."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.slow = False
        self.waiting: list[Any] = []
        self.asked: list[Any] = []  # what was asked, without what to make of failures

    def do_with_engine(self, work: Callable[..., Any], *args: Any) -> defer.Deferred[Any]:
        self.asked.append(next((one for one in args if callable(one)), work))
        if not self.slow:
            return defer.maybeDeferred(work, self.engine, *args)
        asked: defer.Deferred[Any] = defer.Deferred()
        self.waiting.append((asked, work, args))
        return asked

    def answer(self) -> None:
        asked, work, args = self.waiting.pop(0)
        if not asked.called:
            defer.maybeDeferred(work, self.engine, *args).chainDeferred(asked)


def master_with(pool: Pool) -> Any:
    return SimpleNamespace(db=SimpleNamespace(pool=pool))
