# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import attrs
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.cli import drain
from buildbot_balancer.cli import watch
from buildbot_balancer.cli.main import main
from buildbot_balancer.reporter import leftovers
from buildbot_balancer.reporter import status
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.pulse import Pulse
from buildbot_balancer.reporter.status import Status
from buildbot_balancer.reporter.word import Word

STOCK = """\
from buildbot_worker.bot import Worker
from buildbot_balancer.reporter import attach
from twisted.application import service
application = service.Application('buildbot-worker')
s = Worker('localhost', 1, 'w', 'secret', '.', 600)
attach(s)
s.setServiceParent(application)
"""
START = 1_700_000_000.0


def new_folder(case):
    path = Path(tempfile.mkdtemp())
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


class Reporter:
    """What a reporter does in its folder, at once."""

    def __init__(self, basedir, clock):
        self.basedir = basedir
        self._clock = clock
        self._pulse = Pulse(basedir)
        self.incarnation = 'a'

    def start(self):
        assert self._pulse.start()

    def stop(self):
        self._pulse.stop()

    def show(self, **changes):
        said = word.load(self.basedir)
        known = Status(
            mood='going-on-holiday',
            source='drain',
            draining=said.draining,
            connected=True,
            running=1,
            word=said.id,
            incarnation=self.incarnation,
            at=self._clock(),
        )
        status.save(self.basedir, attrs.evolve(known, **changes))

    def free(self):
        self.show(running=0, free=True)


class Case(SynchronousTestCase):
    """Time passes only while the command sleeps; `plan` says what happens when."""

    def setUp(self):
        self.now = 0.0
        self.plan = []
        self.basedir = self.worker()
        self.reporter = Reporter(self.basedir, self.wall)
        self.addCleanup(self.reporter.stop)
        clocks = watch.Clocks(steady=lambda: self.now, wall=self.wall, sleep=self.sleep)
        patch = mock.patch.object(drain, 'CLOCKS', clocks)
        patch.start()
        self.addCleanup(patch.stop)

    def wall(self):
        return START + self.now

    def worker(self):
        basedir = new_folder(self)
        (basedir / 'buildbot.tac').write_text(STOCK)
        return basedir

    def at(self, when, happens):
        self.plan.append((when, happens))

    def sleep(self, seconds):
        self.assertLessEqual(seconds, watch.POLL)
        self.now += max(seconds, 0.001)
        self.assertLess(self.now, 1000, 'it hangs')
        due = [happens for when, happens in self.plan if when <= self.now]
        self.plan = [(when, happens) for when, happens in self.plan if when > self.now]
        for happens in due:
            happens()

    def drain(self, *args, basedirs=None):
        folders = [self.basedir] if basedirs is None else basedirs
        result = CliRunner().invoke(main, ['drain', '--wait', *map(str, folders), *args])
        self.assertIn(type(result.exception), (type(None), SystemExit), result.output)
        lines = [line for line in result.output.splitlines() if 'going-on-holiday' not in line]
        names = {str(folder): f'{i}' for i, folder in enumerate(folders)}
        for path, name in names.items():
            lines = [line.replace(path, name) for line in lines]
        return result.exit_code, lines


