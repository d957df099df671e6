# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.errors import StoreError
from buildbot_balancer.reporter import pulse
from buildbot_balancer.reporter.pulse import Pulse

HOLD = """\
import sys, time
from pathlib import Path
from buildbot_balancer.reporter.pulse import Pulse
pulse = Pulse(Path(sys.argv[1]))
print(pulse.start(), flush=True)
time.sleep(600)
"""


def new_folder(case):
    path = Path(tempfile.mkdtemp())
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


class Case(SynchronousTestCase):
    def setUp(self):
        self.basedir = new_folder(self)

    def holder(self):
        environ = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
        process = subprocess.Popen(
            [sys.executable, '-c', HOLD, str(self.basedir)],
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), 'True\n')
        return process


class Beating(Case):
    def test_nothing_beats_in_an_empty_folder_and_looking_leaves_nothing(self):
        self.assertFalse(pulse.beats(self.basedir))
        self.assertEqual(list(self.basedir.iterdir()), [])

    def test_it_beats_from_start_to_stop(self):
        heart = Pulse(self.basedir)
        self.assertTrue(heart.start())
        self.assertTrue(heart.start())
        self.assertTrue(pulse.beats(self.basedir))
        heart.stop()
        heart.stop()
        self.assertFalse(pulse.beats(self.basedir))

    def test_a_second_reporter_is_refused_until_the_first_has_stopped(self):
        first, second = Pulse(self.basedir), Pulse(self.basedir)
        self.addCleanup(second.stop)
        first.start()
        self.assertFalse(second.start())
        first.stop()
        self.assertTrue(second.start())

    def test_after_kill_9_it_beats_no_more(self):
        process = self.holder()
        self.assertTrue(pulse.beats(self.basedir))
        self.assertFalse(Pulse(self.basedir).start())
        process.kill()
        process.wait()
        self.assertFalse(pulse.beats(self.basedir))
        self.assertTrue((self.basedir / pulse.FILE).exists())

    def test_a_program_that_the_reporter_started_does_not_keep_it_beating(self):
        heart = Pulse(self.basedir)
        heart.start()
        child = subprocess.Popen(['sleep', '60'], close_fds=False)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        heart.stop()
        self.assertFalse(pulse.beats(self.basedir))

    def test_a_file_that_may_only_be_read_is_enough_to_look(self):
        process = self.holder()
        (self.basedir / pulse.FILE).chmod(0o444)
        self.assertTrue(pulse.beats(self.basedir))
        process.kill()
        process.wait()
        self.assertFalse(pulse.beats(self.basedir))

    def test_a_folder_that_is_gone_is_an_error_of_ours(self):
        self.assertRaises(StoreError, Pulse(self.basedir / 'gone').start)
        self.assertFalse(pulse.beats(self.basedir / 'gone'))

    def test_it_can_be_removed_twice(self):
        (self.basedir / pulse.FILE).touch()
        pulse.remove(self.basedir)
        pulse.remove(self.basedir)
        self.assertEqual(list(self.basedir.iterdir()), [])


class Looking(Case):
    def test_two_that_look_do_not_take_each_other_for_a_reporter(self):
        (self.basedir / pulse.FILE).touch()
        with (self.basedir / pulse.FILE).open('rb') as other:
            self.assertTrue(pulse._lock(other, shared=True))
            self.assertFalse(pulse.beats(self.basedir))

    def test_many_that_look_at_once_all_see_that_nothing_beats(self):
        (self.basedir / pulse.FILE).touch()
        seen = []

        def look():
            seen.extend(pulse.beats(self.basedir) for _ in range(300))

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(seen), {False})
