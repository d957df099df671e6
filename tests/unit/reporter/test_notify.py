# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import socket
import sys

from support.logs import LogLines
from support.reporters import FakeLink
from support.reporters import ManualReactor
from support.reporters import new_folder
from support.reporters import new_worker
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.reporter import reporter as module
from buildbot_balancer.reporter.notify import Notify
from buildbot_balancer.reporter.reporter import Reporter
from buildbot_balancer.reporter.sampler import Sampler
from buildbot_balancer.reporter.ways import HEALTHY_FOR

PERIOD = 60.0  # seconds of WatchdogSec


class Starting(Clock):
    """A reactor that runs when the test says so."""

    def __init__(self):
        super().__init__()
        self.starts = []

    def callWhenRunning(self, function, *args):
        self.starts.append((function, args))

    def run(self):
        for function, args in self.starts:
            function(*args)


class Systemd:
    def __init__(self, case, address):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        case.addCleanup(self._socket.close)
        self._socket.setblocking(False)
        self._socket.bind(address)

    def heard(self):
        said = []
        while True:
            try:
                said.append(self._socket.recv(1000).decode())
            except BlockingIOError:
                return said


class Case(SynchronousTestCase):
    def setUp(self):
        self.folder = new_folder(self)
        self.address = str(self.folder / 'notify')
        self.systemd = Systemd(self, self.address)
        self.reactor = Starting()
        self.healthy = True

    def make(self, **environ):
        self.environ = {'NOTIFY_SOCKET': self.address, 'PATH': '/bin', **environ}
        return Notify(self.reactor, lambda: self.healthy, self.environ)

    def watched(self, **more):
        made = self.make(WATCHDOG_USEC=str(int(PERIOD * 1e6)), **more)
        made.open()
        self.reactor.run()
        self.assertEqual(self.systemd.heard(), ['READY=1'])
        return made


class Ready(Case):
    def test_it_is_said_when_the_reactor_runs_and_not_before(self):
        self.make().open()
        self.assertEqual(self.systemd.heard(), [])
        self.reactor.run()
        self.assertEqual(self.systemd.heard(), ['READY=1'])

    def test_the_end_is_said(self):
        made = self.watched()
        made.close()
        self.assertEqual(self.systemd.heard(), ['STOPPING=1'])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_builds_do_not_inherit_it(self):
        self.make(WATCHDOG_USEC='1000000', WATCHDOG_PID=str(os.getpid())).open()
        self.assertEqual(self.environ, {'PATH': '/bin'})

    def test_an_abstract_name_is_understood(self):
        if sys.platform != 'linux':
            return
        name = f'buildbot-balancer-test-{os.getpid()}'
        systemd = Systemd(self, f'\0{name}')
        made = self.make(NOTIFY_SOCKET=f'@{name}')
        made.open()
        self.reactor.run()
        self.assertEqual(systemd.heard(), ['READY=1'])

    def test_without_systemd_nothing_is_done(self):
        made = Notify(self.reactor, lambda: True, {'WATCHDOG_USEC': '1000000'})
        made.open()
        made.close()
        self.assertEqual((self.reactor.starts, self.reactor.getDelayedCalls()), ([], []))

    def test_a_systemd_that_hears_nothing_is_said_once(self):
        lines = LogLines(self)
        made = self.watched(NOTIFY_SOCKET=self.address)
        (self.folder / 'notify').unlink()
        for _ in range(3):
            self.reactor.advance(PERIOD / 2)
        made.close()
        said = [line for line in lines.ours() if 'cannot be told WATCHDOG=1' in line]
        self.assertEqual(len(said), 1)


