# SPDX-License-Identifier: GPL-2.0-or-later
"""When a reporter tells its owner that the machine is free."""

from __future__ import annotations

from support.reporters import NOW
from support.reporters import FakeLink
from support.reporters import ManualReactor
from support.reporters import new_folder
from support.reporters import new_worker
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.answer import Answer
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter import leftovers
from buildbot_balancer.reporter import reporter as module
from buildbot_balancer.reporter import status
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.reporter import SEARCH_EVERY
from buildbot_balancer.reporter.reporter import Reporter
from buildbot_balancer.reporter.sampler import Sampler
from buildbot_balancer.reporter.word import Word


class Free(SynchronousTestCase):
    def setUp(self):
        self.patch(module, 'make_link', FakeLink)
        self.patch(leftovers, 'find', self.find)
        self.left = []
        self.searches = 0
        self.basedir = new_folder(self)
        self.reactor = ManualReactor()
        self.reporter = Reporter(
            new_worker(self.basedir), reactor=self.reactor, sampler=Sampler([])
        )
        self.link = self.reporter._link
        self.reporter.startService()
        self.addCleanup(self.reporter.stopService)
        self.reporter._answered(Answer())
        self.drain()

    def find(self, basedir):
        self.searches += 1
        if isinstance(self.left, Exception):
            raise self.left
        return list(self.left)

    def drain(self, **more):
        said = Word(mood=Mood.GOING_ON_HOLIDAY, draining=True, id=word.new_id(), **more)
        word.save(self.basedir, said)
        self.reactor.pass_time(0.5)

    def answer(self, **said):
        self.reporter._answered(
            Answer(incarnation=self.reporter.incarnation, seq=self.reporter._seq, **said)
        )

    def status(self):
        return status.load(self.basedir)

    def test_a_holiday_becomes_offline_when_the_master_promises_and_nothing_is_left(self):
        self.answer(running=1)
        self.assertEqual((self.status().free, self.status().running), (False, 1))
        self.answer(free=True)
        found = self.status()
        self.assertEqual((found.free, found.mood, found.left), (True, 'offline', 0))
        self.assertEqual(self.link.sent[-1].mood, Mood.OFFLINE)
        self.assertTrue(self.link.sent[-1].draining)

    def test_a_process_of_a_build_that_is_still_here_is_waited_for(self):
        self.left = [11, 12]
        self.answer(free=True)
        found = self.status()
        self.assertEqual((found.free, found.mood, found.left), (False, 'going-on-holiday', 2))
        self.left = []
        self.reactor.pass_time(SEARCH_EVERY + 0.5)
        self.assertEqual((self.status().free, self.status().left), (True, 0))

    def test_all_processes_are_not_looked_at_all_the_time(self):
        self.left = [11]
        self.answer(free=True)
        self.searches = 0
        self.reactor.pass_time(10)
        self.assertTrue(4 <= self.searches <= 5, self.searches)

    def test_a_command_that_still_runs_here_is_waited_for(self):
        self.link.running = 1
        self.answer(free=True)
        self.reactor.pass_time(1)
        self.assertEqual((self.status().free, self.status().left), (False, 1))
        self.link.running = 0
        self.reactor.pass_time(0.5)
        self.assertTrue(self.status().free)

    def test_a_search_that_fails_frees_nothing_and_is_made_again(self):
        self.left = OSError('no /proc')
        self.answer(free=True)
        self.reactor.pass_time(SEARCH_EVERY - 0.5)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)  # no flood of tracebacks
        self.assertFalse(self.status().free)
        self.left = []
        self.reactor.pass_time(1)
        self.assertEqual(self.flushLoggedErrors(OSError), [])
        self.assertTrue(self.status().free)

    def test_a_search_for_the_word_before_does_not_count_for_the_present_one(self):
        self.reactor.threads.hang = True
        self.answer(free=True)
        self.drain()
        self.left = [11]
        self.answer(free=True)
        self.left = []
        self.reactor.threads.let_go()
        self.left = [11]
        self.reactor.pass_time(1)
        self.assertFalse(self.status().free)

    def test_a_new_word_is_not_free_before_the_master_has_heard_it(self):
        self.answer(free=True)
        self.assertTrue(self.status().free)
        self.drain(reason='another')
        found = self.status()
        self.assertEqual((found.free, found.mood), (False, 'going-on-holiday'))

    def test_a_late_answer_to_the_report_before_does_not_free_the_new_word(self):
        before = self.reporter._seq
        self.drain(reason='another')
        self.reporter._answered(
            Answer(incarnation=self.reporter.incarnation, seq=before, free=True)
        )
        self.assertFalse(self.status().free)

    def test_a_master_that_takes_its_leave_takes_its_promise_back(self):
        self.answer(free=True)
        self.reporter._answered(Answer(serving=False))
        found = self.status()
        self.assertEqual((found.free, found.connected), (False, False))
        self.assertEqual(found.mood, 'going-on-holiday')

    def test_a_drain_whose_time_is_over_is_no_drain_any_more(self):
        self.drain(until=NOW + 60)
        self.answer(free=True)
        self.assertTrue(self.status().free)
        self.reactor.pass_time(61)  # the master has not said anything since
        self.assertEqual((self.status().mood, self.status().draining), ('eager', False))
        self.assertEqual(self.link.sent[-1].mood, Mood.EAGER)

    def test_a_lost_connection_leaves_a_promise_as_it_is(self):
        self.answer(free=True)
        self.reporter._lost()
        self.reactor.pass_time(5)
        self.assertEqual((self.status().free, self.status().connected), (True, False))

    def test_a_promise_outlives_a_master_that_is_started_anew(self):
        self.answer(free=True)
        self.reporter._lost()
        self.reporter._answered(Answer())
        self.assertTrue(self.status().free)
        self.assertEqual(self.link.sent[-1].mood, Mood.OFFLINE)
