# SPDX-License-Identifier: GPL-2.0-or-later
"""Each key of ``availability.toml`` with its effect on what a real reporter says."""

from __future__ import annotations

import ast
import calendar
import contextlib
import re
import socket
import textwrap
from pathlib import Path

from buildbot.util.twisted import async_to_deferred
from support.availability_files import Case
from support.logs import LogLines
from support.masters import HeldStep
from support.masters import MasterCase
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.reporter import status
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.settings import store
from buildbot_balancer.reporter.settings.reading import WINDOW
from buildbot_balancer.reporter.settings.sections import SECTIONS
from buildbot_balancer.reporter.settings.sections import Settings
from buildbot_balancer.reporter.settings.sections import WindowKeys
from buildbot_balancer.reporter.settings.sections import keys
from buildbot_balancer.reporter.word import Word
from demo.processes import free_ports

MODULES = 'test_availability_*.py'


def shown_here():
    """(section, key) of all that stands in the files of this module and of that of the probes."""
    texts = [path.read_text(encoding='utf-8') for path in Path(__file__).parent.glob(MODULES)]
    for node in (node for text in texts for node in ast.walk(ast.parse(text))):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        section = ''
        for line in node.value.splitlines():
            header = re.fullmatch(r'\s*\[+(\w+)\]+', line)
            pair = re.match(r'\s*(\w+) = ', line)
            section = header.group(1) if header else section
            if pair:
                yield section, pair.group(1)


class TopLevel(Case):
    def test_interval_is_the_time_between_two_reports(self):
        self.start('interval = "1m"')
        self.assertEqual(self.sent.interval, 60)
        sent = self.reporter._link.sent
        before = len(sent)
        self.go(55)
        self.assertEqual(len(sent), before)
        self.go(5)
        self.assertEqual(len(sent), before + 1)
        self.write('interval = "5s"')
        self.go(26)
        self.assertEqual(self.sent.interval, 5)
        self.assertGreaterEqual(len(sent), before + 6)

    def test_owner_is_a_name_that_the_master_is_told(self):
        self.start('owner = "Ann"')
        self.assertEqual(self.sent.facts['owner'], 'Ann')
        self.write('')
        self.go(1)
        self.assertNotIn('owner', self.sent.facts)


class Windows(Case):
    """NOW is Friday, 2027-01-15, 08:00 UTC."""

    def test_a_window_has_its_mood_from_its_start_to_its_end_on_its_days(self):
        self.start("""\
            [[window]]
            days = "Mon-Fri"
            from = "09:00"
            to = "17:00"
            timezone = "UTC"
            mood = "offline"
            """)
        self.assertEqual(self.mood, 'eager')
        self.at(2027, 1, 15, 8, 59, 58)
        self.assertEqual(self.mood, 'eager')
        self.go(2)
        self.assertEqual(self.mood, 'offline')
        self.assertEqual(self.words('window'), 'in Mon-Fri 09:00-17:00 UTC')
        self.at(2027, 1, 15, 17)
        self.assertEqual(self.mood, 'eager')
        self.at(2027, 1, 16, 12)  # a Saturday
        self.assertEqual(self.mood, 'eager')

    def test_another_timezone_moves_it(self):
        self.start("""\
            [[window]]
            from = "09:30"
            to = "17:00"
            timezone = "Asia/Tokyo"
            mood = "reluctant"
            """)
        self.assertEqual(self.mood, 'eager')  # it is 17:00 there
        self.at(2027, 1, 16, 0, 30)
        self.assertEqual(self.mood, 'reluctant')

    def test_outside_all_windows_there_is_a_mood_of_its_own(self):
        self.start("""\
            [[window]]
            from = "22:00"
            to = "06:00"
            timezone = "UTC"
            mood = "eager"
            [outside]
            mood = "offline"
            """)
        self.assertEqual(self.mood, 'offline')
        self.at(2027, 1, 15, 22)
        self.assertEqual(self.mood, 'eager')
        self.at(2027, 1, 16, 6)
        self.assertEqual(self.mood, 'offline')
        self.assertEqual(status.load(self.basedir).until, calendar.timegm((2027, 1, 16, 22, 0, 0)))
        self.assertIsNone(self.sent.until)


