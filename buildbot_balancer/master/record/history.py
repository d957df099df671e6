# SPDX-License-Identifier: GPL-2.0-or-later
"""History: what has happened to workers, builders and locks, in the master's database."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_balancer.errors import BalancerError
from buildbot_balancer.explain.event import HELD
from buildbot_balancer.explain.event import WAITED
from buildbot_balancer.explain.event import Event
from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.master.database import Database
from buildbot_balancer.master.record.writer import Writer
from buildbot_balancer.tables import events
from buildbot_balancer.tables.events import Search

KEEP = 30 * 86400.0  # seconds
LEAST = 1.0  # seconds; a lock that was held or waited for less is no event
TIDY_EVERY = 3600.0  # seconds between two looks for what is too old
TIDY_PAUSE = 1.0  # seconds between two deletes
TIDY_AT_ONCE = 500  # events of one delete


class History:
    """Without tables (`problem` says why) nothing is recorded, and nothing found."""

    def __init__(self, database: Database, reactor: Any, keep: float = KEEP) -> None:
        self._database = database
        self._reactor = reactor
        self._keep = keep
        self._writer = Writer(database, reactor)
        self._timer: Any = None
        self._started = False
        self._tidying: defer.Deferred[None] | None = None

    @property
    def problem(self) -> str:
        """Why nothing is kept, in one sentence; '' when it works."""
        return self._database.problem

    async def start(self) -> None:
        self._started = True
        await self._prepare()
        if self._started:
            self._tidy_in(0)

    async def _prepare(self) -> None:
        await self._database.prepare()
        if self._started and not self.problem:
            self._writer.start()

    async def stop(self) -> None:
        """Writes what waits; nothing of ours asks the database when this returns."""
        started, self._started = self._started, False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._tidying is not None:
            await self._tidying
        if started and not self._database.problem:
            await self._writer.stop()

    def record(self, event: Event) -> None:
        if self._database.refused:
            return
        short = event.duration is None or not event.duration >= LEAST
        if event.kind in {HELD, WAITED} and short:
            return
        try:
            self._writer.add(events.fit(event))
        except Exception:  # whoever tells us has other things to do
            failed(Failure(), f'recording {event.kind} in the history')

    async def find(
        self,
        *,
        worker: str | None = None,
        request: int | None = None,
        lock: str | None = None,
        kinds: Collection[str] = (),
        since: float | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> list[Event]:
        """Newest first. Raises BalancerError where the database cannot be read."""
        if self.problem:
            return []
        search = Search(
            worker=worker,
            request=request,
            lock=lock,
            kinds=tuple(kinds),
            since=since,
            offset=offset,
            limit=limit,
        )
        found: list[Event] = await self._database.ask(events.find, search)
        return found

    async def count(
        self,
        *,
        worker: str | None = None,
        request: int | None = None,
        lock: str | None = None,
        kinds: Collection[str] = (),
        since: float | None = None,
    ) -> int:
        """How many `find` would give in all."""
        if self.problem:
            return 0
        search = Search(worker=worker, request=request, lock=lock, kinds=tuple(kinds), since=since)
        counted: int = await self._database.ask(events.count, search)
        return counted

    async def longest(self, kind: str, limit: int = 10, since: float | None = None) -> list[Event]:
        """The longest ones of HELD or WAITED."""
        if self.problem:
            return []
        found: list[Event] = await self._database.ask(events.longest, kind, limit, since)
        return found

    async def latest(self, kinds: tuple[str, ...], without: str) -> list[Event]:
        """The last one of each worker, kind and source, oldest first, but of one source."""
        if self.problem:
            return []
        found: list[Event] = await self._database.ask(events.latest, kinds, without)
        return found

    async def forget(self, worker: str) -> int:
        """Deletes what is known of a worker; returns how many events that were.

        Raises BalancerError where the database refuses.
        """
        if self.problem:
            return 0
        deleted, dropped = await self._writer.alone(
            lambda: self._database.ask(events.forget, worker),
            lambda event: events.names(event, worker),
        )
        return int(deleted) + int(dropped)

    # what is too old

    def _tidy_in(self, wait: float) -> None:
        self._timer = self._reactor.callLater(wait, self._begin_tidying)

    def _begin_tidying(self) -> None:
        self._tidying = defer.ensureDeferred(self._tidy())
        self._tidying.addErrback(failed, 'deleting what is old in the history')

    async def _tidy(self) -> None:
        wait = TIDY_EVERY
        try:
            if self._database.problem:  # somebody may have mended it
                await self._prepare()
            else:
                before = self._reactor.seconds() - self._keep
                ask = self._database.ask
                if await ask(events.delete_before, before, TIDY_AT_ONCE) == TIDY_AT_ONCE:
                    wait = TIDY_PAUSE
        except BalancerError as e:
            say(f'what is too old stays in the history for now: {e}')
        finally:
            if self._started:
                self._tidy_in(wait)
