# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from support.databases import OnSqlite
from support.databases import Pool
from support.databases import master_with
from support.logs import LogLines
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.errors import BalancerError
from buildbot_balancer.explain.event import DRAIN
from buildbot_balancer.explain.event import HELD
from buildbot_balancer.explain.event import MOOD
from buildbot_balancer.explain.event import WAITED
from buildbot_balancer.explain.event import Event
from buildbot_balancer.master.database import Database
from buildbot_balancer.master.record.history import KEEP
from buildbot_balancer.master.record.history import LEAST
from buildbot_balancer.master.record.history import TIDY_AT_ONCE
from buildbot_balancer.master.record.history import TIDY_EVERY
from buildbot_balancer.master.record.history import TIDY_PAUSE
from buildbot_balancer.master.record.history import History
from buildbot_balancer.tables import events
from buildbot_balancer.tables.events import Search

NOW = 1_800_000_000.0


class Case(OnSqlite, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.clock = Clock()
        self.clock.advance(NOW)
        self.pool = Pool(self.engine)
        self.lines = LogLines(self)
        self.history = self.make()

    def make(self, **more):
        return History(Database(master_with(self.pool)), self.clock, **more)

    def run_(self, coroutine):
        return self.successResultOf(defer.ensureDeferred(coroutine))

    def start(self):
        self.run_(self.history.start())
        self.clock.advance(0)
        self.pool.asked.clear()

    def restart(self):
        """Another master's, on the same database."""
        self.run_(self.history.stop())
        self.history = self.make()
        self.start()

    def record(self, kind=MOOD, at=None, **more):
        self.history.record(Event(kind=kind, at=self.clock.seconds() if at is None else at, **more))
        self.clock.advance(1)

    def workers(self, **search):
        return [event.worker for event in self.run_(self.history.find(**search))]


class Keeping(Case):
    def test_what_is_recorded_is_found_also_after_a_restart(self):
        self.start()
        self.assertEqual(self.history.problem, '')
        self.record(worker='a')
        self.assertEqual(self.workers(), ['a'])
        self.record(worker='b', request=5)
        self.history.record(Event(kind=DRAIN, at=self.clock.seconds(), worker='c', lock='l'))
        self.restart()
        self.assertEqual(self.workers(), ['c', 'b', 'a'])
        self.assertEqual(self.workers(worker='a'), ['a'])
        self.assertEqual(self.workers(request=5), ['b'])
        self.assertEqual(self.workers(lock='l'), ['c'])
        self.assertEqual(self.workers(kinds=[DRAIN]), ['c'])
        self.assertEqual(self.workers(since=NOW + 0.5, limit=1, offset=1), ['b'])

    def test_what_happens_before_the_tables_are_there_is_kept(self):
        self.record(worker='early')
        self.assertEqual(self.pool.asked, [])
        self.start()
        self.assertEqual(self.workers(), ['early'])

    def test_locks_that_are_held_or_waited_for_less_than_a_second_are_no_events(self):
        self.start()
        for kind in (HELD, WAITED):
            for worker, duration in (('none', None), ('short', LEAST - 0.01), ('long', LEAST)):
                self.record(kind, worker=worker, duration=duration)
            self.record(kind, worker='odd', duration=float('nan'))
        self.record(MOOD, worker='mood')
        self.assertEqual(self.workers(), ['mood', 'long', 'long'])

    def test_the_longest_are_found(self):
        self.start()
        for duration in (2.0, 30.0, 4.0):
            self.record(HELD, lock='l', duration=duration)
        self.record(WAITED, lock='l', duration=99.0)
        found = self.run_(self.history.longest(HELD, limit=2))
        self.assertEqual([event.duration for event in found], [30.0, 4.0])
        found = self.run_(self.history.longest(HELD, since=NOW + 2))
        self.assertEqual([event.duration for event in found], [4.0])

    def test_texts_are_cleaned_and_cut(self):
        self.start()
        self.record(worker='w\x1b[2J', reason='a\nb' + 'x' * 500)
        (found,) = self.run_(self.history.find())
        self.assertEqual(found.worker, 'w[2J')
        self.assertEqual(found.reason[:4], 'a bx')
        self.assertEqual(len(found.reason), 200)

    def test_recording_never_raises(self):
        self.start()
        self.history.record(Event(kind=MOOD, at=1.0, until='tomorrow'))
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.record(worker='next')
        self.assertEqual(self.workers(), ['next'])


class Forgetting(Case):
    def test_all_of_a_worker_goes_also_what_waits_to_be_written(self):
        self.start()
        self.record(worker='a')
        self.record(worker='b')
        self.history.record(Event(kind=MOOD, at=NOW, worker='a'))
        self.assertEqual(self.run_(self.history.forget('a')), 2)
        self.clock.advance(5)
        self.assertEqual(self.workers(), ['b'])

    def test_what_is_being_written_goes_too(self):
        self.start()
        self.pool.slow = True
        self.record(worker='a')
        forgotten = defer.ensureDeferred(self.history.forget('a'))
        self.pool.answer()
        self.pool.answer()
        self.assertEqual(self.successResultOf(forgotten), 1)
        self.pool.slow = False
        self.assertEqual(self.workers(), [])

    def test_a_database_that_refuses_is_a_sentence(self):
        self.start()
        self.pool.engine = self.make_engine('sqlite:////nowhere/state.sqlite')
        failed = self.failureResultOf(defer.ensureDeferred(self.history.forget('a')), BalancerError)
        self.assertEqual(str(failed.value), 'the database says: unable to open database file')


class Tidying(Case):
    def insert(self, *ages):
        made = [Event(kind=MOOD, at=NOW - age, worker=str(age)) for age in ages]
        self.do(events.insert, made)

    def test_what_is_older_than_a_month_goes_at_the_start_and_every_hour(self):
        self.make_tables()
        self.insert(KEEP + 1, KEEP - 60, 0)
        self.start()
        self.assertEqual(len(self.workers()), 2)
        self.clock.advance(TIDY_EVERY)
        self.assertEqual(self.workers(), ['0'])

    def test_another_time_can_be_asked_for(self):
        self.make_tables()
        self.insert(3, 5)
        self.history = self.make(keep=4)
        self.start()
        self.assertEqual(self.workers(), ['3'])

    def test_much_goes_by_and_by(self):
        self.make_tables()
        self.insert(*(KEEP + 1 for _ in range(2 * TIDY_AT_ONCE + 5)))
        counts = []
        self.start()
        for _ in range(4):
            counts.append(len(self.do(events.find, Search(limit=5000))))
            self.clock.advance(TIDY_PAUSE)
        self.assertEqual(counts, [TIDY_AT_ONCE + 5, 5, 0, 0])
        self.assertEqual(len(self.pool.asked), 2)  # and the next look is in an hour

    def test_a_database_that_fails_then_is_a_line_and_it_is_tried_again(self):
        self.start()
        self.insert(KEEP)
        self.pool.engine = self.make_engine('sqlite:////nowhere/state.sqlite')
        self.clock.advance(TIDY_EVERY)
        self.assertIn('stays in the history for now', self.lines.ours()[0])
        self.pool.engine = self.engine
        self.clock.advance(TIDY_EVERY)
        self.assertEqual(self.workers(), [])


class WithoutTables(Case):
    def setUp(self):
        super().setUp()
        self.pool.engine = self.make_engine('sqlite:////nowhere/state.sqlite')

    def test_it_says_why_in_one_line_and_all_else_goes_on(self):
        self.record(worker='a')
        self.start()
        for _ in range(3):
            self.record(worker='a')
        self.assertIn('unable to open database file', self.history.problem)
        self.assertEqual(len(self.lines.ours()), 1)
        self.assertIn('no history is kept', self.lines.ours()[0])
        self.assertEqual(self.workers(), [])
        self.assertEqual(self.run_(self.history.longest(HELD)), [])
        self.assertEqual(self.run_(self.history.latest((MOOD,), 'admin')), [])
        self.assertEqual(self.run_(self.history.forget('a')), 0)
        self.clock.pump([TIDY_EVERY] * 5)
        self.assertEqual(len(self.lines.ours()), 1)
        self.run_(self.history.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_who_mends_it_need_not_restart_the_master(self):
        self.start()
        self.record(worker='before')
        self.pool.engine = self.engine
        self.clock.advance(TIDY_EVERY)
        self.assertEqual(self.history.problem, '')
        self.assertIn('is kept from now on', self.lines.ours()[-1])
        self.record(worker='a')
        self.assertEqual(self.workers(), ['a'])

    def test_a_defect_of_ours_is_said_and_stops_no_master(self):
        self.pool.do_with_engine = lambda *_: 1 / 0
        self.start()
        self.assertIn('ZeroDivisionError', self.history.problem)


class Stopping(Case):
    def test_nothing_is_asked_after_it(self):
        self.start()
        self.history.record(Event(kind=MOOD, at=NOW, worker='a'))
        self.run_(self.history.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.pool.asked.clear()
        self.history.record(Event(kind=MOOD, at=NOW, worker='late'))
        self.clock.pump([TIDY_EVERY] * 2)
        self.assertEqual(self.pool.asked, [])

    def test_who_stops_before_the_tables_are_there_is_not_started_afterwards(self):
        self.pool.slow = True
        started = defer.ensureDeferred(self.history.start())
        self.run_(self.history.stop())
        self.pool.answer()
        self.successResultOf(started)
        self.history.record(Event(kind=MOOD, at=NOW, worker='late'))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_delete_that_goes_on_is_waited_for(self):
        self.start()
        self.pool.slow = True
        self.clock.advance(TIDY_EVERY)
        stopped = defer.ensureDeferred(self.history.stop())
        self.assertNoResult(stopped)
        self.pool.answer()
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_never_ran_can_be_stopped(self):
        self.run_(self.history.stop())