class LoadSection(Case):
    TEXT = """\
        [load]
        busy = 0.7
        free = 0.3
        hold = "2m"
        mood = "reluctant"
        unknown = "offline"
        """

    def test_it_is_busy_from_one_threshold_on_and_free_below_the_other(self):
        self.start(self.TEXT)
        self.assertEqual(self.mood, 'eager')
        self.load.value = 0.8
        self.go(10)
        self.assertEqual(self.mood, 'reluctant')
        self.load.value = 0.5
        self.go(600)
        self.assertEqual(self.mood, 'reluctant')
        self.load.value = 0.2
        self.go(115)
        self.assertEqual(self.mood, 'reluctant')
        self.assertIn('not yet for 2 min', self.words('load'))
        self.go(20)
        self.assertEqual(self.mood, 'eager')

    def test_what_this_workers_builds_make_is_no_load_of_others(self):
        self.own.value, self.load.value = 0.6, 1.0
        self.start(self.TEXT)
        self.assertEqual(self.mood, 'eager')

    def test_an_unknown_load_has_a_mood_of_its_own(self):
        self.load.value = None
        self.start(self.TEXT)
        self.assertEqual(self.mood, 'offline')
        self.assertIn('unknown', self.words('load'))


class IdleSection(Case):
    TEXT = """\
        [idle]
        for = "15m"
        mood = "eager"
        otherwise = "reluctant"
        hold = "30s"
        unknown = "offline"
        """

    def test_it_is_free_when_nobody_has_used_it_for_so_long(self):
        self.screen.seconds = 2 * 60
        self.start(self.TEXT)
        self.assertEqual((self.mood, self.source()), ('reluctant', 'idle'))
        self.assertEqual(self.words('idle'), 'keyboard or mouse used 2 min ago')
        self.screen.seconds = 15 * 60
        self.reactor.advance(15 * 60)
        self.go(25)
        self.assertEqual(self.mood, 'reluctant')
        self.go(20)
        self.assertEqual(self.mood, 'eager')
        self.screen.seconds = 1
        self.go(10)
        self.assertEqual(self.mood, 'reluctant')
        self.assertEqual(self.words('idle'), 'keyboard or mouse used just now')

    def test_an_idle_time_that_is_too_old_is_shown_no_more(self):
        self.screen.seconds = 120
        self.start(textwrap.dedent(self.TEXT) + '[publish]\ndetails = true\n')
        self.screen.seconds = None
        self.go(25)
        self.assertEqual(self.sent.idle, 120)
        self.go(20)
        self.assertEqual((self.mood, self.sent.idle), ('offline', None))
        self.assertIsNone(status.load(self.basedir).idle)

    def test_where_nobody_can_tell_there_is_a_mood_of_its_own_and_what_was_tried(self):
        self.screen.seconds = None
        self.start(self.TEXT)
        self.assertEqual(self.mood, 'offline')
        self.assertEqual(
            self.words('idle'), 'unknown: tried screen (it is dark), idle-helper (none speaks)'
        )


class SocketSection(Case):
    def test_group_may_speak_through_the_socket_too(self):
        self.start('[socket]\ngroup = "staff"\n')
        self.assertEqual(self.reporter._ways._socket._group(), 'staff')
        self.write('')
        self.go(1)
        self.assertIsNone(self.reporter._ways._socket._group())


class PublishSection(Case):
    def test_others_read_automatic_unless_details_is_true(self):
        self.screen.seconds = 120
        self.start('[idle]\nfor = "15m"\n')
        sent = self.sent
        self.assertEqual(
            (sent.mood, sent.source, sent.reason, sent.idle, sent.until),
            (Mood.RELUCTANT, 'automatic', None, None, None),
        )
        self.assertNotIn('keyboard', sent.to_wire())
        self.assertEqual(status.load(self.basedir).idle, 120)
        self.write('[idle]\nfor = "15m"\n[publish]\ndetails = true\n')
        self.go(1)
        sent = self.sent
        self.assertEqual((sent.source, sent.idle), ('idle', 120))
        self.assertEqual(sent.reason, 'keyboard or mouse used 2 min ago')

    def test_words_that_grow_older_are_no_news(self):
        self.start('[idle]\nfor = "15m"\n[publish]\ndetails = true\n')
        sent = self.reporter._link.sent
        before = len(sent)
        for minutes in range(1, 10):
            self.screen.seconds = 60 * minutes
            self.go(10)
        self.assertLessEqual(len(sent) - before, 9)


