# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from support.databases import OnSqlite
from support.databases import Pool
from support.databases import master_with
from support.logs import LogLines
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.explain.event import MOOD
from buildbot_balancer.explain.event import Event
from buildbot_balancer.master.database import Database
from buildbot_balancer.master.record import writer as module
from buildbot_balancer.master.record.writer import AT_ONCE
from buildbot_balancer.master.record.writer import EVERY
from buildbot_balancer.master.record.writer import LONGEST_RETRY
from buildbot_balancer.master.record.writer import MOST
from buildbot_balancer.master.record.writer import STOP_PATIENCE
from buildbot_balancer.master.record.writer import Writer
from buildbot_balancer.tables import events
from buildbot_balancer.tables.events import Search


class Case(OnSqlite, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        self.clock = Clock()
        self.clock.advance(1000)
        self.pool = Pool(self.engine)
        self.database = Database(master_with(self.pool))
        self.successResultOf(defer.ensureDeferred(self.database.prepare()))
        self.pool.asked.clear()
        self.writer = Writer(self.database, self.clock)
        self.lines = LogLines(self)

    def add(self, *names):
        for name in names:
            self.writer.add(Event(kind=MOOD, at=self.clock.seconds(), worker=name))

    def written(self):
        return [event.worker for event in reversed(self.do(events.find, Search(limit=2 * MOST)))]

    def break_down(self):
        """The database is not there."""
        self.pool.engine = self.make_engine('sqlite:////nowhere/state.sqlite')

    def mend(self):
        self.pool.engine = self.engine

    def stop(self):
        return defer.ensureDeferred(self.writer.stop())


class Writing(Case):
    def setUp(self):
        super().setUp()
        self.writer.start()

    def test_events_of_one_turn_are_one_transaction_and_nobody_waits_for_it(self):
        self.add('a', 'b')
        self.assertEqual(self.pool.asked, [])
        self.clock.advance(0)
        self.assertEqual(self.written(), ['a', 'b'])
        self.assertEqual(len(self.pool.asked), 1)

    def test_there_is_one_transaction_a_second_and_no_event_waits_longer(self):
        for tenth in range(31):
            self.add(str(tenth))
            self.clock.advance(EVERY / 10)
        self.assertLessEqual(len(self.pool.asked), 4)
        self.assertGreaterEqual(len(self.written()), 21)
        self.clock.advance(EVERY)
        self.assertEqual(self.written(), [str(tenth) for tenth in range(31)])

    def test_where_nothing_happens_nothing_is_asked(self):
        self.add('a')
        self.clock.pump([EVERY] * 10)
        self.assertEqual(len(self.pool.asked), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_transaction_has_a_bounded_number_of_events(self):
        self.add(*map(str, range(AT_ONCE + 1)))
        self.clock.advance(0)
        self.assertEqual(len(self.written()), AT_ONCE)
        self.clock.advance(EVERY)
        self.assertEqual(len(self.written()), AT_ONCE + 1)

    def test_what_comes_while_it_writes_is_written_next(self):
        self.pool.slow = True
        self.add('a')
        self.clock.advance(0)
        self.add('b')
        self.clock.pump([EVERY] * 3)
        self.assertEqual(len(self.pool.asked), 1)
        self.pool.answer()
        self.clock.advance(EVERY)
        self.pool.answer()
        self.assertEqual(self.written(), ['a', 'b'])

    def test_before_its_start_events_wait(self):
        writer = Writer(self.database, self.clock)
        writer.add(Event(kind=MOOD, at=1.0, worker='early'))
        self.clock.advance(EVERY)
        self.assertEqual(self.written(), [])
        writer.start()
        self.clock.advance(0)
        self.assertEqual(self.written(), ['early'])


class Failing(Case):
    def setUp(self):
        super().setUp()
        self.writer.start()

    def test_a_database_that_fails_for_a_while_loses_nothing_and_is_one_line(self):
        self.break_down()
        for name in 'abcde':
            self.add(name)
            self.clock.advance(7)
        self.assertEqual(len(self.lines.ours()), 1)
        self.assertIn('cannot be written', self.lines.ours()[0])
        self.assertIn('unable to open database file', self.lines.ours()[0])
        self.mend()
        self.clock.advance(LONGEST_RETRY)
        self.assertEqual(self.written(), list('abcde'))
        self.assertEqual(len(self.lines.ours()), 2)
        self.assertIn('is written again', self.lines.ours()[1])

    def test_each_failure_is_said_once(self):
        for _ in range(2):
            self.break_down()
            self.add('a')
            self.clock.pump([EVERY] * 10)
            self.mend()
            self.clock.pump([EVERY] * 10)
        failing = ['cannot be written' in line for line in self.lines.ours()]
        self.assertEqual(failing, [True, False, True, False])
        self.assertEqual(self.written(), ['a', 'a'])

    def test_it_is_tried_less_and_less_often(self):
        self.break_down()
        self.add('a')
        self.clock.pump([1] * 600)
        self.assertLess(len(self.pool.asked), 20)
        before = len(self.pool.asked)
        self.clock.pump([1] * int(2 * LONGEST_RETRY))
        self.assertGreaterEqual(len(self.pool.asked), before + 2)
        self.mend()
        self.clock.advance(LONGEST_RETRY)
        self.add('b')
        self.clock.advance(EVERY)  # the usual pace again
        self.assertEqual(self.written(), ['a', 'b'])

    def test_more_than_the_bound_is_lost_and_said_with_its_number(self):
        self.break_down()
        self.add(*map(str, range(MOST + 3)))
        self.assertEqual(len(self.lines.ours()), 1)
        self.assertIn('loses events', self.lines.ours()[0])
        self.mend()
        self.clock.pump([EVERY] * (MOST // AT_ONCE + 1))
        self.assertEqual(self.written(), [str(number) for number in range(MOST)])
        self.add('later')
        self.clock.advance(EVERY)
        said = [line for line in self.lines.ours() if '3 events of the history are lost' in line]
        self.assertEqual(len(said), 1)
        self.assertEqual(self.written()[-1], 'later')

    def test_an_event_that_the_database_refuses_is_lost_alone_and_said(self):
        self.add('a')
        self.writer.add(Event(kind=None, at=1.0))
        self.add('b')
        self.clock.advance(0)
        self.assertEqual(self.written(), ['a', 'b'])
        self.assertIn('1 events of the history are lost', self.lines.ours()[0])

    def test_a_defect_of_ours_does_not_end_it(self):
        insert = events.insert
        self.patch(events, 'insert', lambda *_: 1 / 0)
        self.add('a')
        self.clock.advance(0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.patch(events, 'insert', insert)
        self.clock.advance(EVERY)
        self.assertEqual(self.written(), ['a'])


class Dropping(Case):
    def setUp(self):
        super().setUp()
        self.writer.start()

    def drop(self, name, work=lambda: defer.succeed('done')):
        return self.writer.alone(work, lambda event: event.worker == name)

    def test_what_waits_is_dropped_and_counted(self):
        self.add('a', 'b', 'a')
        self.assertEqual(self.successResultOf(self.drop('a')), ('done', 2))
        self.clock.advance(EVERY)
        self.assertEqual(self.written(), ['b'])

    def test_it_waits_for_what_is_being_written(self):
        self.pool.slow = True
        self.add('a')
        self.clock.advance(0)
        seen = []
        dropped = self.drop('a', lambda: defer.succeed(seen.append(self.written())))
        self.assertNoResult(dropped)
        self.pool.answer()
        self.assertEqual(self.successResultOf(dropped), (None, 0))
        self.assertEqual(seen, [['a']])

    def test_what_comes_meanwhile_is_written_afterwards(self):
        going = defer.Deferred()
        dropped = self.drop('a', lambda: going)
        self.add('a', 'b')
        self.clock.advance(EVERY)
        self.assertEqual(self.written(), [])
        going.callback('done')
        self.assertEqual(self.successResultOf(dropped), ('done', 0))
        self.clock.advance(EVERY)
        self.assertEqual(self.written(), ['a', 'b'])


class Stopping(Case):
    def test_what_waits_is_written(self):
        self.writer.start()
        self.add(*map(str, range(2 * AT_ONCE + 1)))
        self.successResultOf(self.stop())
        self.assertEqual(len(self.written()), 2 * AT_ONCE + 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_is_being_written_is_waited_for_and_written_once(self):
        self.writer.start()
        self.pool.slow = True
        self.add('a')
        self.clock.advance(0)
        self.add('b')
        stopped = self.stop()
        self.assertNoResult(stopped)
        self.pool.answer()
        self.pool.answer()
        self.successResultOf(stopped)
        self.assertEqual(self.written(), ['a', 'b'])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_database_that_fails_then_costs_one_line(self):
        self.writer.start()
        self.break_down()
        self.add('a', 'b')
        self.successResultOf(self.stop())
        self.assertIn('2 events of the history are lost', self.lines.ours()[0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_that_does_not_answer_does_not_hold_up_the_stop(self):
        self.writer.start()
        self.pool.slow = True
        self.add('a')
        self.clock.advance(0)
        stopped = self.stop()
        self.clock.advance(STOP_PATIENCE - 0.1)
        self.assertNoResult(stopped)
        self.clock.advance(0.2)
        self.successResultOf(stopped)
        self.assertIn('does not answer', self.lines.ours()[0])

    def test_a_defect_does_not_hold_up_the_stop(self):
        self.writer.start()
        self.patch(module.events, 'insert', lambda *_: 1 / 0)
        self.add('a')
        self.successResultOf(self.stop())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