class Watchdog(Case):
    def test_it_is_fed_twice_in_each_period(self):
        self.watched()
        self.reactor.pump([PERIOD / 2] * 4)
        self.assertEqual(self.systemd.heard(), ['WATCHDOG=1'] * 4)

    def test_it_is_fed_only_while_the_reporter_is_healthy(self):
        lines = LogLines(self)
        self.watched()
        self.healthy = False
        self.reactor.pump([PERIOD / 2] * 4)
        self.assertEqual(self.systemd.heard(), [])
        self.assertEqual(len(lines.ours()), 1)
        self.healthy = True
        self.reactor.advance(PERIOD / 2)
        self.assertEqual(self.systemd.heard(), ['WATCHDOG=1'])

    def test_the_one_of_another_process_is_not_ours(self):
        self.watched(WATCHDOG_PID=str(os.getpid() + 1))
        self.reactor.advance(PERIOD)
        self.assertEqual(self.systemd.heard(), [])
        self.reactor.starts.clear()
        self.watched(WATCHDOG_PID=str(os.getpid()))
        self.reactor.advance(PERIOD)
        self.assertEqual(len(self.systemd.heard()), 1)

    def test_a_period_that_is_no_number_is_none(self):
        for odd in ('', '0', '-5', 'x'):
            self.reactor.starts.clear()
            self.make(WATCHDOG_USEC=odd).open()
            self.assertEqual(self.reactor.getDelayedCalls(), [], odd)


class RunningReactor(ManualReactor):
    def callWhenRunning(self, function, *args):
        function(*args)


class OfAReporter(Case):
    """A real reporter; its looks fail when the test says so."""

    def setUp(self):
        super().setUp()
        self.patch(module, 'make_link', FakeLink)
        for name, value in {
            'NOTIFY_SOCKET': self.address,
            'WATCHDOG_USEC': str(int(PERIOD * 1e6)),
        }.items():
            self.patch_environ(name, value)
        self.reactor = RunningReactor()

    def patch_environ(self, name, value):
        before = os.environ.get(name)
        self.addCleanup(
            lambda: (
                os.environ.pop(name, None)
                if before is None
                else os.environ.__setitem__(name, before)
            )
        )
        os.environ[name] = value

    def start(self, worker):
        self.reporter = Reporter(
            worker,
            reactor=self.reactor,
            sampler=Sampler([]),
            steady=self.reactor.seconds,
        )
        self.reporter.startService()
        self.addCleanup(lambda: self.reporter.running and self.reporter.stopService())

    def go(self, seconds):
        self.reactor.pass_time(seconds, step=0.25)

    def test_it_says_ready_and_feeds_the_watchdog_while_it_looks(self):
        self.start(new_worker(self.folder))
        self.go(PERIOD)
        self.assertEqual(self.systemd.heard(), ['READY=1', 'WATCHDOG=1', 'WATCHDOG=1'])
        self.reporter.stopService()
        self.assertEqual(self.systemd.heard(), ['STOPPING=1'])

    def test_a_clock_that_is_set_back_does_not_starve_it(self):
        self.start(new_worker(self.folder))
        self.systemd.heard()
        steady, back = self.reactor.seconds, 3600.0
        self.patch(self.reporter._ways, '_steady', lambda: steady() + back)
        self.patch(self.reporter._clock_step, '_steady', lambda: steady() + back)
        self.reactor.rightNow -= back
        self.reporter._clock_step.look()
        self.assertEqual(self.systemd.heard(), ['WATCHDOG=1'])
        self.go(PERIOD)
        self.assertEqual(self.systemd.heard(), ['WATCHDOG=1', 'WATCHDOG=1'])

    def test_a_reporter_whose_looks_fail_starves_it(self):
        self.start(new_worker(self.folder))

        def fails():
            raise ZeroDivisionError

        self.patch(self.reporter._desk, 'look', fails)
        self.go(PERIOD)
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))
        self.assertEqual(self.systemd.heard(), ['READY=1'])
        self.assertGreater(PERIOD / 2, HEALTHY_FOR)

    def test_a_masters_process_speaks_for_itself(self):
        worker = new_worker(self.folder)
        del worker.bf  # as the one within a LocalWorker
        self.start(worker)
        self.go(PERIOD)
        self.assertEqual(self.systemd.heard(), [])
        self.assertIn('NOTIFY_SOCKET', os.environ)
