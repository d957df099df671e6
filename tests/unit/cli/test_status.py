# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import attrs
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability import announcement
from buildbot_balancer.availability.announcement import Announcement
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.cli.main import main
from buildbot_balancer.reporter import status
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.pulse import Pulse
from buildbot_balancer.reporter.says import Says
from buildbot_balancer.reporter.status import Status
from buildbot_balancer.reporter.word import Word

STOCK = """\
from buildbot_worker.bot import Worker
from twisted.application import service
application = service.Application('buildbot-worker')
s = Worker('localhost', 1, 'w', 'secret', '.', 600)
s.setServiceParent(application)
"""
PROMISED = {
    'mood',
    'reason',
    'source',
    'until',
    'load',
    'cpus',
    'idle',
    'running',
    'draining',
    'connected',
}


def new_folder(case):
    path = Path(tempfile.mkdtemp())
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


class Case(SynchronousTestCase):
    def setUp(self):
        self.basedir = new_folder(self)
        (self.basedir / 'info').mkdir(parents=True)
        (self.basedir / 'buildbot.tac').write_text(STOCK)
        self.pulse = Pulse(self.basedir)
        self.addCleanup(self.pulse.stop)

    def text(self, *args):
        result = CliRunner().invoke(main, ['status', str(self.basedir), *args])
        self.assertEqual(result.exit_code, 0, result.output)
        return result.output

    def json(self):
        return json.loads(self.text('--json'))

    def say(self, **values):
        word.save(self.basedir, Word(id='w', **values))

    def show(self, **changes):
        known = Status(
            mood='eager',
            source='owner',
            load=0.5,
            cpus=8,
            idle=300.0,
            running=2,
            connected=True,
            word='w',
            at=time.time(),
        )
        status.save(self.basedir, attrs.evolve(known, **changes))


class NoReporter(Case):
    def test_what_is_unknown_is_null(self):
        shows = self.json()
        self.assertLessEqual(PROMISED, set(shows))
        self.assertEqual((shows['mood'], shows['source']), ('eager', 'default'))
        for name in ('reason', 'until', 'load', 'cpus', 'idle', 'running', 'problem'):
            self.assertIsNone(shows[name], name)
        for name in ('draining', 'connected', 'alive', 'free', 'attached'):
            self.assertIs(shows[name], False, name)

    def test_the_word_is_the_one_in_the_file(self):
        until = float(int(time.time()) + 3600)
        self.say(mood=Mood.GOING_ON_HOLIDAY, draining=True, reason='out', until=until)
        shows = self.json()
        self.assertEqual(shows['mood'], 'going-on-holiday')
        self.assertEqual((shows['source'], shows['draining']), ('drain', True))
        self.assertEqual((shows['reason'], shows['until']), ('out', until))

    def test_what_a_dead_reporter_left_behind_does_not_count(self):
        self.say(mood=Mood.GOING_ON_HOLIDAY, draining=True)
        self.show(free=True, draining=True)
        shows = self.json()
        self.assertIs(shows['free'], False)
        self.assertEqual(shows['mood'], 'going-on-holiday')
        self.assertIsNone(shows['load'])
        self.assertIs(shows['connected'], False)

    def test_a_word_that_is_over_does_not_count(self):
        self.say(mood=Mood.OFFLINE, until=1000.0)
        self.assertEqual(self.json()['mood'], 'eager')

    def test_of_a_damaged_file_the_last_good_word_counts(self):
        said = Announcement(version='1', mood=Mood.RELUCTANT, reason='mine', word='w')
        (self.basedir / 'info' / announcement.FILE).write_text(said.to_wire())
        word.path(self.basedir).write_text('eagre\n')
        shows = self.json()
        self.assertEqual((shows['mood'], shows['reason']), ('reluctant', 'mine'))
        self.assertIn('eagre', shows['problem'])

    def test_no_damage_makes_it_fail(self):
        for name in ('availability', 'availability.status', 'availability.lock', 'info/balancer'):
            path = self.basedir / name
            for damage in (
                lambda path: path.write_bytes(b'\xff\xfe\x00'),
                lambda path: path.write_bytes(b'[' * 60_000),
                lambda path: path.mkdir(),
                os.mkfifo,
            ):
                if name == 'availability.lock' and damage is os.mkfifo:
                    continue
                damage(path)
                self.json()
                self.text()
                path.rmdir() if path.is_dir() else path.unlink()


