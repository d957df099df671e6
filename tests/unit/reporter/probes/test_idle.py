# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
from types import SimpleNamespace

import psutil
from support.reporters import new_folder
from support.reporters import without_module
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from buildbot_balancer.interfaces import IProbe
from buildbot_balancer.reporter.measured import IdleTime
from buildbot_balancer.reporter.probes.idle import program
from buildbot_balancer.reporter.probes.idle import windows
from buildbot_balancer.reporter.probes.idle.console import ConsoleSource
from buildbot_balancer.reporter.probes.idle.logind import LogindSource
from buildbot_balancer.reporter.probes.idle.macos import MacosSource
from buildbot_balancer.reporter.probes.idle.probe import IdleProbe
from buildbot_balancer.reporter.probes.idle.program import ask
from buildbot_balancer.reporter.probes.idle.terminals import TerminalsSource
from buildbot_balancer.reporter.probes.idle.use import Use
from buildbot_balancer.reporter.probes.idle.windows import LastInput
from buildbot_balancer.reporter.probes.idle.windows import WindowsSource
from buildbot_balancer.reporter.probes.unknown import UnknownError
from buildbot_balancer.reporter.probes.wanted import idle_sources

NOW = 1_800_000_000.0


class Saying:
    def __init__(self, *uses, name='source', screens=True, error=None):
        self.name = name
        self.sees_screens = screens
        self.uses = list(uses)
        self.error = error

    def look(self, now):
        if self.error is not None:
            raise self.error
        return self.uses


class Together(SynchronousTestCase):
    def setUp(self):
        self.steady = 100_000.0

    def probe(self, *sources):
        return IdleProbe(sources, lambda: self.steady)

    def said(self, *sources):
        return self.probe(*sources).sample(NOW)

    def test_it_provides_iprobe(self):
        verifyObject(IProbe, self.probe())

    def test_the_latest_use_counts(self):
        terminal = Saying(Use(seconds=30, what='terminal'), screens=False)
        self.assertEqual(
            self.said(Saying(Use(seconds=50)), terminal), IdleTime(seconds=30, what='terminal')
        )

    def test_an_unused_terminal_says_nothing_of_a_screen_that_nobody_has_seen(self):
        terminal = Saying(Use(seconds=30), screens=False)
        blind = Saying(name='X11', error=UnknownError('no cookie'))
        broken = Saying(name='logind', error=KeyError('Type'))
        error = self.assertRaises(UnknownError, self.said, blind, broken, terminal)
        self.assertEqual(str(error), "tried X11 (no cookie), logind (KeyError: 'Type')")
        self.assertRaises(UnknownError, self.said)

    def test_where_nobody_is_it_is_idle_since_its_start(self):
        self.assertEqual(self.said(Saying()), IdleTime(seconds=100_000, what='machine'))

    def test_who_has_gone_since_then_has_used_it_all_the_same(self):
        source = Saying(Use(seconds=10))
        probe = self.probe(source)
        probe.sample(NOW)
        source.uses = []
        self.steady += 60
        self.assertEqual(probe.sample(NOW).seconds, 70)
        source.uses = [Use(seconds=5000)]
        self.steady += 60
        self.assertEqual(probe.sample(NOW).seconds, 130)

    def test_a_wall_clock_that_jumps_makes_nobody_idle(self):
        probe = self.probe(Saying(Use(seconds=10)))
        for now in (NOW, NOW + 3600, NOW - 3600):
            self.assertEqual(probe.sample(now).seconds, 10)

    def test_a_use_in_the_future_is_one_just_now(self):
        self.assertEqual(self.said(Saying(Use(seconds=-3600))).seconds, 0)

    def test_of_a_display_its_own_server_knows_better_than_the_hint(self):
        server = Saying(Use(seconds=900, display=':0'))
        hint = Saying(Use(seconds=0, display=':0', guess=True))
        self.assertEqual(self.said(server, hint).seconds, 900)
        other = Saying(Use(seconds=0, display=':1', guess=True))
        self.assertEqual(self.said(server, other).seconds, 0)
        self.assertEqual(self.said(hint).seconds, 0)

    def test_a_hint_that_a_server_corrects_later_is_forgotten(self):
        server = Saying(error=UnknownError('busy'))
        probe = self.probe(server, Saying(Use(seconds=0, display=':0', guess=True)))
        self.assertEqual(probe.sample(NOW).seconds, 0)
        server.error, server.uses = None, [Use(seconds=900, display=':0')]
        self.assertEqual(probe.sample(NOW).seconds, 900)

    def test_each_platform_has_its_sources(self):
        names = {
            platform: [source.name for source in idle_sources(platform)]
            for platform in ('linux', 'freebsd14', 'darwin', 'win32')
        }
        self.assertEqual(names['linux'], ['X11', 'logind', 'console', 'terminals'])
        self.assertEqual(names['freebsd14'], names['linux'])
        self.assertEqual(names['darwin'], ['ioreg', 'terminals'])
        self.assertEqual(names['win32'], ['GetLastInputInfo'])

    def test_on_this_machine_it_is_a_time_or_says_what_was_tried(self):
        import sys
        import time

        try:
            found = IdleProbe(idle_sources(sys.platform), time.monotonic).sample(time.time())
        except UnknownError as e:
            self.assertIn('tried', str(e))
        else:
            self.assertGreaterEqual(found.seconds, 0)


