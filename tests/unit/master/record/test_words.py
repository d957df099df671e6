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
from buildbot_balancer.master.record.pauses import Pause
from buildbot_balancer.master.record.words import Words

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
        self.now(self.words.read())
        (line,) = self.lines.ours()  # however often it is read
        self.assertIn('worker a is ignored: "grumpy" is no mood', line)


class Reading(Case):
    def read(self):
        return self.now(self.words.read())

    def test_all_of_it_is_read_at_once(self):
        self.now(self.words.save_worker('a', FULL, 1.0))
        self.now(self.words.save_builder('b', PAUSE))
        said = self.read()
        self.assertEqual((said.workers, said.builders), ({'a': FULL}, {'b': PAUSE}))
        self.assertEqual((said.my_workers, said.my_builders), (frozenset(), frozenset()))

    def test_what_is_said_while_it_is_read_is_known_better_here(self):
        for hurry in (True, False):  # whether it is written before the answer comes
            self.pool.slow = True
            reading = defer.ensureDeferred(self.words.read())
            saving = defer.ensureDeferred(self.words.save_worker('a', FULL, 1.0))
            pausing = defer.ensureDeferred(self.words.forget_builder('b'))
            if hurry:
                self.pool.waiting.append(self.pool.waiting.pop(0))
            while self.pool.waiting:
                self.pool.answer()
            said = self.successResultOf(reading)
            self.successResultOf(defer.gatherResults([saving, pausing]))
            self.assertEqual((said.my_workers, said.my_builders), ({'a'}, {'b'}))
            self.pool.slow = False

    def test_what_was_being_written_when_it_began_is_waited_for(self):
        self.pool.slow = True
        saving = defer.ensureDeferred(self.words.save_worker('a', FULL, 1.0))
        reading = defer.ensureDeferred(self.words.read())
        while self.pool.waiting:
            self.pool.answer()
        self.successResultOf(saving)
        self.assertEqual(self.successResultOf(reading).workers, {'a': FULL})

    def test_each_change_that_is_in_the_database_is_told(self):
        told = []
        self.words.kept = lambda: told.append(None)
        self.now(self.words.save_worker('a', FULL, 1.0))
        self.now(self.words.forget_worker('a'))
        self.assertEqual(len(told), 2)
        self.break_down()
        self.now(self.words.save_worker('a', FULL, 1.0))
        self.assertEqual(len(told), 2)


class ComingBack(Case):
    """A database that could not be asked for a while, or had no tables."""

    def test_what_could_not_be_kept_is_kept_as_soon_as_it_can_be(self):
        self.now(self.words.save_worker('b', FULL, 1.0))
        self.now(self.words.load_workers())
        self.now(self.words.load_builders())
        self.assertFalse(self.words.is_behind)
        engine = self.pool.engine
        self.break_down()
        self.now(self.words.save_worker('a', DRAIN, 1.0))
        self.now(self.words.save_worker('a', FULL, 1.0))
        self.now(self.words.forget_worker('b'))
        self.assertTrue(self.words.is_behind)
        self.assertIsNone(self.now(self.words.read()))
        self.pool.engine = engine
        said = self.now(self.words.read())
        self.assertEqual((said.workers, said.my_workers), ({'a': FULL}, frozenset()))
        self.assertFalse(self.words.is_behind)

    def test_what_was_said_before_late_tables_is_read_when_they_are_there(self):
        self.now(self.words.save_worker('a', FULL, 1.0))
        late = Words(Database(master_with(self.pool)))
        self.assertEqual(self.now(late.load_workers()), {})
        self.assertFalse(late.is_behind)  # there is nothing to be asked yet
        self.now(late.save_worker('b', DRAIN, 1.0))
        self.now(late._database.prepare())
        self.assertTrue(late.is_behind)
        self.assertEqual(self.now(late.read()).workers, {'a': FULL, 'b': DRAIN})
        self.assertFalse(late.is_behind)


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
