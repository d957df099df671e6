# SPDX-License-Identifier: GPL-2.0-or-later
"""``make demo-cluster``: that it ends well, that it would notice a lie, and its witnesses."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import attrs
import psutil
import pytest
from support.cluster import problem
from support.diary import until
from support.servers import demand
from twisted.trial.unittest import SynchronousTestCase

from demo.cluster.diary import BEGIN
from demo.cluster.diary import Diary
from demo.cluster.verdict import Outcome

ROOT = Path(__file__).parents[2]
LONGEST = 400  # seconds


class DemoOfACluster(SynchronousTestCase):
    def start(self) -> None:
        demand('several masters', problem())
        self.room = tempfile.TemporaryDirectory(prefix='demo-cluster-test-')
        self.addCleanup(self.room.cleanup)
        Path(self.room.name).chmod(0o711)  # root's PostgreSQL runs as somebody else
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'demo.cluster'],
            cwd=ROOT,
            env={**os.environ, 'TMPDIR': self.room.name},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(self.end)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        for one in self.left():
            one.kill()

    def left(self) -> list[psutil.Process]:
        """All that it has started and that still run: they inherit its environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get('TMPDIR') == self.room.name:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    @pytest.mark.slow
    def test_it_keeps_its_promises_and_leaves_nothing_behind(self) -> None:
        self.start()
        said = self.process.communicate(timeout=LONGEST)[0]
        self.assertEqual(self.process.returncode, 0, said)
        self.assertTrue(re.search('kill -9 of m[23], which holds a shared lock', said), said)
        self.assertIn('comes back', said)
        self.assertTrue(re.search(r'host\[esx\]: .* of m\d, .* of m\d', said), said)
        self.assertEqual(self.left(), [])
        self.assertEqual(list(Path(self.room.name).iterdir()), [])

    @pytest.mark.slow
    def test_ctrl_c_in_the_middle_leaves_nothing_behind(self) -> None:
        self.start()
        said = ''
        while 'host[esx]' not in said:
            said += (line := self.process.stdout.readline())
            self.assertTrue(line, said)
        self.process.send_signal(signal.SIGINT)
        said += self.process.communicate(timeout=LONGEST)[0]
        self.assertEqual(self.process.returncode, 128 + signal.SIGINT, said)
        self.assertEqual(self.left(), [])
        self.assertEqual(list(Path(self.room.name).iterdir()), [])


GOOD = Outcome(
    requests=(1, 2),
    results={1: 0, 2: 0},
    built={1, 2},
    peaks={'host': 2, 'version/main': 1},
    held=(),
    killed='m2',
)


class VerdictOfTheDemo(SynchronousTestCase):
    def broken(self, **changed: Any) -> list[str]:
        return list(attrs.evolve(GOOD, **changed).broken())

    def test_a_good_demo_breaks_nothing(self) -> None:
        self.assertEqual(self.broken(), [])

    def test_a_peak_above_and_one_below_the_limit(self) -> None:
        for peak in (1, 3):
            said = self.broken(peaks={'host': peak})
            self.assertEqual(
                said, [f'The builds recorded {peak} at once on the shared host, not 2.']
            )

    def test_two_builds_of_one_branch(self) -> None:
        said = self.broken(peaks={'host': 2, 'version/main': 2})
        self.assertEqual(
            said, ['The builds recorded 2 at once on version/main, which is exclusive.']
        )

    def test_requests_that_are_not_done(self) -> None:
        self.assertEqual(self.broken(results={1: 0}), ['Request 2 is not complete.'])
        self.assertEqual(
            self.broken(results={1: 0, 2: 6}), ['Request 2 did not succeed: cancelled.']
        )
        self.assertEqual(self.broken(built={1}), ['Request 2 succeeded, but no job of it ended.'])

    def test_what_is_held_in_the_end_and_a_master_that_lived(self) -> None:
        self.assertEqual(self.broken(held=['x is held']), ['When all was done, x is held.'])
        self.assertEqual(self.broken(killed=''), ['No master was killed.'])


class WitnessesOfTheDemo(SynchronousTestCase):
    """Jobs count each other; what a master thinks plays no part in it."""

    def setUp(self) -> None:
        self.diary = Diary(Path.cwd() / 'diary')
        self.addCleanup(self.diary.kill_all)
        self.diary.hold()

    def begin(self, number: int, *locks: str) -> subprocess.Popen[bytes]:
        command = [*self.diary.command(0), 'w1', str(number), *locks]
        job = subprocess.Popen(command)
        self.addCleanup(job.wait)
        self.addCleanup(job.kill)
        until(lambda: number in {one.number for one in self.diary.entries(BEGIN)})
        return job

    def test_those_who_hold_one_lock_at_one_time_are_counted(self) -> None:
        self.begin(1, 'host', 'version/a')
        self.begin(2, 'host', 'version/b')
        self.begin(3, 'other')
        peaks = {'host': 2, 'version/a': 1, 'version/b': 1, 'other': 1}
        self.assertEqual(self.diary.peaks(), peaks)
        self.diary.let_go()
        until(lambda: len(self.diary.ended()) == 3)
        self.assertEqual(self.diary.peaks(), peaks)

    def test_one_that_was_killed_holds_nothing_and_has_not_ended(self) -> None:
        killed = self.begin(1, 'host')
        killed.kill()
        killed.wait()
        self.begin(2, 'host')
        self.assertEqual(self.diary.peaks(), {'host': 1})
        self.assertEqual([one.number for one in self.diary.running()], [2])
        self.assertEqual(dict(self.diary.ended()), {})

    def test_one_that_has_ended_holds_nothing(self) -> None:
        first = self.begin(1, 'host')
        self.diary.let_go()
        first.wait()
        self.diary.hold()
        self.begin(2, 'host')
        self.assertEqual(self.diary.peaks(), {'host': 1})
        self.assertEqual(dict(self.diary.ended()), {1: 1})