LISTED = ' 2 1000 ann seat0 1234 user tty2 no -\nc1  42 gdm seat0 99 greeter - no -\n'
SESSIONS = """\
Id=2
Type={type}
Class={cls}
State={state}
Display={display}
IdleHint={hint}
IdleSinceHint={since}

Id=c1
Type=x11
Class=greeter
State=online
IdleHint=no
IdleSinceHint=0
"""


class Logind(SynchronousTestCase):
    def look(self, listed=LISTED, **fields):
        known = {'type': 'wayland', 'cls': 'user', 'state': 'active', 'display': '', 'since': '0'}

        def answer(command):
            if 'list-sessions' in command:
                return listed
            self.assertEqual(command[-2:], ('2', 'c1'))
            return SESSIONS.format(**{**known, **fields})

        return LogindSource(answer).look(NOW)

    def test_a_desktop_that_is_used_is_used_now(self):
        self.assertEqual(self.look(hint='no'), [Use(seconds=0)])

    def test_one_that_is_not_is_so_since_the_hint(self):
        since = str(int((NOW - 300) * 1e6))
        self.assertEqual(self.look(hint='yes', since=since), [Use(seconds=300)])

    def test_one_on_x11_is_a_guess_about_its_display(self):
        self.assertEqual(
            self.look(type='x11', display=':0', hint='no'),
            [Use(seconds=0, display=':0', guess=True)],
        )

    def test_terminals_greeters_and_sessions_that_end_are_no_screens_of_a_person(self):
        for fields in ({'type': 'tty'}, {'cls': 'manager'}, {'state': 'closing'}):
            self.assertEqual(self.look(hint='no', **fields), [], fields)

    def test_nobody_logged_in_is_an_answer(self):
        self.assertEqual(self.look(listed=''), [])

    def test_a_session_without_a_hint_is_unknown(self):
        self.assertRaises(UnknownError, self.look, hint='')


