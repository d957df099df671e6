# SPDX-License-Identifier: GPL-2.0-or-later
"""The history in the database of a real master, beside Buildbot's own tables."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from buildbot.util.twisted import async_to_deferred
from support import postgres
from support.diary import until
from support.farm import Farm
from support.masters import MasterCase
from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet import task
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.cap import ADMIN
from buildbot_balancer.availability.cap import Cap
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.explain.event import MOOD
from buildbot_balancer.explain.event import Event
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.master.database import Database
from buildbot_balancer.master.record import recorder
from buildbot_balancer.master.record.history import History
from buildbot_balancer.master.record.words import Words
from demo.processes import run

PULSE = """
import itertools
import os
from buildbot.util.service import BuildbotService
from buildbot.util.twisted import async_to_deferred
from twisted.internet import task
from buildbot_balancer.explain.event import MOOD, Event
from buildbot_balancer.master.database import Database
from buildbot_balancer.master.record.history import History


class Pulse(BuildbotService):
    name = 'pulse'

    @async_to_deferred
    async def startService(self):
        await super().startService()
        self.numbers = itertools.count()
        self.log = open('recorded', 'a', buffering=1)
        self.history = History(Database(self.master), self.master.reactor)
        await self.history.start()
        self.loop = task.LoopingCall(self.beat)
        self.loop.start(0.01)

    @async_to_deferred
    async def stopService(self):
        self.loop.stop()
        await self.history.stop()
        await super().stopService()

    def beat(self):
        name = f'{os.getpid()}-{next(self.numbers)}'
        self.log.write(name + '\\n')
        self.history.record(Event(kind=MOOD, at=self.master.reactor.seconds(), worker=name))


