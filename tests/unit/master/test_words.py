# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from support.databases import OnSqlite
from support.databases import Pool
from support.databases import master_with
from support.logs import LogLines
from twisted.internet import defer
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.cap import ADMIN
from buildbot_balancer.availability.cap import Cap
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.master.database import Database
from buildbot_balancer.master.pauses import Pause
from buildbot_balancer.master.words import Words

FULL = Cap(mood=Mood.RELUCTANT, source=ADMIN, reason='moving', until=1_800_000_000.25, by='ann')
DRAIN = Cap(mood=Mood.GOING_ON_HOLIDAY, source=ADMIN)
PAUSE = Pause(at=1.5, reason='freeze', until=1_800_000_000.25, by='ann')


class Case(OnSqlite, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.pool = Pool(self.engine)
        self.lines = LogLines(self)
        self.database = Database(master_with(self.pool))
        self.words = Words(self.database)
        self.now(self.database.prepare())

    def now(self, coroutine):
        return self.successResultOf(defer.ensureDeferred(coroutine))

    def workers(self):
        return self.now(self.words.load_workers())

    def builders(self):
        return self.now(self.words.load_builders())

    def break_down(self):
        self.pool.engine = self.make_engine('sqlite:////nowhere/state.sqlite')


class Keeping(Case):
    def test_what_was_said_of_workers_is_loaded_as_it_was_said(self):
        self.now(self.words.save_worker('a', DRAIN, 1.0))
        self.now(self.words.save_worker('b', FULL, 2.0))
        self.assertEqual(self.workers(), {'a': DRAIN, 'b': FULL})
        self.now(self.words.save_worker('a', FULL, 3.0))
        self.now(self.words.forget_worker('b'))
        self.assertEqual(self.workers(), {'a': FULL})

    def test_pauses_of_builders_are_loaded_as_they_were_made(self):
        self.now(self.words.save_builder('a', Pause(at=1.0)))
        self.now(self.words.save_builder('b', PAUSE))
        self.assertEqual(self.builders(), {'a': Pause(at=1.0), 'b': PAUSE})
        self.now(self.words.save_builder('a', PAUSE))
        self.now(self.words.forget_builder('b'))
        self.assertEqual((self.builders(), self.workers()), ({'a': PAUSE}, {}))

    def test_what_is_said_last_is_written_last_however_many_threads_there_are(self):
        self.pool.slow = True
        said = [
            defer.ensureDeferred(self.words.save_worker('a', FULL, 1.0)),
            defer.ensureDeferred(self.words.forget_worker('a')),
        ]
        self.pool.waiting.reverse()  # as threads do, now and then
        while self.pool.waiting:
            self.pool.answer()
        self.successResultOf(defer.gatherResults(said))
        self.pool.slow = False
        self.assertEqual(self.workers(), {})

    def test_a_mood_that_is_none_is_a_line_and_loses_no_other(self):
        self.now(self.words.save_worker('a', DRAIN, 1.0))
        self.now(self.words.save_worker('b', FULL, 1.0))
        update = "update balancer_word set mood = 'grumpy' where worker = 'a'"
        self.do(lambda connection: connection.exec_driver_sql(update) and None)
        self.assertEqual(self.workers(), {'b': FULL})
        self.assertIn('worker a is ignored: "grumpy" is no mood', self.lines.ours()[0])


class Failing(Case):
    def test_what_cannot_be_kept_is_a_line_and_no_error(self):
        self.break_down()
        self.now(self.words.save_worker('a', FULL, 1.0))
        self.now(self.words.forget_builder('b'))
        said = self.lines.ours()
        self.assertEqual(len(said), 2)
        self.assertIn('what was said about a counts until this master stops', said[0])

    def test_what_cannot_be_loaded_is_a_line_and_no_error(self):
        self.break_down()
        self.assertEqual((self.workers(), self.builders()), ({}, {}))
        self.assertEqual(len(self.lines.ours()), 2)

    def test_without_tables_there_is_nothing_to_load_and_no_more_to_say(self):
        self.break_down()
        self.now(self.database.prepare())
        before = len(self.lines.ours())
        self.assertEqual((self.workers(), self.builders()), ({}, {}))
        self.assertEqual(len(self.lines.ours()), before)