class Terminals(SynchronousTestCase):
    def setUp(self):
        self.dev = new_folder(self)
        self.patch(TerminalsSource, '_is_terminal', staticmethod(lambda mode: True))
        (self.dev / 'pts').mkdir()

    def terminal(self, name, ago):
        path = self.dev / name
        path.touch()
        os.utime(path, (NOW - ago, NOW - ago))

    def users(self, *names):
        found = [SimpleNamespace(terminal=name) for name in names]
        self.patch(psutil, 'users', lambda: found)

    def look(self):
        return {use.what: use.seconds for use in TerminalsSource(self.dev).look(NOW)}

    def test_those_of_the_people_who_are_logged_in_count(self):
        self.terminal('pts/0', 10)
        self.terminal('pts/1', 5)
        self.users('pts/0', ':0', None, 'pts/9')
        self.assertEqual(self.look(), {'terminal pts/0': 10})

    def test_where_the_system_keeps_no_list_all_of_them_do(self):
        self.terminal('pts/0', 10)
        self.terminal('tty1', 20)
        self.terminal('pts/ptmx', 0)
        self.terminal('tty', 0)
        self.users()
        self.assertEqual(self.look(), {'terminal pts/0': 10, 'terminal tty1': 20})
        with without_module('psutil'):
            self.assertEqual(self.look(), {'terminal pts/0': 10, 'terminal tty1': 20})

    def test_a_plain_file_is_no_terminal(self):
        self.patch(TerminalsSource, '_is_terminal', staticmethod(lambda mode: mode == 1))
        self.terminal('pts/0', 10)
        self.users()
        self.assertEqual(self.look(), {})

    def test_a_real_terminal_is_one(self):
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        self.assertTrue(__import__('stat').S_ISCHR(os.fstat(slave).st_mode))


class Console(SynchronousTestCase):
    def setUp(self):
        self.folder = new_folder(self)
        self.console = self.folder / 'tty0'
        self.source = ConsoleSource(self.console, [(self.folder / 'x', 'X*')])

    def test_a_machine_with_a_console_and_no_display_server_has_nobody_at_its_screen(self):
        self.console.touch()
        self.assertEqual(self.source.look(NOW), [])

    def test_a_container_cannot_tell(self):
        self.assertRaises(UnknownError, self.source.look, NOW)

    def test_a_display_server_knows_better(self):
        self.console.touch()
        (self.folder / 'x').mkdir()
        (self.folder / 'x' / 'X0').touch()
        self.assertRaises(UnknownError, self.source.look, NOW)


class OtherPlatforms(SynchronousTestCase):
    def test_macos_names_nanoseconds(self):
        text = '| |   "HIDIdleTime" = 7250000000\n| | "HIDIdleTime" = 9000000000\n'
        self.assertEqual(MacosSource(lambda command: text).look(NOW), [Use(seconds=7.25)])
        self.assertRaises(UnknownError, MacosSource(lambda command: '').look, NOW)

    def windows(self, **fields):
        known = {'last': 1000, 'now': 8500, 'session': 1, 'console': 1}
        return WindowsSource(lambda: LastInput(**{**known, **fields})).look(NOW)

    def test_windows_counts_milliseconds_in_32_bits(self):
        self.assertEqual(self.windows(), [Use(seconds=7.5)])
        self.assertEqual(self.windows(last=2**32 - 500, now=500), [Use(seconds=1.0)])

    def test_a_windows_service_sees_no_input_and_says_so(self):
        self.assertRaises(UnknownError, self.windows, session=0)

    def test_elsewhere_windows_is_not_there(self):
        self.assertRaises(UnknownError, windows._ask_windows)


class Programs(SynchronousTestCase):
    def test_what_it_prints_is_the_answer(self):
        self.assertEqual(ask(['sh', '-c', 'echo $LC_ALL']), 'C\n')

    def test_one_that_fails_hangs_or_is_not_there_is_unknown(self):
        self.patch(program, 'TIMEOUT', 0.5)
        for command, why in (
            (['/gone'], 'there is no /gone'),
            (['sh', '-c', 'exit 3'], 'sh ended with exit code 3'),
            (['sh', '-c', 'echo no bus >&2; exit 1'], 'no bus'),
            (['sleep', '60'], 'sleep does not answer'),
        ):
            error = self.assertRaises(UnknownError, ask, command)
            self.assertEqual(str(error), why)
