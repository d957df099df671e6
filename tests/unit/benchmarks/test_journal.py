# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.drain import figures
from benchmarks.journal import Journal
from benchmarks.meter import Cost


class Starts(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.journal = Journal(self.clock.seconds)

    def test_a_worker_is_idle_from_the_end_of_a_build_to_the_next_start(self):
        self.journal.started(1, 'w1')
        self.clock.advance(5)
        self.journal.ended('w1')
        self.clock.advance(2)
        self.journal.started(2, 'w1')
        self.assertEqual([one.idle for one in self.journal.starts], [None, 2])

    def test_the_first_build_of_a_worker_ends_no_wait(self):
        self.journal.ended('w1')
        self.clock.advance(2)
        self.journal.started(1, 'w2')
        self.assertIsNone(self.journal.starts[0].idle)

    def test_who_still_waits_has_waited_at_least_so_long(self):
        self.journal.ended('w1')
        self.clock.advance(3)
        self.assertEqual(self.journal.idle_now(), [3])
        self.journal.started(1, 'w1')
        self.assertEqual(self.journal.idle_now(), [])

    def test_until_fires_in_the_turn_of_that_start_and_not_before(self):
        second = self.journal.until(2)
        self.journal.started(1, 'w1')
        self.assertNoResult(second)
        self.journal.started(2, 'w2')
        self.successResultOf(second)

    def test_until_fires_at_once_for_a_start_that_has_been(self):
        self.journal.started(1, 'w1')
        self.successResultOf(self.journal.until(1))

    def test_who_gave_up_waiting_is_not_called(self):
        given_up = self.journal.until(1)
        given_up.addErrback(lambda _: 'given up')
        given_up.cancel()
        other = self.journal.until(1)
        self.journal.started(1, 'w1')
        self.assertEqual(self.successResultOf(given_up), 'given up')
        self.successResultOf(other)


class Figures(SynchronousTestCase):
    def test_costs_are_shared_by_the_starts_that_were_counted(self):
        clock = Clock()
        journal = Journal(clock.seconds)
        for number in range(4):
            journal.started(number, f'w{number}')
        found = figures(journal.starts[2:], Cost(seconds=4.0, cpu=1.0, calls=28), journal)
        self.assertEqual(found['starts_per_second'], 0.5)
        self.assertEqual(found['cpu_per_start'], 0.5)
        self.assertEqual(found['calls_per_start'], 14)
        self.assertEqual(found['cpu_share'], 0.25)

    def test_without_a_start_there_is_no_cost_of_one(self):
        journal = Journal(Clock().seconds)
        found = figures([], Cost(seconds=4.0, cpu=1.0, calls=28), journal)
        self.assertIsNone(found['cpu_per_start'])
        self.assertIsNone(found['calls_per_start'])

    def test_a_worker_that_nobody_gave_a_build_counts_with_its_wait_so_far(self):
        clock = Clock()
        journal = Journal(clock.seconds)
        journal.ended('w1')
        clock.advance(9)
        found = figures([], Cost(seconds=9.0, cpu=0.0, calls=0), journal)
        self.assertEqual(found['idle']['most'], 9)
