# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.cli.main import main
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.pulse import Pulse
from buildbot_balancer.reporter.word import NO_WORD
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


def new_folder(case):
    path = Path(tempfile.mkdtemp())
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


class Case(SynchronousTestCase):
    def setUp(self):
        self.one, self.two = (self.worker(name) for name in ('one', 'two'))

    def worker(self, name):
        basedir = new_folder(self) / name
        basedir.mkdir()
        (basedir / 'buildbot.tac').write_text(STOCK)
        return basedir

    def run_ok(self, *args):
        result = CliRunner().invoke(main, [str(arg) for arg in args])
        self.assertEqual(result.exit_code, 0, result.output)
        return result.output

    def refused(self, *args):
        result = CliRunner().invoke(main, [str(arg) for arg in args])
        self.assertEqual(result.exit_code, 2, result.output)
        self.assertIn('Error: ', result.output)
        for basedir in (self.one, self.two):
            self.assertEqual(word.load(basedir), NO_WORD)
        return result.output


class Set(Case):
    def test_each_mood_is_written(self):
        for mood in Mood:
            output = self.run_ok('set', self.one, mood.label)
            self.assertIn(mood.label, output)
            said = word.load(self.one)
            self.assertEqual((said.mood, said.draining, said.until), (mood, False, None))
            self.assertTrue(said.id)

    def test_auto_and_resume_leave_it_to_the_machine(self):
        for args in (('set', self.one, 'auto'), ('resume', self.one)):
            self.run_ok('set', self.one, 'offline')
            self.assertIn('auto', self.run_ok(*args))
            self.assertIsNone(word.load(self.one).mood)

    def test_reason_and_end_are_kept(self):
        output = self.run_ok('set', self.one, 'reluctant', '--reason', 'using it', '--until', '2h')
        said = word.load(self.one)
        self.assertEqual(said.reason, 'using it')
        self.assertApproximates(said.until, time.time() + 7200, 60)
        self.assertIn('reluctant until ', output)
        self.assertIn('(using it)', output)

    def test_several_folders_get_the_word_and_each_an_id_of_its_own(self):
        self.run_ok('set', self.one, self.two, self.one, 'offline')
        words = [word.load(self.one), word.load(self.two)]
        self.assertEqual([said.mood for said in words], [Mood.OFFLINE] * 2)
        self.assertEqual(len({said.id for said in words}), 2)

    def test_the_folder_may_be_a_dot(self):
        before = Path.cwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.one)
        self.run_ok('set', '.', 'eager')
        self.assertEqual(word.load(self.one).mood, Mood.EAGER)

    def test_a_wrong_mood_gets_the_nearest_one(self):
        self.assertIn('did you mean "eager"?', self.refused('set', self.one, self.two, 'eagre'))

    def test_nothing_is_written_where_anything_is_wrong(self):
        self.refused('set', self.one, self.two)
        self.refused('set', self.one, self.two / 'gone', 'eager')
        self.refused('set', self.one, 'eager', '--until', 'soon')
        self.refused('set', self.one, 'eager', '--until', '2001-01-01 10:00')
        self.refused('set', self.one, 'eager', '--until', '0s')
        self.refused('set', self.one, 'auto', '--reason', 'x')
        self.refused('set', self.one, 'auto', '--until', '2h')
        self.refused('set', 'eager')
        self.refused('set')

    def test_a_folder_that_cannot_be_written_does_not_keep_the_word_from_the_others(self):
        word.path(self.one).mkdir()
        result = CliRunner().invoke(main, ['set', str(self.one), str(self.two), 'offline'])
        self.assertEqual(result.exit_code, 2)
        self.assertIn('cannot write', result.output)
        self.assertEqual(word.load(self.two).mood, Mood.OFFLINE)

    def test_what_the_owner_types_cannot_steer_the_terminal(self):
        output = self.run_ok('set', self.one, 'eager', '--reason', 'a\x1b[31mb\nc\u202ed')
        self.assertIn('(a[31mb cd)', output)
        self.assertNotIn('\x1b', word.path(self.one).read_text())

    def test_it_says_when_no_reporter_reads_the_word(self):
        self.assertIn('no reporter runs', self.run_ok('set', self.one, 'eager'))
        heart = Pulse(self.one)
        heart.start()
        self.assertNotIn('no reporter', self.run_ok('set', self.one, 'eager'))
        heart.stop()
        tac = self.one / 'buildbot.tac'
        tac.write_text(STOCK.replace('attach(s)\n', ''))
        self.assertIn('buildbot-balancer attach', self.run_ok('set', self.one, 'eager'))


class Drain(Case):
    def test_a_drain_is_a_holiday(self):
        output = self.run_ok('drain', self.one, self.two, '--reason', 'moving house')
        for basedir in (self.one, self.two):
            said = word.load(basedir)
            self.assertEqual((said.mood, said.draining), (Mood.GOING_ON_HOLIDAY, True))
            self.assertEqual(said.reason, 'moving house')
        self.assertIn('going-on-holiday (moving house)', output)

    def test_a_drain_in_force_keeps_what_is_not_said_anew(self):
        self.run_ok('drain', self.one, '--reason', 'a', '--until', '2h')
        first = word.load(self.one)
        self.run_ok('drain', self.one)
        self.assertEqual(word.load(self.one), first)
        self.run_ok('drain', self.one, '--reason', 'b')
        second = word.load(self.one)
        self.assertEqual((second.reason, second.until), ('b', first.until))
        self.assertNotEqual(second.id, first.id)
        self.run_ok('drain', self.one, '--until', '4h')
        third = word.load(self.one)
        self.assertEqual(third.reason, 'b')
        self.assertGreater(third.until, second.until)

    def test_any_other_word_is_replaced(self):
        for old in (
            Word(mood=Mood.RELUCTANT, reason='old', id='x'),
            Word(mood=Mood.GOING_ON_HOLIDAY, reason='old', id='x'),
            Word(mood=Mood.EAGER, draining=True, reason='old', id='x'),
            Word(mood=Mood.GOING_ON_HOLIDAY, draining=True, reason='old', until=1.0, id='x'),
        ):
            word.save(self.one, old)
            self.run_ok('drain', self.one)
            said = word.load(self.one)
            self.assertEqual((said.mood, said.draining), (Mood.GOING_ON_HOLIDAY, True))
            self.assertEqual((said.reason, said.until), (None, None))
            self.assertNotEqual(said.id, 'x')

    def test_a_damaged_word_is_replaced(self):
        word.path(self.one).write_bytes(b'\xff\xff')
        self.run_ok('drain', self.one)
        self.assertTrue(word.load(self.one).draining)

    def test_nothing_is_written_where_anything_is_wrong(self):
        self.refused('drain')
        self.refused('drain', self.one, self.two / 'gone')
        self.refused('drain', self.one, '--wait', '--timeout', 'soon')
        self.refused('drain', self.one, '--wait', '--master-timeout', 'soon')
        self.refused('drain', self.one, '--until', 'soon')
        self.refused('drain', self.one, '--timeout', '2h')
