# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways to a reporter in a worker's real process: the socket, signals, and systemd's socket."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from support.diary import until
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.reporter import status
from buildbot_balancer.reporter import unixsocket
from demo.processes import BIN
from demo.processes import Worker
from demo.processes import free_ports
from demo.processes import kill_group

HELPER = """\
from buildbot_balancer.cli import idle_helper
from buildbot_balancer.reporter.probes.idle import session
from buildbot_balancer.reporter.probes.idle.use import Use

class Desktop:
    name = 'desktop'
    sees_screens = True
    def look(self, now):
        return [Use(seconds=40.0)]  # less than the machine is up

session.sources = lambda: [Desktop()]
idle_helper.command()
"""


class Machine(SynchronousTestCase):
    """A worker whose master is nowhere."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        (port,) = free_ports(1)
        self.worker = Worker(self.folder / 'w', 'w', port)
        self.addCleanup(self.worker.stop)
        self.basedir = self.worker.basedir
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.systemd.close)
        self.systemd.bind(str(self.folder / 'notify'))
        self.systemd.settimeout(60)

    def start(self):
        self.worker.launch(NOTIFY_SOCKET=str(self.folder / 'notify'), WATCHDOG_USEC='400000')
        while self.hear() != 'READY=1':  # what a process before it has said comes first
            pass

    def hear(self):
        return self.systemd.recv(100).decode()

    def ask(self, line):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(unixsocket.path(self.basedir)))
            client.sendall(f'{line}\n'.encode())
            return client.makefile().readline().strip()

    def shows(self, mood, source):
        def is_so():
            known = status.load(self.basedir)
            return known is not None and (known.mood, known.source) == (mood, source)

        until(is_so, why=lambda: f'{status.load(self.basedir)}\n{self.worker.log}')

    def test_systemd_hears_that_it_is_up_that_it_is_well_and_that_it_ends(self):
        self.start()
        self.assertEqual([self.hear(), self.hear()], ['WATCHDOG=1'] * 2)
        self.worker.stop()
        said = self.hear()
        while said == 'WATCHDOG=1':
            said = self.hear()
        self.assertEqual(said, 'STOPPING=1')

    def test_a_worker_that_hangs_feeds_no_watchdog(self):
        self.start()
        os.kill(self.worker.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, self.worker.pid, signal.SIGCONT)
        self.systemd.settimeout(1.5)  # three times as long as a period, and a half
        heard = 0
        with self.assertRaises(TimeoutError):
            for _ in range(5):
                self.hear()
                heard += 1
        self.assertLess(heard, 5)

    def test_signals_change_the_mood_and_the_worker_lives(self):
        self.start()
        os.kill(self.worker.pid, signal.SIGUSR1)
        self.shows('reluctant', 'signal')
        self.assertIn('reluctant', self.ask('status'))
        os.kill(self.worker.pid, signal.SIGUSR2)
        self.shows('eager', 'default')
        self.assertTrue(self.worker.alive())

    def test_the_socket_outlives_a_kill_and_goes_with_an_end(self):
        self.start()
        self.assertEqual(self.ask('offline moving house'), 'ok: offline')
        self.shows('offline', 'socket')
        self.worker.kill()
        self.assertTrue(unixsocket.path(self.basedir).is_socket())
        self.start()
        self.shows('offline', 'socket')
        self.assertEqual(self.ask('auto'), 'ok: auto')
        self.shows('eager', 'default')
        self.worker.stop()
        self.assertFalse(unixsocket.path(self.basedir).exists())

    def test_what_a_helper_sees_in_its_session_is_the_idle_time(self):
        (self.basedir / 'availability.toml').write_text(
            '[idle]\nfor = "1h"\nhold = "0s"\nmood = "eager"\notherwise = "offline"\n'
        )
        self.start()
        helper = subprocess.Popen(
            [str(BIN / 'python'), '-c', HELPER, '--every', '1s', str(self.basedir)],
            start_new_session=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(helper.stdout.close)
        self.addCleanup(kill_group, helper)
        self.assertEqual(helper.stdout.readline(), f'{self.basedir}: told\n')

        def idle():
            known = status.load(self.basedir)
            return known is not None and known.idle is not None and 30 < known.idle < 80

        until(idle, why=lambda: f'{status.load(self.basedir)}')
