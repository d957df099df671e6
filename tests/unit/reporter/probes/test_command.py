# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import signal
import sys
import time

import psutil
from support.reporters import new_folder
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.interfaces import IProbe
from buildbot_balancer.reporter.measured import Advice
from buildbot_balancer.reporter.probes.command import CommandProbe
from buildbot_balancer.reporter.probes.unknown import UnknownError

PATIENCE = 30.0  # seconds; bounds a failure, it is no expectation


class Case(SynchronousTestCase):
    def setUp(self):
        self.basedir = new_folder(self)

    def probe(self, code, *args, timeout=PATIENCE):
        run = (sys.executable, '-c', code, *args)
        return CommandProbe(run, timeout, self.basedir)

    def said(self, code, *args):
        return self.probe(code, *args).sample(0)

    def refused(self, code, timeout=PATIENCE):
        error = self.assertRaises(UnknownError, self.probe(code, timeout=timeout).sample, 0)
        self.assertEqual(len(str(error).splitlines()), 1)
        self.assertLess(len(str(error)), 300)
        return str(error).replace(sys.executable, 'it')

    def open_files(self):
        return psutil.Process().num_fds()

    def children(self):
        return len(psutil.Process().children())


class Good(Case):
    def test_it_provides_iprobe(self):
        verifyObject(IProbe, self.probe(''))

    def test_the_first_word_is_the_mood_and_the_rest_is_why(self):
        for text, advice in (
            ('eager', Advice(mood=Mood.EAGER)),
            (
                ' Going_On_Holiday : out of here',
                Advice(mood=Mood.GOING_ON_HOLIDAY, reason='out of here'),
            ),
            ('\n\nreluctant: a: b\nmore', Advice(mood=Mood.RELUCTANT, reason='a: b')),
            ('auto', Advice(mood=None)),
            ('AUTO: fine', Advice(mood=None, reason='fine')),
            (
                'offline: a\x1b[31m' + 'b' * 500,
                Advice(mood=Mood.OFFLINE, reason='a[31m' + 'b' * 145),
            ),
        ):
            self.assertEqual(self.said('import sys; print(sys.argv[1])', text), advice)

    def test_it_runs_in_the_workers_folder_and_hears_nothing(self):
        code = 'import os, sys; print("eager:", os.getcwd(), repr(sys.stdin.read()))'
        self.assertEqual(self.said(code).reason, f"{os.path.realpath(self.basedir)} ''")

    def test_what_it_leaves_running_does_not_hold_it_up_and_lives_on(self):
        code = (
            'import subprocess, sys\n'
            'p = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])\n'
            'print(f"eager: {p.pid}", flush=True)'
        )
        pid = int(self.said(code).reason)
        self.addCleanup(os.kill, pid, signal.SIGKILL)
        os.kill(pid, 0)

    def test_what_it_says_on_the_error_output_is_no_mood(self):
        self.assertEqual(
            self.said('import sys; print("offline", file=sys.stderr); print("eager")').mood,
            Mood.EAGER,
        )


class Bad(Case):
    def test_one_that_hangs_is_ended_with_all_that_it_has_started(self):
        pids = self.basedir / 'pids'
        code = (
            'import os, subprocess, sys, time\n'
            'p = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])\n'
            f'open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{p.pid}}")\n'
            'time.sleep(60)'
        )
        self.assertEqual(self.refused(code, timeout=2), 'it did not end within 2 s')
        for pid in map(int, pids.read_text().split()):
            self.assertTrue(self.is_gone(pid), pid)

    def is_gone(self, pid):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                with open(f'/proc/{pid}/stat') as f:  # noqa: PTH123
                    if f.read().rpartition(')')[2].split()[0] == 'Z':
                        return True
            except FileNotFoundError:
                return True
            time.sleep(0.01)
        return False

    def test_one_that_closes_its_output_and_hangs_is_ended_too(self):
        code = 'import os, time; print("eager", flush=True); os.close(1); time.sleep(60)'
        self.assertEqual(self.refused(code, timeout=1), 'it did not end within 1 s')

    def test_a_gigabyte_of_output_is_not_read(self):
        code = 'import sys\nfor _ in range(1000): sys.stdout.write("x" * 10**6)'
        self.assertEqual(self.refused(code), 'it prints over 4096 bytes')

    def test_a_line_without_an_end_is_not_waited_for(self):
        code = 'import sys, time; sys.stdout.write("x" * 5000); sys.stdout.flush(); time.sleep(60)'
        self.assertEqual(self.refused(code), 'it prints over 4096 bytes')

    def test_garbage_is_not_understood(self):
        code = 'import os; os.write(1, b"\\xff\\x00\\x1b[2Jeagre")'
        said = self.refused(code)
        self.assertIn('it printed what is not understood', said)
        self.assertNotIn('\x1b', said)
        self.assertEqual(self.refused('print("  ")'), 'it printed nothing')

    def test_how_it_ended_is_told(self):
        self.assertEqual(
            self.refused('import sys; print("eager"); sys.exit(3)'), 'it ended with exit code 3'
        )
        code = 'import os; print("eager", flush=True); os.kill(os.getpid(), 9)'
        self.assertEqual(self.refused(code), 'it was ended by signal 9')

    def test_one_that_is_not_there_or_not_for_us_is_told(self):
        text = self.basedir / 'text'
        text.write_text('#!/bin/sh\n')
        for run, why in (
            ('/gone/mood', 'No such file or directory'),
            (str(text), 'Permission denied'),
            (str(self.basedir), 'Permission denied'),
        ):
            probe = CommandProbe([run], 1.0, self.basedir)
            error = self.assertRaises(UnknownError, probe.sample, 0)
            self.assertEqual(str(error), f'{run} cannot be started: {why}')

    def test_no_file_stays_open_and_no_process_behind_however_it_ends(self):
        self.refused('import sys; sys.exit(1)')
        before = self.open_files(), self.children()
        for code in ('import sys; sys.exit(1)', 'print("x" * 9999)', 'import time; time.sleep(9)'):
            self.refused(code, timeout=1)
        self.said('print("eager")')
        self.assertEqual((self.open_files(), self.children()), before)