class One(Case):
    def test_it_is_free_when_the_master_has_promised(self):
        self.reporter.start()
        self.at(1, self.reporter.show)
        self.at(2, lambda: self.reporter.show(running=0, left=1))
        self.at(3, self.reporter.free)
        code, lines = self.drain()
        self.assertEqual(code, 0)
        self.assertEqual(
            lines,
            [
                '0: waits for the master',
                '0: 1 build still runs',
                '0: 1 process of a build is still here',
                '0: free. Nothing runs and nothing will start until you resume.',
            ],
        )
        self.assertApproximates(self.now, 3, 0.3)

    def test_the_sentence_names_the_end_of_the_word(self):
        self.reporter.start()
        self.at(0.25, self.reporter.free)
        with mock.patch('time.time', self.wall):
            code, lines = self.drain('--until', '2h')
        self.assertEqual(code, 0)
        self.assertIn('until you resume, or until ', lines[-1])

    def test_an_end_that_comes_before_the_machine_is_free_is_said(self):
        self.reporter.start()
        self.at(0.25, self.reporter.show)
        self.at(20, self.reporter.free)
        with mock.patch('time.time', self.wall):
            code, lines = self.drain('--until', '10s')
        self.assertEqual((code, lines[-1]), (6, '0: no longer drained: its time is over.'))

    def test_the_free_status_of_a_drain_in_force_must_be_renewed(self):
        word.save(self.basedir, Word(mood=Mood.GOING_ON_HOLIDAY, draining=True, id='same'))
        self.reporter.start()
        self.reporter.free()
        self.at(5, self.reporter.free)
        code, _ = self.drain()
        self.assertEqual((code, word.load(self.basedir).id), (0, 'same'))
        self.assertGreaterEqual(self.now, 5)

    def test_a_reporter_that_died_while_free_does_not_speak_for_the_next_one(self):
        self.reporter.start()
        self.at(0.25, self.reporter.show)
        (self.basedir / 'twistd.pid').write_text(str(os.getpid()))

        def dies():
            self.reporter.free()
            self.reporter.stop()

        self.at(1, dies)
        self.at(2, self.reporter.start)
        self.at(3, lambda: self.reporter.show(incarnation='b'))
        code, lines = self.drain('--timeout', '4s')
        self.assertEqual(code, 5, lines)

    def test_without_a_worker_it_says_so_and_keeps_the_word(self):
        code, lines = self.drain()
        self.assertEqual(code, 3)
        self.assertEqual(lines[-1], '0: not running; the word is kept and nothing can start.')
        self.assertTrue(word.load(self.basedir).draining)
        self.assertEqual(self.now, 0)

    def test_a_pid_file_of_a_process_that_is_gone_is_no_worker(self):
        gone = subprocess.Popen([sys.executable, '-c', ''])
        gone.wait()
        for text in (str(gone.pid), 'x', '', '-1', '0', '9' * 30):
            (self.basedir / 'twistd.pid').write_text(text)
            self.assertEqual(self.drain()[0], 3, text)
        (self.basedir / 'twistd.pid').unlink()
        os.mkfifo(self.basedir / 'twistd.pid')
        self.assertEqual(self.drain()[0], 3)

    def test_a_worker_that_was_killed_is_dead_also_before_its_parent_has_noticed(self):
        child = subprocess.Popen(['sleep', '60'])
        self.addCleanup(child.wait)
        (self.basedir / 'twistd.pid').write_text(str(child.pid))
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual(self.drain()[0], 3)

    def test_without_psutil_the_pid_file_alone_says_whether_the_worker_lives(self):
        with mock.patch.dict(sys.modules, {'psutil': None}):
            self.assertEqual(self.drain()[0], 3)
            (self.basedir / 'twistd.pid').write_text(str(os.getpid()))
            self.assertEqual(self.drain()[0], 4)

    def test_a_worker_that_could_not_heed_the_word_is_said(self):
        (self.basedir / 'buildbot.tac').write_text(STOCK.replace('attach(s)\n', ''))
        code, lines = self.drain()
        self.assertEqual(code, 3)
        self.assertIn('It has no reporter', lines[-1])

    def test_what_a_killed_worker_left_is_named_and_not_called_free(self):
        self.reporter.start()
        self.at(0.25, self.reporter.show)
        self.at(1, self.reporter.stop)
        with mock.patch.object(leftovers, 'find', return_value=[123, 456]):
            code, lines = self.drain()
        self.assertEqual(code, 3)
        self.assertIn('123, 456', lines[-1])
        self.assertNotIn('free', lines[-1])

    def test_a_real_process_of_a_build_is_found(self):
        (self.basedir / 'build').mkdir()
        child = subprocess.Popen(['sleep', '60'], cwd=self.basedir / 'build')
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        self.assertIn(str(child.pid), self.drain()[1][-1])

    def test_a_worker_without_a_reporter_has_ten_seconds(self):
        (self.basedir / 'twistd.pid').write_text(f'{os.getpid()}\n')
        code, lines = self.drain()
        self.assertEqual(code, 4)
        self.assertIn('without a reporter', lines[-1])
        self.assertApproximates(self.now, 10, 0.5)

    def test_a_worker_that_wrote_no_pid_file_is_found(self):
        child = subprocess.Popen(
            [sys.executable, '-c', 'import time; time.sleep(60)', 'buildbot-worker'],
            cwd=self.basedir,
        )
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        self.assertEqual(self.drain()[0], 4)

    def test_no_master_answers(self):
        self.reporter.start()
        self.at(0.25, lambda: self.reporter.show(connected=False))
        code, lines = self.drain()
        self.assertEqual(code, 4)
        self.assertEqual(lines[0], '0: waits for the master')
        self.assertIn('no master answers', lines[-1])
        self.assertApproximates(self.now, 30, 1)

    def test_the_patience_with_the_master_can_be_set(self):
        self.reporter.start()
        self.assertEqual(self.drain('--master-timeout', '3s')[0], 4)
        self.assertApproximates(self.now, 3, 0.3)

    def test_the_timeout_ends_the_wait_and_not_the_drain(self):
        self.reporter.start()
        self.at(0.25, self.reporter.show)
        code, lines = self.drain('--timeout', '7s')
        self.assertEqual(code, 5)
        self.assertIn('1 build still runs', lines[-1])
        self.assertApproximates(self.now, 7, 0.1)
        self.assertTrue(word.load(self.basedir).draining)

    def test_a_timeout_with_a_master_that_never_answered(self):
        self.reporter.start()
        self.assertEqual(self.drain('--timeout', '7s')[0], 4)

    def test_somebody_resumes_meanwhile(self):
        self.reporter.start()
        self.at(0.25, self.reporter.show)
        self.at(2, lambda: word.save(self.basedir, Word(id='other')))
        code, lines = self.drain()
        self.assertEqual(code, 6)
        self.assertIn('somebody said something else', lines[-1])

    def test_somebody_writes_a_mood_by_hand_meanwhile(self):
        self.reporter.start()
        self.at(2, lambda: word.path(self.basedir).write_text('eager\n'))
        self.assertEqual(self.drain()[0], 6)

    def test_the_folder_goes_away_meanwhile(self):
        self.reporter.start()
        self.at(2, lambda: shutil.rmtree(self.basedir))
        self.assertEqual(self.drain()[0], 6)


