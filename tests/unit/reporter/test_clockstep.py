# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import time

from support.reporters import FakeLink
from support.reporters import ManualReactor
from support.reporters import new_folder
from support.reporters import new_worker
from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.trial.unittest import TestCase

from buildbot_balancer.availability.answer import Answer
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter import clockstep
from buildbot_balancer.reporter import reporter as module
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.clockstep import ClockStep
from buildbot_balancer.reporter.reporter import Reporter
from buildbot_balancer.reporter.sampler import Sampler
from buildbot_balancer.reporter.word import Word

HOUR = 3600.0


class Looks(SynchronousTestCase):
    def setUp(self):
        self.wall, self.steady = Clock(), Clock()
        self.steps = []
        self.step = ClockStep(self.wall, self.steady.seconds, lambda: self.steps.append(1))
        self.step.open()

    def go(self, wall, steady):
        self.wall.rightNow += wall
        self.steady.rightNow += steady
        self.step.look()

    def test_each_step_back_is_told_once(self):
        self.go(1, 1)
        self.assertEqual(self.steps, [])
        self.go(1 - HOUR, 1)
        self.assertEqual(self.steps, [1])
        self.go(1, 1)
        self.assertEqual(self.steps, [1])
        self.go(-HOUR, 1)
        self.assertEqual(self.steps, [1, 1])

    def test_one_forward_or_a_sleep_of_the_machine_is_none(self):
        self.go(HOUR, 1)
        self.go(8 * HOUR, 0)
        self.assertEqual(self.steps, [])

    def test_a_clock_that_is_being_corrected_is_none(self):
        self.go(0.9, 1)
        self.assertEqual(self.steps, [])


class Waking(TestCase):
    def test_the_reactor_is_woken_without_a_timer_until_it_is_closed(self):
        self.patch(clockstep, 'EVERY', 0.01)
        found = defer.Deferred()
        ahead = [0.0]

        def stepped():
            step.close()
            found.callback(None)

        # the steady clock an hour on is the wall's an hour back
        step = ClockStep(reactor, lambda: time.monotonic() + ahead[0], stepped)
        step.open()
        self.addCleanup(step.close)
        ahead[0] = HOUR
        return found.addTimeout(20, reactor)


class OfAReporter(SynchronousTestCase):
    def setUp(self):
        self.patch(module, 'make_link', FakeLink)
        self.basedir = new_folder(self)
        self.reactor = ManualReactor()
        self.back = 0.0
        self.reporter = Reporter(
            new_worker(self.basedir),
            reactor=self.reactor,
            sampler=Sampler([]),
            steady=lambda: self.reactor.seconds() + self.back,
        )
        self.reporter.startService()
        self.addCleanup(self.reporter.stopService)
        self.reporter._answered(Answer())
        self.sent = self.reporter._link.sent

    def set_back(self):
        self.back += HOUR
        self.reactor.rightNow -= HOUR

    def test_an_hour_back_the_owner_is_heard_as_before_and_reports_go_on(self):
        self.reactor.pass_time(1)
        self.set_back()
        self.reporter._clock_step.look()
        word.save(self.basedir, Word(mood=Mood.OFFLINE, id='a' * 16))
        self.sent.clear()
        self.reactor.pass_time(0.5)
        self.assertEqual([one.mood for one in self.sent], [Mood.OFFLINE])
        self.reactor.pass_time(30.5)
        self.assertEqual(len(self.sent), 4)