class TheFile(Case):
    def test_a_bad_file_never_replaces_a_good_one(self):
        self.start('[idle]\nfor = "15m"\n')
        lines = LogLines(self)
        self.write('[idle]\nfor = 15\n')
        self.go(5)
        self.assertEqual(self.mood, 'reluctant')
        known = status.load(self.basedir)
        self.assertIn('line 2: [idle] for must be a duration in quotes', known.problem)
        self.assertIn('the last good one counts', known.problem)
        self.assertEqual(len(lines.ours()), 1)
        self.write('')
        self.go(1)
        self.assertEqual((self.mood, status.load(self.basedir).problem), ('eager', None))

    def test_a_new_file_makes_no_mood_flap_that_it_does_not_change(self):
        self.screen.seconds = 3600
        self.start('[idle]\nfor = "15m"\n[disk]\nleast = "1 kB"\n[load]\nbusy = 1\n')
        sent = self.reporter._link.sent
        self.reactor.threads.hang = True
        self.write('owner = "Ann"\n[idle]\nfor = "16m"\n[disk]\nleast = "1 kB"\n[load]\nbusy = 2\n')
        self.go(2)
        self.assertEqual(self.sent.facts['owner'], 'Ann')
        self.assertEqual({one.mood for one in sent[1:]}, {Mood.EAGER})
        self.reactor.threads.let_go()

    def test_after_a_restart_the_last_good_one_counts_still(self):
        self.start('[idle]\nfor = "15m"\n')
        self.reporter.stopService()
        self.write('[idle\n')
        self.reporter.startService()
        self.go(1)
        self.assertEqual(self.mood, 'reluctant')

    def test_a_bad_file_with_no_good_one_before_it_lets_nothing_start(self):
        self.start('[idle\n')
        self.assertEqual((self.mood, self.source()), ('offline', 'settings'))
        self.write('')
        self.go(1)
        self.assertEqual(self.mood, 'eager')

    def test_the_owners_word_is_above_all_of_it(self):
        self.start('[idle]\nfor = "15m"\notherwise = "offline"\n')
        self.assertEqual(self.mood, 'offline')
        word.save(self.basedir, Word(mood=Mood.EAGER, id='w'))
        self.go(1)
        self.assertEqual((self.mood, self.sent.source), ('eager', 'owner'))
        word.save(self.basedir, Word(id='x'))
        self.go(1)
        self.assertEqual((self.mood, self.sent.source), ('offline', 'automatic'))

    def test_a_defect_in_all_of_it_does_not_keep_the_owners_word_from_being_heard(self):
        self.start('')
        for name in ('look', 'says'):
            self.patch(self.reporter._automatic, name, lambda now: 1 / 0)
            word.save(self.basedir, Word(mood=Mood.OFFLINE, id=name))
            self.go(1)
            self.assertEqual((self.mood, self.sent.word), ('offline', name))
            self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))

    def test_the_lowest_of_what_applies_wins_and_the_order_is_shown(self):
        self.load.value = 5.0
        self.start('[load]\nbusy = 1\n[idle]\nfor = "15m"\n[disk]\nleast = "1000 PB"\n')
        known = status.load(self.basedir)
        self.assertEqual((known.mood, known.source), ('offline', 'disk'))
        self.assertEqual([one.source for one in known.authority], ['disk', 'idle', 'load'])

    def test_a_clock_that_jumps_an_hour_ends_no_hold_time(self):
        self.start('[idle]\nfor = "15m"\nhold = "10m"\n')
        self.screen.seconds = 5 * 3600
        self.go(15 * 60 + 20)
        self.assertEqual(self.mood, 'reluctant')
        for hours in (1, -1, 1):
            self.jumped += hours * 3600
            self.reactor.rightNow += hours * 3600
            self.go(60)
            self.assertEqual(self.mood, 'reluctant')
        self.go(9 * 60)
        self.assertEqual(self.mood, 'eager')


class Keys(SynchronousTestCase):
    def test_each_that_can_stand_in_the_file_is_shown_here(self):
        every = {('', name) for name in keys(Settings)}
        every |= {(WINDOW, name) for name in keys(WindowKeys)}
        every |= {(name, one) for name, section in SECTIONS.items() for one in keys(section)}
        self.assertGreater(len(every), 40)
        self.assertEqual(every - set(shown_here()), set())


class OnAMaster(MasterCase):
    proto = 'pb'

    @async_to_deferred
    async def test_the_master_acts_on_it_and_does_not_learn_why(self) -> None:
        await self.start(names=('w1',), services=[Balancer()])
        path = store.path(self.worker_dir('w1'))
        path.write_text('[disk]\nleast = "1000 PB"\n')
        await self.until(lambda: self.mood('w1') == 'offline')
        standing = self.balancer.standing('w1')
        self.assertEqual((standing.source, standing.reason), ('automatic', None))
        await self.request()
        await self.stays(lambda: not HeldStep.running)
        path.unlink()
        await self.started(1)
        self.let_all_go()

    @async_to_deferred
    async def test_a_page_is_there_as_long_as_the_file_asks_for_it(self):
        await self.start(names=('w1',), services=[Balancer()])
        (port,) = free_ports(1)
        path = store.path(self.worker_dir('w1'))
        text = """
            [page]
            port = 8099
        """
        path.write_text(textwrap.dedent(text).replace('8099', str(port)))
        await self.until(lambda: listens(port))
        path.unlink()
        await self.until(lambda: not listens(port))


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port), timeout=1):
        return True
    return False