class Damage(Case):
    def damaged(self, happens):
        self.reporter.start()
        self.at(0.25, self.reporter.show)
        self.at(1, happens)
        code, lines = self.drain('--timeout', '9s')
        self.assertLess(self.now, 9.5)
        self.assertNotIn('free', ' '.join(lines))
        return code

    def test_no_file_can_make_it_hang(self):
        for name, expected in (('availability', 5), ('availability.status', 5)):
            path = self.basedir / name

            def becomes(kind, path=path):
                path.unlink()
                kind(path)

            for kind in (
                lambda path: path.write_bytes(b'\xff\x00\xff'),
                lambda path: path.write_text('[' * 60_000),
                lambda path: path.mkdir(),
                os.mkfifo,
                lambda path: path.symlink_to(path.name),
            ):
                self.now, self.plan = 0.0, []
                self.assertEqual(self.damaged(lambda kind=kind: becomes(kind)), expected)
                path.rmdir() if path.is_dir() else path.unlink()

    def test_a_word_that_cannot_be_read_for_long_ends_the_wait(self):
        self.reporter.start()
        self.at(1, lambda: word.path(self.basedir).write_text('?'))
        self.assertEqual(self.drain()[0], 6)
        self.assertApproximates(self.now, 11, 0.5)


class Several(Case):
    def setUp(self):
        super().setUp()
        self.second = self.worker()
        self.other = Reporter(self.second, self.wall)
        self.addCleanup(self.other.stop)
        self.both = [self.basedir, self.second]

    def test_all_are_waited_for_at_once(self):
        self.reporter.start()
        self.other.start()
        self.at(3, self.other.free)
        self.at(5, self.reporter.free)
        code, lines = self.drain(basedirs=self.both)
        self.assertEqual(code, 0)
        self.assertApproximates(self.now, 5, 0.3)
        self.assertEqual([line[:7] for line in lines if 'free' in line], ['1: free', '0: free'])

    def test_the_worst_one_counts(self):
        self.reporter.start()
        self.at(1, self.reporter.free)
        code, lines = self.drain(basedirs=self.both)
        self.assertEqual(code, 3)
        self.assertIn('1: not running; the word is kept and nothing can start.', lines)
        self.assertIn('0: free. Nothing runs and nothing will start until you resume.', lines)

    def test_one_that_is_resumed_while_the_other_is_waited_for_is_not_free(self):
        self.reporter.start()
        self.other.start()
        self.at(1, self.reporter.free)
        self.at(3, lambda: word.save(self.basedir, Word(id='other')))
        self.at(5, self.other.free)
        code, lines = self.drain(basedirs=self.both)
        self.assertEqual(code, 6)
        self.assertIn('0: no longer drained: somebody said something else.', lines)
