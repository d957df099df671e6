# SPDX-License-Identifier: GPL-2.0-or-later
"""The master's database fails at each moment of a build in turn, on a real master."""

from __future__ import annotations

import gc
import os
import sqlite3
from typing import Any

import pytest
import sqlalchemy as sa
from buildbot.plugins import steps
from buildbot.util.twisted import async_to_deferred
from support.masters import MasterCase
from twisted.internet import reactor
from twisted.internet import task

from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.master.requests import claims
from buildbot_balancer.master.starts import endings


class Connections:
    """Of a master to its SQLite file, which makes one for each thing that it asks; some fail."""

    def __init__(self, engine: Any) -> None:
        self.count = 0
        self.failing = range(0)
        sa.event.listen(engine, 'do_connect', self._connect)

    def _connect(self, *args: Any) -> None:
        self.count += 1
        if self.count in self.failing:
            raise sqlite3.OperationalError('unable to open database file')


class OutageCase(MasterCase):
    proto = 'null'

    def setUp(self) -> None:
        self.addCleanup(self._hear_the_last_errors)  # the first is done last
        super().setUp()

    def _hear_the_last_errors(self) -> None:
        """What nobody has waited for says so when it is collected, be it in another test."""
        gc.collect()
        self.flushLoggedErrors(sa.exc.OperationalError)

    async def begin(self) -> None:
        self.patch(endings, 'PAUSE', 0.05)
        self.patch(claims, 'PAUSES', (0.05, 0.1, 0.2))

        def two_steps() -> list[Any]:
            return [
                steps.SetProperty(property='seen', value='yes'),
                steps.ShellCommand(command=['echo', 'hello'], logEnviron=False),
            ]

        file = os.path.abspath(self.mktemp())
        url = f'sqlite:///{file}'
        await self.start(('w1',), two_steps, services=[Balancer(recheck=1)], db_url=url)
        place = self.buildbot_worker('w1')
        for name in ('quarantine_timeout', 'quarantine_initial_timeout', 'quarantine_max_timeout'):
            setattr(place, name, 0.05)  # else of ten seconds and more, after each exception
        self.connections = Connections(self.master.db.pool.engine)
        self.own = sa.create_engine(url, poolclass=sa.pool.NullPool)

    async def fails(self, first: int, count: int) -> int:
        """A build during which the connections from `first` on fail; how many it had."""
        request = await self.request()
        self.connections.count = 0
        self.connections.failing = range(first, first + count)
        for moment in range(1500):
            if self.is_over(request) and not self.left_behind():
                break
            if moment % 20 == 19:  # at every half a minute
                self.connections.failing = range(0)
                await self.balancer._parts.neighbours._orphans.look()
            await task.deferLater(reactor, 0.02)
        else:
            why = f'({count} connections from {first} on)'
            raise AssertionError(f'request {request} did not end well {why}: {self.left_behind()}')
        used, self.connections.failing = self.connections.count, range(0)
        self.flushLoggedErrors()
        self.flushLoggedErrors(sa.exc.OperationalError)  # and what is said of it until the end
        return used

    def is_over(self, request: int) -> bool:
        table = self.master.db.model.buildrequests
        row = self.rows(sa.select(table.c.complete).where(table.c.id == request))
        building = self.master.botmaster.builders['b'].building
        return row == [(1,)] and not building

    def left_behind(self) -> dict[str, list[Any]]:
        """What is open in the database, and no build runs."""
        model = self.master.db.model
        queries = {
            'builds': sa.select(model.builds.c.id).where(model.builds.c.complete_at.is_(None)),
            'steps': sa.select(model.steps.c.id).where(model.steps.c.complete_at.is_(None)),
            'logs': sa.select(model.logs.c.id).where(model.logs.c.complete == 0),
            'buildsets': sa.select(model.buildsets.c.id).where(model.buildsets.c.complete == 0),
        }
        found = {name: self.rows(query) for name, query in queries.items()}
        places = self.master.botmaster.builders['b'].workers
        found['busy'] = [one for one in places if one.isBusy()]
        return {name: rows for name, rows in found.items() if rows}

    def rows(self, query: Any) -> list[Any]:
        with self.own.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]


class EachMoment(OutageCase):
    async def each(self, count: int, step: int) -> None:
        await self.begin()
        first, used = 1, 1
        while first <= used:
            used = await self.fails(first, count)
            first += step

    @pytest.mark.long
    @async_to_deferred
    async def test_a_build_comes_to_its_end_at_whichever_moment_the_database_fails(self) -> None:
        await self.each(5, 13)

    @pytest.mark.slow
    @async_to_deferred
    async def test_a_build_comes_to_its_end_whichever_connection_fails(self) -> None:
        await self.each(1, 1)

    @pytest.mark.slow
    @async_to_deferred
    async def test_a_build_comes_to_its_end_wherever_two_connections_fail(self) -> None:
        await self.each(2, 1)
