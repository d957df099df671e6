# SPDX-License-Identifier: GPL-2.0-or-later
"""Stores of shared locks, one for each master, on one database."""

from __future__ import annotations

import threading
from typing import Any
from typing import Callable

import sqlalchemy as sa
from twisted.internet import defer

from buildbot_balancer.cluster.store import Store
from buildbot_balancer.master.database import Database
from buildbot_balancer.tables.schema import INCARNATION
from buildbot_balancer.tables.schema import UNIT
from buildbot_balancer.tables.schema import WAITER
from support.databases import Pool
from support.databases import master_with

LEASE = 30.0
PATIENCE = 60.0  # bounds a failure


def result(coroutine: Any) -> Any:
    """Of what ends in this turn, as all does with `Pool`."""
    found: list[Any] = []
    defer.ensureDeferred(coroutine).addBoth(found.append)
    (one,) = found
    if hasattr(one, 'raiseException'):
        one.raiseException()
    return one


class Prompt:
    """A reactor that does not wait; `pauses` are those that were asked for."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def callLater(self, seconds: float, call: Callable[..., Any], *args: Any) -> Any:
        self.pauses.append(seconds)
        call(*args)


class Member:
    """A master's store, run and `freed` locks; what it is asked is answered at once."""

    def __init__(self, engine: Any, name: str = 'a', masterid: int = 1) -> None:
        self.freed: list[Any] = []
        self.reactor = Prompt()
        database = Database(master_with(Pool(engine)))
        result(database.prepare())
        self.store = Store(database, self.reactor, lambda: 0.5, self.freed.extend)
        self.name = name
        self.masterid = masterid
        self.id = ''

    def begin(self, lease: float = LEASE) -> Member:
        self.id = result(self.store.begin(self.name, self.masterid, lease))
        return self

    def beat(self) -> bool:
        return result(self.store.beat(self.id))

    def end_dead(self) -> list[str]:
        return result(self.store.end_dead(self.id))

    def take(self, owner: str, *wants: Any, **how: Any) -> Any:
        return result(self.store.take(self.id, owner, wants, **how))

    def give_back(self, *owners: str) -> Any:
        return result(self.store.give_back(self.id, owners))

    def stop_waiting(self, *owners: str) -> Any:
        return result(self.store.stop_waiting(self.id, owners))

    def hand_over(self, old: str, new: str) -> int:
        return result(self.store.hand_over(self.id, old, new))

    def sweep(self, *living: str) -> Any:
        strays = sorted(result(self.store.owners(self.id)) - {*living})
        freed = self.give_back(*strays)
        result(self.store.stop_waiting(self.id, strays))
        return freed

    def end(self) -> None:
        result(self.store.end(self.id))

    def picture(self) -> Any:
        return result(self.store.picture())


def let_pass(engine: Any, seconds: float) -> None:
    """As if the database's clock had gone on."""
    columns = {
        INCARNATION: ('started_at', 'present_since', 'beat_at'),
        WAITER: ('waiting_since', 'asked_at'),
        UNIT: ('granted_at',),
    }
    with engine.begin() as connection:
        for table, names in columns.items():
            values = {name: table.c[name] - seconds for name in names}
            connection.execute(sa.update(table).values(values))


class Gate:
    """Stops the thread that uses an engine before the first statement that `stops`; a commit, too.

    `held` False: it only notes that the statement is reached.
    """

    def __init__(self, engine: Any, stops: Callable[[str], bool], held: bool = True) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()
        self._stops = stops
        if not held:
            self.open()
        sa.event.listen(engine, 'before_cursor_execute', self._before)
        sa.event.listen(engine, 'commit', lambda connection: self._at('COMMIT'))

    def _before(self, conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        self._at(statement)

    def _at(self, statement: str) -> None:
        if not self.reached.is_set() and self._stops(statement):
            self.reached.set()
            if not self._open.wait(PATIENCE):
                raise AssertionError('nobody opens the gate')

    def open(self) -> None:
        self._open.set()


class Aside:
    """Runs something in a thread; `result` waits for it."""

    def __init__(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._found: list[Any] = []
        self._thread = threading.Thread(target=self._run, args=(work, args, kwargs), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[..., Any], args: Any, kwargs: Any) -> None:
        try:
            self._found.append(work(*args, **kwargs))
        except BaseException as e:
            self._found.append(e)

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def result(self) -> Any:
        self._thread.join(PATIENCE)
        (found,) = self._found
        if isinstance(found, BaseException):
            raise found
        return found