class WithReporter(Case):
    def setUp(self):
        super().setUp()
        self.pulse.start()

    def test_what_it_knows_is_shown(self):
        self.say(mood=Mood.EAGER)
        self.show()
        shows = self.json()
        self.assertEqual((shows['load'], shows['cpus'], shows['idle']), (0.5, 8, 300.0))
        self.assertEqual((shows['running'], shows['connected'], shows['alive']), (2, True, True))

    def test_a_word_that_it_has_not_read_yet_counts_already(self):
        self.say(mood=Mood.GOING_ON_HOLIDAY, draining=True)
        self.show(word='before', free=True)
        shows = self.json()
        self.assertEqual((shows['mood'], shows['free']), ('going-on-holiday', False))

    def test_a_holiday_becomes_offline_when_the_machine_is_free(self):
        self.say(mood=Mood.GOING_ON_HOLIDAY, draining=True)
        self.show(free=True, running=0)
        shows = self.json()
        self.assertEqual((shows['mood'], shows['free']), ('offline', True))

    def test_a_status_that_nobody_renews_is_unknown(self):
        self.show(at=time.time() - 60)
        shows = self.json()
        self.assertIsNone(shows['load'])
        self.assertIs(shows['connected'], False)

    def test_people_get_plain_lines(self):
        self.say(mood=Mood.RELUCTANT, reason='using it', until=time.time() + 3600)
        self.show()
        first, second, third = self.text().splitlines()
        self.assertTrue(first.startswith(f'{self.basedir}: reluctant until '))
        self.assertTrue(first.endswith('(using it), source: owner'))
        self.assertEqual(second, '  a master listens')
        self.assertEqual(third, '  load 0.50 per CPU on 8 CPUs, idle for 5 min, 2 builds run')

    def test_the_last_report_is_shown_to_the_letter(self):
        self.show(sent='{"v":1,"reason":"gr\\u00fc\u00dfe"}')
        self.assertEqual(self.text('--sent'), '{"v":1,"reason":"gr\\u00fc\u00dfe"}\n')

    def test_a_file_that_somebody_changed_sends_no_escapes_to_the_terminal(self):
        self.show(sent='{\x1b[31m}')
        self.assertEqual(self.text('--sent'), '{\\x1b[31m}\n')

    def test_where_nothing_was_sent_it_is_said(self):
        self.show()
        result = CliRunner().invoke(main, ['status', str(self.basedir), '--sent'])
        self.assertEqual(result.exit_code, 2)
        self.assertIn('nothing has been sent', result.output)

    AUTHORITY = (
        Says('battery', None, 'plugged in'),
        Says('idle', Mood.RELUCTANT, 'keyboard or mouse used 2 min ago'),
    )

    def test_without_a_word_it_is_what_the_machine_says_of_itself(self):
        self.say()
        self.show(authority=self.AUTHORITY)
        shows = self.json()
        self.assertEqual((shows['mood'], shows['source']), ('reluctant', 'idle'))
        self.assertEqual(shows['reason'], 'keyboard or mouse used 2 min ago')
        self.assertEqual(
            [(one['source'], one['mood']) for one in shows['authority']],
            [
                ('owner', None),
                ('drain', None),
                ('battery', None),
                ('idle', 'reluctant'),
                ('default', 'eager'),
            ],
        )

    def test_a_new_word_is_above_what_the_reporter_wrote_before_it(self):
        self.say(mood=Mood.EAGER)
        self.show(word='before', authority=self.AUTHORITY)
        shows = self.json()
        self.assertEqual((shows['mood'], shows['source']), ('eager', 'owner'))
        self.assertEqual(shows['authority'][0]['mood'], 'eager')

    def test_people_see_the_order_of_authority_with_what_each_says(self):
        self.say()
        self.show(authority=self.AUTHORITY)
        lines = self.text().splitlines()
        self.assertEqual(
            lines[0],
            f'{self.basedir}: reluctant (keyboard or mouse used 2 min ago), source: idle',
        )
        self.assertEqual(
            lines[3:],
            [
                '  owner      -                says nothing',
                '  drain      -                none',
                '  battery    -                plugged in',
                '  idle       reluctant        keyboard or mouse used 2 min ago',
                '  default    eager            where nobody says anything',
            ],
        )

    def test_what_a_dead_reporter_said_of_its_machine_does_not_count(self):
        self.say()
        self.show(authority=self.AUTHORITY)
        self.pulse.stop()
        shows = self.json()
        self.assertEqual((shows['mood'], shows['authority']), ('eager', []))

    def test_a_reason_by_hand_cannot_steer_the_terminal(self):
        word.path(self.basedir).write_text('eager\nreason: a\x1b[31mb\n')
        self.assertNotIn('\x1b', self.text())
        self.assertEqual(self.json()['reason'], 'a[31mb')