c['services'] = [Pulse()]
"""


class HistoryCase(MasterCase):
    proto = 'null'

    def make_url(self) -> str:
        return f'sqlite:///{Path("state.sqlite").resolve()}'

    def setUp(self) -> None:
        super().setUp()
        self.url = self.make_url()

    async def begin(self) -> None:
        """A master, its database made or upgraded by Buildbot, with a history."""
        await self.start(('w',), connect=False, db_url=self.url)
        self.database = Database(self.master)
        self.history = History(self.database, reactor)
        await self.history.start()
        self.assertEqual(self.history.problem, '')

    async def end(self) -> None:
        await self.history.stop()
        await self.tested_master.shutdown()

    def record(self, worker: str) -> None:
        self.history.record(Event(kind=MOOD, at=reactor.seconds(), worker=worker))

    async def found(self) -> list[str | None]:
        return [event.worker for event in reversed(await self.history.find())]

    async def recorded(self, *names: str) -> None:
        while await self.found() != [*names]:
            await task.deferLater(reactor, 0.02)


class OverTime:
    @async_to_deferred
    async def test_it_is_kept_over_a_restart_of_the_master(self) -> None:
        await self.begin()
        self.record('a')
        await self.recorded('a')
        self.record('b')  # which the stop has to write
        await self.end()
        await self.begin()
        self.assertEqual(await self.found(), ['a', 'b'])
        self.assertEqual(await self.history.forget('a'), 1)
        self.record('c')
        await self.recorded('b', 'c')
        await self.end()

    @async_to_deferred
    async def test_what_an_admin_said_is_kept_over_it_too(self) -> None:
        cap = Cap(mood=Mood.OFFLINE, source=ADMIN, reason='moving', until=2e9, by='ann')
        await self.begin()
        await Words(self.database).save_worker('w', cap, 1.0)
        await self.end()
        await self.begin()
        self.assertEqual(await Words(self.database).load_workers(), {'w': cap})
        await self.end()

    @async_to_deferred
    async def test_buildbot_finds_its_own_tables_as_it_left_them(self) -> None:
        await self.begin()
        self.record('a')
        await self.recorded('a')
        self.assertTrue(await self.master.db.model.is_current())
        await self.master.db.model.upgrade()
        self.assertTrue(await self.master.db.model.is_current())
        self.assertEqual(await self.found(), ['a'])
        await self.end()

    @async_to_deferred
    async def test_two_masters_that_start_at_once_have_one_history(self) -> None:
        await self.begin()
        await self.history.stop()
        await self.master.db.pool.do(drop_all)
        both = [History(Database(self.master), reactor) for _ in range(2)]
        self.history, other = both
        await defer.DeferredList([defer.ensureDeferred(one.start()) for one in both])
        self.assertEqual([one.problem for one in both], ['', ''])
        self.record('a')
        await self.recorded('a')
        self.assertEqual([event.worker for event in await other.find()], ['a'])
        await other.stop()
        await self.end()


def drop_all(connection: Any) -> None:
    for table in ('history', 'word', 'pause', 'version'):
        connection.exec_driver_sql(f'drop table balancer_{table}')
    connection.commit()


class OnSqlite(OverTime, HistoryCase):
    pass


if not postgres.problem():

    class OnPostgres(OverTime, HistoryCase):
        def make_url(self) -> str:
            return postgres.fresh_database()


class ABusyDatabase(HistoryCase):
    @contextlib.contextmanager
    def locked(self) -> Iterator[sqlite3.Connection]:
        other = sqlite3.connect('state.sqlite', isolation_level=None)
        other.execute('begin immediate')
        yield other
        other.execute('rollback')
        other.close()

    @async_to_deferred
    async def test_nobody_waits_for_it_and_nothing_is_lost(self) -> None:
        await self.begin()
        with self.locked() as other:
            for name in 'abc':
                self.record(name)
                await task.deferLater(reactor, 0.05)  # the reactor turns while a thread waits
            self.assertEqual(other.execute('select * from balancer_history').fetchall(), [])
        await self.recorded('a', 'b', 'c')
        await self.end()


class RecordedMoods(MasterCase):
    proto = 'pb'

    def worker_dir(self, name: str) -> Path:
        return Path(f'worker-{name}')  # the same after a restart

    async def begin(self) -> None:
        self.patch(recorder, 'BEAT', 3600.0)  # what is told is enough
        url = f'sqlite:///{Path("state.sqlite").resolve()}'
        await self.start(('w1',), services=[Balancer()], db_url=url)

    async def end(self) -> None:
        await self.disconnect('w1')
        await self.tested_master.shutdown()

    async def recorded(self, *kinds: str) -> list[Event]:
        """The events of the worker, oldest first, when there are these."""
        while True:
            found = list(reversed(await self.balancer.history.find(worker='w1')))
            if [event.kind for event in found] == [*kinds]:
                return found
            assert len(found) <= len(kinds), found
            await task.deferLater(reactor, 0.05)

    @async_to_deferred
    async def test_a_mood_a_drain_and_its_end_are_recorded_once_also_over_a_restart(self) -> None:
        await self.begin()
        self.say('w1', mood=Mood.RELUCTANT, reason='using it')
        (event,) = await self.recorded('mood')
        self.assertEqual((event.mood, event.reason), ('reluctant', 'using it'))
        self.assertEqual((event.source, event.worker), ('owner', 'w1'))
        self.say('w1', mood=Mood.GOING_ON_HOLIDAY, draining=True, reason='moving')
        await self.recorded('mood', 'drain', 'freed')
        await self.end()
        await self.begin()
        await task.deferLater(reactor, 1.5)
        await self.recorded('mood', 'drain', 'freed')
        self.say('w1')
        *_, event = await self.recorded('mood', 'drain', 'freed', 'resume')
        self.assertEqual((event.mood, event.source), ('eager', 'default'))
        await self.end()

    @async_to_deferred
    async def test_a_drain_of_a_busy_worker_is_freed_when_its_build_ends(self) -> None:
        await self.begin()
        await self.request()
        await self.started(1)
        self.say('w1', mood=Mood.GOING_ON_HOLIDAY, draining=True)
        await self.recorded('drain')
        self.let_all_go()
        await self.recorded('drain', 'freed')
        await self.end()


class KilledMaster(SynchronousTestCase):
    """A process with a history in which something happens a hundred times a second."""

    def setUp(self) -> None:
        self.farm = Farm('pb')
        self.addCleanup(self.farm.close)
        self.master = self.farm.make_master(balancer=None)
        self.master.configure(self.farm.make_config(balancer=None) + PULSE)

    def rows(self) -> list[str]:
        path = self.master.basedir / 'state.sqlite'
        query = 'select worker from balancer_history order by id'
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return [row[0] for row in connection.execute(query)]

    def recorded(self) -> list[str]:
        return (self.master.basedir / 'recorded').read_text().split()

    def test_kill_9_takes_the_newest_events_only_and_the_next_master_goes_on(self) -> None:
        self.master.start()
        first = f'{self.master.pid}-'
        until(lambda: len(self.rows()) > 20)
        self.master.kill()
        kept = self.rows()
        self.assertEqual(kept, self.recorded()[: len(kept)])
        self.master.start()
        until(lambda: len(self.rows()) > len(kept))
        self.assertEqual(self.rows()[: len(kept)], kept)
        self.master.stop()
        self.assertEqual(self.rows(), [*kept, *(n for n in self.recorded() if first not in n)])

    def test_buildbots_own_commands_do_not_stumble_over_the_tables(self) -> None:
        self.master.start()
        until(self.rows)
        self.master.stop()
        before = self.rows()
        run('buildbot', 'checkconfig', self.master.basedir)
        run('buildbot', 'upgrade-master', '-q', self.master.basedir)
        run('buildbot', 'cleanupdb', '-q', self.master.basedir)
        self.assertEqual(self.rows(), before)
