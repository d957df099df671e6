# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import signal
import threading
from unittest import mock

from support.logs import LogLines
from support.reporters import FakeLink
from support.reporters import ManualReactor
from support.reporters import new_folder
from support.reporters import new_worker
from twisted.internet.interfaces import IReactorFromThreads
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from buildbot_balancer.availability.answer import Answer
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter import reporter as module
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.reporter import Reporter
from buildbot_balancer.reporter.sampler import Sampler
from buildbot_balancer.reporter.signals import Signals
from buildbot_balancer.reporter.word import Word


@implementer(IReactorFromThreads)
class LateReactor:
    """What comes from a signal is done when the test says so."""

    def __init__(self):
        self.calls = []

    def callFromThread(self, function, *args):
        self.calls.append((function, args))

    def turn(self):
        calls, self.calls = self.calls, []
        for function, args in calls:
            function(*args)


class Case(SynchronousTestCase):
    def setUp(self):
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            before = signal.signal(number, signal.SIG_DFL)
            self.addCleanup(signal.signal, number, before)
        self.reactor = LateReactor()
        self.said = []
        self.signals = self.make(self.said)

    def make(self, said):
        made = Signals(self.reactor, said.append)
        self.addCleanup(made.close)
        return made

    def kill(self, number):
        os.kill(os.getpid(), number)
        self.reactor.turn()


class Moods(Case):
    def test_the_first_is_reluctant_and_the_second_leaves_it_to_the_machine(self):
        self.signals.open()
        self.kill(signal.SIGUSR1)
        self.kill(signal.SIGUSR2)
        first, second = self.said
        self.assertEqual((first.mood, second.mood), (Mood.RELUCTANT, None))
        self.assertEqual((first.source, second.source), ('signal', 'signal'))
        self.assertNotEqual(first.id, second.id)

    def test_nothing_is_done_between_two_instructions(self):
        self.signals.open()
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertEqual(self.said, [])
        self.reactor.turn()
        self.assertEqual(len(self.said), 1)

    def test_it_leaves_everything_as_it_was(self):
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        self.signals.open()
        self.signals.close()
        self.assertEqual(signal.getsignal(signal.SIGUSR1), signal.SIG_IGN)
        self.assertEqual(signal.getsignal(signal.SIGUSR2), signal.SIG_DFL)

    def test_one_that_was_on_its_way_when_it_closed_is_not_heard(self):
        self.signals.open()
        os.kill(os.getpid(), signal.SIGUSR1)
        self.signals.close()
        self.reactor.turn()
        self.assertEqual(self.said, [])


class Others(Case):
    def test_a_signal_that_means_something_else_already_is_left_alone(self):
        lines = LogLines(self)
        heard = []
        signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
        self.signals.open()
        self.kill(signal.SIGUSR1)
        self.assertEqual((heard, self.said), ([signal.SIGUSR1], []))
        self.assertIn('SIGUSR1 means something else in this process', lines.ours()[0])
        self.kill(signal.SIGUSR2)
        self.assertEqual(len(self.said), 1)

    def test_who_takes_one_from_us_keeps_it(self):
        def other(number, frame):
            pass

        self.signals.open()
        signal.signal(signal.SIGUSR1, other)
        self.signals.close()
        self.assertEqual(signal.getsignal(signal.SIGUSR1), other)

    def test_all_reporters_of_a_process_hear_it_until_they_end(self):
        more = []
        second = self.make(more)
        self.signals.open()
        second.open()
        self.kill(signal.SIGUSR1)
        self.signals.close()
        self.kill(signal.SIGUSR1)
        second.close()
        self.assertEqual((len(self.said), len(more)), (1, 2))
        self.assertEqual(signal.getsignal(signal.SIGUSR1), signal.SIG_DFL)

    def test_outside_the_main_thread_it_says_so(self):
        lines = LogLines(self)
        thread = threading.Thread(target=self.signals.open)
        thread.start()
        thread.join()
        self.assertIn('SIGUSR1 says no mood', lines.ours()[0])
        self.assertEqual(signal.getsignal(signal.SIGUSR1), signal.SIG_DFL)

    def test_a_platform_without_them_has_none(self):
        lines = LogLines(self)
        windows = mock.Mock(spec=['getsignal', 'signal', 'SIG_DFL', 'SIG_IGN'])
        with mock.patch('buildbot_balancer.reporter.signals.signal', windows):
            self.signals.open()
            self.signals.close()
        self.assertEqual(lines.ours(), [])
        windows.signal.assert_not_called()


@implementer(IReactorFromThreads)
class Clockwork(ManualReactor):
    pass


class OfAReporter(Case):
    def setUp(self):
        super().setUp()
        self.patch(module, 'make_link', FakeLink)
        self.basedir = new_folder(self)
        self.clock = Clockwork()

    def start(self, worker):
        made = Reporter(worker, reactor=self.clock, sampler=Sampler([]))
        made.startService()
        self.addCleanup(lambda: made.running and made.stopService())
        made._answered(Answer())
        return made

    def sent(self, reporter):
        self.clock.pass_time(1)
        report = reporter._link.sent[-1]
        return report.mood, report.source, report.draining

    def test_the_master_hears_a_word_with_that_source(self):
        reporter = self.start(new_worker(self.basedir))
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertEqual(self.sent(reporter), (Mood.RELUCTANT, 'signal', False))
        os.kill(os.getpid(), signal.SIGUSR2)
        self.assertEqual(self.sent(reporter), (Mood.EAGER, 'default', False))

    def test_it_ends_a_drain_as_every_new_word_does(self):
        word.save(self.basedir, Word(mood=Mood.GOING_ON_HOLIDAY, draining=True, id='d'))
        reporter = self.start(new_worker(self.basedir))
        self.assertEqual(self.sent(reporter), (Mood.GOING_ON_HOLIDAY, 'drain', True))
        os.kill(os.getpid(), signal.SIGUSR2)
        self.assertEqual(self.sent(reporter), (Mood.EAGER, 'default', False))

    def test_a_word_that_cannot_be_kept_is_said_and_the_worker_goes_on(self):
        lines = LogLines(self)
        self.start(new_worker(self.basedir))
        (self.basedir / 'availability').mkdir()
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertTrue(any('a signal was not heeded' in line for line in lines.ours()))

    def test_those_of_a_masters_process_belong_to_the_master(self):
        worker = new_worker(self.basedir)
        del worker.bf  # as the one within a LocalWorker
        self.start(worker)
        self.assertEqual(signal.getsignal(signal.SIGUSR1), signal.SIG_DFL)
