# SPDX-License-Identifier: GPL-2.0-or-later
"""Words: what users of the master said about workers and builders, kept over a restart.

It holds whether or not it can be kept; where it cannot, the log says so, and it is tried again.
Other masters on the same database read it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import Callable

import attrs
import sqlalchemy as sa
from twisted.internet import defer

from buildbot_balancer.availability.cap import ADMIN
from buildbot_balancer.availability.cap import Cap
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.errors import WordError
from buildbot_balancer.log import say
from buildbot_balancer.master.database import Database
from buildbot_balancer.master.record.pauses import Pause
from buildbot_balancer.tables import kept
from buildbot_balancer.tables.schema import PAUSE
from buildbot_balancer.tables.schema import WORD


@attrs.frozen(kw_only=True)
class Said:
    """What the database says. Of `my_workers` and `my_builders` this master knows better: what its
    users have said may not be written yet.
    """

    workers: Mapping[str, Cap]
    builders: Mapping[str, Pause]
    my_workers: frozenset[str] = frozenset()
    my_builders: frozenset[str] = frozenset()


@attrs.frozen(eq=False)
class _Change:
    work: Callable[..., Any]
    args: tuple[Any, ...]


class Words:
    """Asked after History.start, which makes the tables. `kept()` is called when something that
    was said is in the database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writing = defer.DeferredLock()  # a pool of threads keeps no order
        self._unread = {WORD, PAUSE}
        self._unwritten: dict[tuple[sa.Table, str], _Change] = {}  # the last one of each
        self._recent: set[tuple[sa.Table, str]] = set()  # changed since somebody began to read
        self._ignored: set[tuple[str, str]] = set()  # which was said
        self.kept: Callable[[], None] = _nobody

    @property
    def is_behind(self) -> bool:
        """Something has not been read or written yet, and now it perhaps can be."""
        return bool(self._unread or self._unwritten) and not self._database.problem

    async def read(self) -> Said | None:
        """None where it cannot be read now. Two at once are not allowed."""
        await self._write_again()
        self._recent = set(self._unwritten)
        try:
            words, pauses = await self._database.ask(_load_all)
        except BalancerError:
            return None
        self._unread.clear()
        mine = {*self._recent, *self._unwritten}
        return Said(
            workers=self._caps(words),
            builders={row['builder']: _pause(row) for row in pauses},
            my_workers=frozenset(name for table, name in mine if table is WORD),
            my_builders=frozenset(name for table, name in mine if table is PAUSE),
        )

    async def load_workers(self) -> dict[str, Cap]:
        return self._caps(await self._load(WORD))

    async def load_builders(self) -> dict[str, Pause]:
        return {row['builder']: _pause(row) for row in await self._load(PAUSE)}

    async def save_worker(self, name: str, cap: Cap, at: float) -> None:
        row = {
            'worker': name,
            'mood': cap.mood.label,
            'reason': cap.reason,
            'until_at': cap.until,
            'actor': cap.by,
            'said_at': at,
        }
        await self._change(WORD, name, kept.save, WORD, row)

    async def forget_worker(self, name: str) -> None:
        await self._change(WORD, name, kept.delete, WORD, name)

    async def save_builder(self, name: str, pause: Pause) -> None:
        row = {
            'builder': name,
            'reason': pause.reason,
            'until_at': pause.until,
            'actor': pause.by,
            'said_at': pause.at,
        }
        await self._change(PAUSE, name, kept.save, PAUSE, row)

    async def forget_builder(self, name: str) -> None:
        await self._change(PAUSE, name, kept.delete, PAUSE, name)

    async def _load(self, table: sa.Table) -> list[dict[str, Any]]:
        if self._database.problem:  # which was said when the tables were looked for
            return []
        try:
            rows: list[dict[str, Any]] = await self._database.ask(kept.load, table)
        except BalancerError as e:
            say(f'what admins said before the start is not known, and does not hold: {e}')
            return []
        self._unread.discard(table)
        return rows

    def _caps(self, rows: list[dict[str, Any]]) -> dict[str, Cap]:
        caps = {row['worker']: self._cap(row) for row in rows}
        return {name: cap for name, cap in caps.items() if cap is not None}

    def _cap(self, row: dict[str, Any]) -> Cap | None:
        try:
            mood = Mood.parse(row['mood'])
        except WordError as e:
            self._ignore(row['worker'], row['mood'], e)
            return None
        until, by = row['until_at'], row['actor']
        return Cap(mood=mood, source=ADMIN, reason=row['reason'], until=until, by=by)

    def _ignore(self, worker: str, mood: str, why: WordError) -> None:
        if (worker, mood) not in self._ignored:  # it is read again every few seconds
            self._ignored.add((worker, mood))
            say(f'what an admin said about worker {worker} is ignored: {why}')

    async def _change(self, table: sa.Table, name: str, work: Any, *args: Any) -> None:
        change = _Change(work, args)
        self._recent.add((table, name))
        self._unwritten[table, name] = change
        try:
            await self._write(table, name, change)
        except BalancerError as e:
            say(
                f'what was said about {name} counts until this master stops,'
                f' unless it can be kept before: {e}'
            )

    async def _write_again(self) -> None:
        for (table, name), change in list(self._unwritten.items()):
            try:
                await self._write(table, name, change)
            except BalancerError:  # which was said when it was tried first
                return

    async def _write(self, table: sa.Table, name: str, change: _Change) -> None:
        await self._writing.run(lambda: defer.ensureDeferred(self._ask(table, name, change)))

    async def _ask(self, table: sa.Table, name: str, change: _Change) -> None:
        if self._unwritten.get((table, name)) is not change:
            return  # something newer was said, or it has been written
        await self._database.ask(change.work, *change.args)
        if self._unwritten.get((table, name)) is change:
            del self._unwritten[table, name]
        self.kept()


def _nobody() -> None:
    """Nobody listens yet."""


def _load_all(connection: sa.Connection) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return kept.load(connection, WORD), kept.load(connection, PAUSE)


def _pause(row: dict[str, Any]) -> Pause:
    return Pause(at=row['said_at'], reason=row['reason'], until=row['until_at'], by=row['actor'])
