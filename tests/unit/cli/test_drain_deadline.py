# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from unittest import mock

import attrs
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.answer import PREFIX
from buildbot_balancer.availability.answer import Answer
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.cli.main import main
from buildbot_balancer.cli.waiting import Outcome
from buildbot_balancer.cli.waiting import Seen
from buildbot_balancer.cli.waiting import Waiting
from buildbot_balancer.errors import WordError
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.hearing import Hearing
from buildbot_balancer.reporter.status import Status
from buildbot_balancer.reporter.word import Word

NOW = 1_700_000_000.0
TAC = """\
from buildbot_worker.bot import Worker
from buildbot_balancer.reporter import attach
attach(s)
"""
BUSY = Status(
    mood='going-on-holiday',
    source='drain',
    draining=True,
    connected=True,
    running=2,
    word='mine',
    incarnation='a',
    at=1.0,
)


class Case(SynchronousTestCase):
    def setUp(self):
        self.basedir = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.basedir, ignore_errors=True)
        (self.basedir / 'buildbot.tac').write_text(TAC)

    def run_command(self, *args):
        with mock.patch('time.time', return_value=NOW):
            result = CliRunner().invoke(main, [*args[:1], str(self.basedir), *args[1:]])
        self.assertIn(type(result.exception), (type(None), SystemExit), result.output)
        return result.exit_code, result.output

    @property
    def said(self):
        return word.load(self.basedir)


class Said(Case):
    def test_it_is_part_of_the_word_and_said_to_the_owner(self):
        code, output = self.run_command('drain', '--deadline', '2h', '--reason', 'moving')
        self.assertEqual((code, self.said.deadline), (0, NOW + 7200))
        self.assertTrue(self.said.draining)
        self.assertRegex(output, r'what still runs at \d\d:\d\d is stopped, and runs again')

    def test_a_drain_without_one_says_nothing_of_it(self):
        _, output = self.run_command('drain')
        self.assertIsNone(self.said.deadline)
        self.assertNotIn('stopped', output)

    def test_a_drain_that_is_in_force_keeps_its_own_until_another_is_said(self):
        self.run_command('drain', '--deadline', '2h')
        first = self.said
        self.run_command('drain', '--reason', 'moving')
        self.assertEqual(self.said.deadline, first.deadline)
        self.run_command('drain', '--deadline', '3h')
        self.assertEqual((self.said.deadline, self.said.reason), (NOW + 10800, 'moving'))
        self.assertNotEqual(self.said.id, first.id)

    def test_resume_ends_it(self):
        self.run_command('drain', '--deadline', '2h')
        self.run_command('resume')
        self.assertIsNone(self.said.deadline)

    def test_now_is_a_deadline(self):
        self.assertEqual(self.run_command('drain', '--deadline', '0s')[0], 0)
        self.assertEqual(self.said.seconds_to_deadline(NOW), 0)

    def test_bad_input_is_one_sentence_and_changes_nothing(self):
        for args in (
            ['--deadline', 'soon'],
            ['--deadline', '2001-01-01'],
            ['--deadline', '2h', '--until', '1h'],
            ['--deadline', '2h', '--until', '2h'],
        ):
            code, output = self.run_command('drain', *args)
            self.assertEqual((code, len(output.splitlines())), (2, 1), output)
        self.assertEqual(self.said, word.NO_WORD)


class InTheFile(Case):
    def test_it_is_read_back_as_it_was_written(self):
        said = Word(
            mood=Mood.GOING_ON_HOLIDAY, draining=True, deadline=NOW, source='socket', id='i'
        )
        self.assertEqual(word.parse(word.render(said), NOW), said)

    def test_a_person_may_write_it(self):
        said = word.parse('going-on-holiday\ndrain: yes\ndeadline: 2h\n', NOW)
        self.assertEqual(said.deadline, NOW + 7200)

    def test_what_means_nothing_is_refused(self):
        for text, why in (
            ('offline\ndeadline: 2h', 'needs "drain: yes"'),
            ('offline\ndrain: yes\ndeadline: soon', 'is no time'),
            ('offline\nsource: window', 'is no source'),
        ):
            error = self.assertRaises(WordError, word.parse, text, NOW)
            self.assertIn(why, str(error))

    def test_how_much_is_left_counts_only_while_the_drain_holds(self):
        said = Word(mood=Mood.GOING_ON_HOLIDAY, draining=True, deadline=NOW + 60, until=NOW + 90)
        left = [said.seconds_to_deadline(NOW + after) for after in (0, 50, 70, 90)]
        self.assertEqual(left, [60, 10, 0, None])
        self.assertIsNone(attrs.evolve(said, draining=False).seconds_to_deadline(NOW))
        self.assertIsNone(Word(mood=None, draining=True, deadline=NOW).seconds_to_deadline(NOW))


class Progress(SynchronousTestCase):
    def progress(self, now=0.0, deadline=None, **status):
        waiting = Waiting('mine', 0.0, deadline=deadline)
        seen = Seen(word='mine', holds=True, status=attrs.evolve(BUSY, **status), beats=True)
        self.assertIsNone(waiting.look(seen, now))
        return waiting.progress

    def test_it_tells_how_long_the_builds_will_take(self):
        for left, text in (
            (400, '2 builds still run, about 6 min left, from past durations'),
            (59, '2 builds still run, less than a minute left, from past durations'),
            (8000, '2 builds still run, about 2 h left, from past durations'),
            (None, '2 builds still run'),
        ):
            self.assertEqual(self.progress(builds_left=left), text)

    def test_when_the_deadline_is_over_they_are_being_stopped(self):
        self.assertEqual(self.progress(9.9, deadline=10.0), '2 builds still run')
        self.assertEqual(self.progress(10.0, deadline=10.0), '2 builds are being stopped')
        self.assertEqual(self.progress(10.0, deadline=10.0, running=1), '1 build is being stopped')

    def test_it_ends_with_the_machine_free_and_not_with_the_deadline(self):
        waiting = Waiting('mine', 0.0, deadline=1.0)
        busy = Seen(word='mine', holds=True, status=BUSY, beats=True)
        for now in range(20):
            status = attrs.evolve(BUSY, at=float(now))
            self.assertIsNone(waiting.look(attrs.evolve(busy, status=status), float(now)))
        free = attrs.evolve(BUSY, mood='offline', running=0, free=True, at=20.0)
        verdict = waiting.look(attrs.evolve(busy, status=free), 20.0)
        self.assertEqual(verdict.outcome, Outcome.FREE)


class Wire(SynchronousTestCase):
    def test_a_master_that_knows_no_left_is_understood(self):
        old = PREFIX + (
            '{"v":1,"serving":true,"incarnation":"i","seq":2,"running":1,"mood":null,"free":false}'
        )
        self.assertIsNone(Answer.from_wire(old).left)

    def test_the_reporter_keeps_what_the_master_expects(self):
        hearing = Hearing()
        answer = Answer(incarnation='i', seq=1, running=1, left=360.0)
        hearing.answered(Answer.from_wire(answer.to_wire()), 'i')
        self.assertEqual(hearing.builds_left, 360)
        hearing.lost()
        self.assertIsNone(hearing.builds_left)
