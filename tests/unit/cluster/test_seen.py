# SPDX-License-Identifier: GPL-2.0-or-later
"""Who publishes and who reads, on a database whose answers can be held up."""

from __future__ import annotations

from types import SimpleNamespace

import sqlalchemy as sa
from buildbot.db.model import Model
from support.databases import OnSqlite
from support.databases import Pool
from support.facades import worker_sight
from support.logs import LogLines
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cluster import pictures
from buildbot_balancer.cluster.published import EVERY
from buildbot_balancer.cluster.published import SHARE
from buildbot_balancer.cluster.published import SOON
from buildbot_balancer.cluster.published import Published
from buildbot_balancer.cluster.seen import AGAIN
from buildbot_balancer.cluster.seen import Seen
from buildbot_balancer.master.database import Database
from buildbot_balancer.tables import seen

READS, WRITES = 1, 2


class Case(OnSqlite, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.make_tables()
        Model.metadata.create_all(self.engine, tables=[Model.masters])
        self.do(self.fill)
        self.pool = Pool(self.engine)
        self.clock = Clock()
        self.cost = Clock()
        self.lines = LogLines(self)
        self.reader = Seen(self.master(READS), self.clock, self.database())
        self.workers = [worker_sight(1, master='m2')]
        self.looks = 0
        self.takes = 0.0
        self.writer = Published(
            self.master(WRITES), self.clock, self.database(), self.look, self.cost.seconds
        )
        self.pool.asked.clear()

    def fill(self, connection):
        for one in (READS, WRITES):
            row = {'id': one, 'name': f'm{one}', 'name_hash': f'{one}', 'active': 1}
            connection.execute(sa.insert(Model.masters).values(**row, last_active=1))

    def master(self, masterid):
        return SimpleNamespace(masterid=masterid, db=SimpleNamespace(pool=self.pool, model=Model))

    def database(self):
        database = Database(self.master(0))
        self.now(database.prepare())
        return database

    async def look(self):
        self.looks += 1
        self.cost.advance(self.takes)
        return {
            pictures.WORKERS: pictures.written(pictures.WORKERS, self.workers),
            pictures.REQUESTS: pictures.written(pictures.REQUESTS, ()),
            pictures.BUILDERS: pictures.written(pictures.BUILDERS, ()),
        }

    def now(self, awaitable):
        return self.successResultOf(defer.ensureDeferred(awaitable))

    def shown(self):
        """By what is read now."""
        self.clock.advance(AGAIN)
        self.now(self.reader.look())
        return [one.name for one in self.reader.others().workers()]

    def stamps(self):
        columns = seen.SEEN.c.kind, seen.SEEN.c.changed_at
        return dict(map(tuple, self.do(lambda c: c.execute(sa.select(*columns)).all())))


class Publishing(Case):
    def test_the_last_run_is_forgotten_before_anything_else(self):
        self.now(self.writer.start())
        self.clock.advance(0)
        self.assertEqual(self.shown(), ['w1'])
        again = Published(
            self.master(WRITES), self.clock, self.database(), self.look, self.cost.seconds
        )
        self.now(again.announce())
        self.assertEqual(self.shown(), [])

    def test_a_picture_that_is_what_it_was_is_not_written_again(self):
        self.now(self.writer.start())
        self.clock.advance(0)
        before = self.stamps()
        self.clock.advance(EVERY)
        self.assertEqual((self.looks, self.stamps()), (2, before))
        self.workers = [worker_sight(2, master='m2')]
        self.clock.advance(EVERY)
        changed = {kind for kind, at in self.stamps().items() if before[kind] != at}
        self.assertEqual((changed, self.shown()), ({pictures.WORKERS}, ['w2']))

    def test_one_that_is_dear_is_made_less_often(self):
        self.takes = 1.0
        self.now(self.writer.start())
        self.clock.advance(0)
        self.clock.advance(SHARE - 1)
        self.assertEqual(self.looks, 1)
        self.clock.advance(1)
        self.assertEqual(self.looks, 2)

    def test_what_somebody_has_just_said_is_told_sooner_and_at_a_bounded_rate(self):
        self.now(self.writer.start())
        self.writer.soon()  # not later than the first, which is due at once
        self.clock.advance(0)
        self.assertEqual(self.looks, 1)
        for _ in range(10):
            self.writer.soon()
            self.clock.advance(SOON / 4)
        self.assertEqual(self.looks, 3)

    def test_what_somebody_has_deleted_is_written_again(self):
        self.now(self.writer.start())
        self.clock.advance(0)
        self.do(seen.delete, WRITES)
        self.clock.advance(EVERY)
        self.clock.advance(EVERY)
        self.assertEqual(self.shown(), ['w1'])

    def test_a_database_that_fails_is_one_line_and_asked_again(self):
        self.now(self.writer.start())
        self.pool.engine = self.make_engine('sqlite:////nowhere/state.sqlite')
        for _ in range(3):
            self.clock.advance(EVERY)
        (line,) = self.lines.ours()
        self.assertIn('the other masters are not told what this one sees: ', line)
        self.pool.engine = self.engine
        self.clock.advance(EVERY)
        self.assertEqual(self.shown(), ['w1'])

    def test_one_that_stops_is_shown_no_more_and_writes_nothing_after_that(self):
        self.now(self.writer.start())
        self.clock.advance(0)
        self.pool.slow = True
        self.clock.advance(EVERY)  # it is being written
        stopped = defer.ensureDeferred(self.writer.stop())
        self.assertNoResult(stopped)
        while self.pool.waiting:
            self.pool.answer()
        self.successResultOf(stopped)
        self.pool.slow = False
        self.assertEqual((self.shown(), self.stamps()), ([], {}))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Reading(Case):
    def setUp(self):
        super().setUp()
        self.now(self.writer.start())
        self.clock.advance(0)
        self.clock.advance(AGAIN)
        self.pool.asked.clear()

    def test_many_who_look_at_once_ask_once(self):
        self.pool.slow = True
        looks = [defer.ensureDeferred(self.reader.look()) for _ in range(5)]
        self.pool.answer()
        for look in looks:
            self.successResultOf(look)
        self.now(self.reader.look())  # a moment later
        self.assertEqual(self.pool.asked, [seen.load])

    def test_nobody_who_looks_asks_nothing(self):
        self.clock.pump([1.0] * 5)
        self.reader.others()
        self.assertEqual(self.pool.asked, [])

    def test_what_cannot_be_read_any_more_grows_old_and_then_away(self):
        self.assertEqual(self.shown(), ['w1'])
        self.pool.engine = self.make_engine('sqlite:////nowhere/state.sqlite')
        self.clock.pump([30.0] * 3)
        self.assertEqual(self.shown(), ['w1'])
        self.assertIn('out of date', self.reader.others().worker(1).summary)
        self.clock.pump([30.0] * 20)
        self.assertEqual(self.shown(), [])
        lines = [one for one in self.lines.ours() if 'what other masters see' in one]
        self.assertEqual(len(lines), 1)

    def test_who_has_waited_for_a_look_that_fails_goes_on(self):
        self.pool.slow = True
        looks = [defer.ensureDeferred(self.reader.look()) for _ in range(2)]
        self.pool.waiting.pop()[0].errback(ValueError())
        self.failureResultOf(looks[0], ValueError)
        self.successResultOf(looks[1])
