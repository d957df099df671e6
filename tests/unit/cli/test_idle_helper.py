# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import contextlib
import os
import shutil
import socket
import socketserver
import stat
import tempfile
import threading
from pathlib import Path
from unittest import mock

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cli import idle_helper
from buildbot_balancer.cli import main as module
from buildbot_balancer.cli.main import main
from buildbot_balancer.cli.teller import Teller
from buildbot_balancer.reporter import unixsocket
from buildbot_balancer.reporter.probes.idle import session
from buildbot_balancer.reporter.probes.idle.session import BusSource
from buildbot_balancer.reporter.probes.idle.session import Session
from buildbot_balancer.reporter.probes.idle.session import XprintidleSource
from buildbot_balancer.reporter.probes.idle.use import Use
from buildbot_balancer.reporter.probes.unknown import UnknownError

COMMAND = {'idle-helper': ('idle_helper', '')}
TAC = "application = service.Application('buildbot-worker')\n"


def new_folder(case):
    path = Path(tempfile.mkdtemp())
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


class Reporter:
    """Answers on the socket as the real one does; keeps what it heard."""

    def __init__(self, basedir):
        heard, answers = [], ['ok']

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                for line in self.rfile:
                    heard.append(line.decode().strip())
                    self.wfile.write(f'{answers[0]}\n'.encode())

        self.heard, self.answers = heard, answers
        path = unixsocket.path(basedir)
        path.unlink(missing_ok=True)
        self._server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        self._server.daemon_threads = True
        self._connections = []
        stock = self._server.get_request

        def get_request():
            request, address = stock()
            self._connections.append(request)
            return request, address

        self._server.get_request = get_request
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        for one in self._connections:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._server.server_close()


class Source:
    sees_screens = True

    def __init__(self, name='desktop', *uses):
        self.name = name
        self.uses = list(uses)

    def look(self, now):
        if isinstance(self.uses[0], Exception):
            raise self.uses[0]
        return self.uses


class EndsError(Exception):
    pass


class Helper(SynchronousTestCase):
    """`plan` says what happens at each sleep; the helper ends with it."""

    def setUp(self):
        self.basedir = new_folder(self)
        (self.basedir / 'buildbot.tac').write_text(TAC)
        self.source = Source('desktop', Use(seconds=3.0))
        self.plan = []
        self.slept = []
        patches = [
            mock.patch.dict(module.COMMANDS, COMMAND),
            mock.patch.object(session, 'sources', return_value=[self.source]),
            mock.patch.object(
                idle_helper, 'TIME', idle_helper.Time(wall=lambda: 0.0, sleep=self.sleep)
            ),
            mock.patch.dict(os.environ, {'DISPLAY': ':7'}),
        ]
        for patch in patches:
            patch.start()
            self.addCleanup(patch.stop)

    def sleep(self, seconds):
        self.slept.append(seconds)
        if not self.plan:
            raise EndsError
        self.plan.pop(0)()

    def reporter(self):
        made = Reporter(self.basedir)
        self.addCleanup(made.stop)
        return made

    def run_helper(self, *args, folder=True):
        folders = [str(self.basedir)] if folder else []
        result = CliRunner().invoke(main, ['idle-helper', *folders, *args])
        self.assertIn(type(result.exception), (type(None), SystemExit, EndsError), result.output)
        lines = [line.replace(str(self.basedir), '0') for line in result.output.splitlines()]
        return result.exit_code, lines

    def test_it_tells_the_reporter_each_so_often(self):
        reporter = self.reporter()
        self.plan = [lambda: self.source.uses.__setitem__(0, Use(seconds=13.04))]
        _, lines = self.run_helper('--every', '20s')
        self.assertEqual(reporter.heard, ['idle 3.0 :7', 'idle 13.0 :7'])
        self.assertEqual((lines, self.slept), (['0: told'], [20, 20]))
        self.assertEqual(len(reporter._connections), 1)

    def test_it_waits_for_a_reporter_and_comes_back_to_it(self):
        reporters = []

        def start():
            reporters.append(Reporter(self.basedir))

        self.plan = [lambda: None, start, lambda: reporters[0].stop(), lambda: None, start]  # noqa: PLW0108  there is none yet
        _, lines = self.run_helper()
        reporters[1].stop()
        self.assertEqual([len(one.heard) for one in reporters], [1, 1])
        self.assertEqual(
            [line.partition(' (')[0] for line in lines],
            ['0: no reporter listens', '0: told'] * 2,
        )

    def test_what_the_reporter_refuses_is_said_once(self):
        reporter = self.reporter()
        reporter.answers[0] = 'error: not you'
        self.plan = [lambda: None]
        _, lines = self.run_helper()
        self.assertEqual(lines, ['0: error: not you'])
        self.assertEqual(len(reporter._connections), 2)  # it may be let in one day

    def test_where_nothing_can_be_seen_it_says_so_once_and_tells_nobody_anything(self):
        reporter = self.reporter()
        self.source.uses[0] = UnknownError('it is dark')
        self.plan = [
            lambda: None,
            lambda: self.source.uses.__setitem__(0, Use(seconds=1)),
        ]
        _, lines = self.run_helper()
        self.assertEqual(
            lines,
            [
                'nothing can be seen of keyboard and mouse: tried desktop (it is dark)',
                '0: told',
            ],
        )
        self.assertEqual(reporter.heard, ['idle 1.0 :7'])

    def test_without_a_folder_it_says_what_it_sees(self):
        self.source.uses[0] = Use(seconds=125)
        self.assertEqual(self.run_helper(folder=False), (0, ['not used for 2 min, says desktop']))
        self.source.uses[0] = UnknownError('it is dark')
        code, lines = self.run_helper(folder=False)
        self.assertEqual((code, len(lines)), (1, 1))

    def test_bad_input_is_one_sentence(self):
        for args in (['--every', '0s'], ['--every', '31s'], ['--every', 'x']):
            code, lines = self.run_helper(*args)
            self.assertEqual((code, len(lines)), (2, 1), lines)
        deep = self.basedir / ('x' * 100)
        deep.mkdir()
        (deep / 'buildbot.tac').write_text(TAC)
        code, lines = self.run_helper(str(deep))
        self.assertEqual((code, len(lines)), (2, 1))
        self.assertIn('the one of a socket at most', lines[0])
        code, lines = self.run_helper('/nowhere', folder=False)
        self.assertEqual((code, len(lines)), (2, 1))


class Answers(SynchronousTestCase):
    def test_a_reporter_that_answers_without_end_is_hung_up_on(self):
        basedir = new_folder(self)
        reporter = Reporter(basedir)
        self.addCleanup(reporter.stop)
        reporter.answers[0] = 'x' * 100_000
        said = []
        teller = Teller(basedir, said.append)
        self.addCleanup(teller.close)
        teller.tell(1, '')
        self.assertIn('no reporter listens (it hung up)', said[0])
        self.assertEqual(reporter.heard, ['idle 1.0'])


class Desktops(SynchronousTestCase):
    def asked(self, answers):
        """`answers`: by program; what is not there is not installed."""
        self.calls = []

        def ask(command):
            self.calls.append(command)
            if command[0] not in answers:
                raise UnknownError(f'there is no {command[0]}')
            return answers[command[0]]

        return ask

    def seconds(self, source):
        return [use.seconds for use in source.look(0)]

    def test_gnome_is_asked_with_what_is_there(self):
        for answers in ({'busctl': 't 12500\n'}, {'gdbus': '(uint64 12500,)\n'}):
            source = BusSource('GNOME', session.MUTTER, self.asked(answers))
            self.assertEqual(self.seconds(source), [12.5])
            self.assertIn('GetIdletime', ' '.join(self.calls[-1]))

    def test_a_screen_saver_is_taken_for_milliseconds(self):
        source = BusSource('s', session.SCREEN_SAVER, self.asked({'busctl': 'u 12500'}))
        self.assertEqual(self.seconds(source), [12.5])

    def test_xprintidle_says_milliseconds(self):
        self.assertEqual(self.seconds(XprintidleSource(self.asked({'xprintidle': '900\n'}))), [0.9])

    def test_an_answer_that_is_not_understood_is_none(self):
        for said in ('', 's "x"', 't x', 't 1\nt 2', '(uint64 1,)'):
            source = BusSource('GNOME', session.MUTTER, self.asked({'busctl': said}))
            self.assertRaises(UnknownError, source.look, 0)
        for said in ('', '-1', 'x'):
            source = XprintidleSource(self.asked({'xprintidle': said}))
            self.assertRaises(UnknownError, source.look, 0)

    def test_the_programs_of_this_machine_answer_or_say_why_not(self):
        for source in (BusSource('GNOME', session.MUTTER), XprintidleSource()):
            try:
                self.assertGreaterEqual(self.seconds(source)[0], 0)
            except UnknownError as e:
                self.assertTrue(str(e))

    def test_the_first_that_can_tell_counts_and_of_the_screens_only_the_sessions_own(self):
        dark = Source('dark', UnknownError('it is dark'))
        two = Source('X11', Use(seconds=1, display=':1'), Use(seconds=60, display=':0'))
        none = Source('none', Use(seconds=0, display=':1'))
        seen = Session([dark, none, two, Source('late', Use(seconds=0))], ':0')
        self.assertEqual(seen.look(0), (60, 'X11'))

    def test_all_that_was_tried_is_named(self):
        broken = Source('broken', ZeroDivisionError('oh'))
        other = Source('other', Use(seconds=0, display=':1'))
        error = self.assertRaises(UnknownError, Session([broken, other], ':0').look, 0)
        self.assertEqual(
            str(error), 'tried broken (ZeroDivisionError: oh), other (it sees no screen)'
        )

    def test_the_display_is_the_one_of_this_machine(self):
        for given, known in {
            ':0': ':0',
            ':10.1': ':10',
            'far:10.0': '',
            '': '',
            '/run/x/unix:3': ':3',
        }.items():
            self.assertEqual(session.display({'DISPLAY': given}), known, given)

    def test_each_platform_has_its_own(self):
        names = [one.name for one in session.sources('linux', {'DISPLAY': ':0'})]
        self.assertEqual(names, ['GNOME', 'X11', 'xprintidle', 'screen saver', 'logind'])
        self.assertNotIn('X11', [one.name for one in session.sources('linux', {})])
        self.assertEqual([one.name for one in session.sources('darwin', {})], ['ioreg'])


class Program(SynchronousTestCase):
    def test_a_real_gdbus_that_is_missing_is_not_taken_for_an_answer(self):
        folder = new_folder(self)
        for name in ('busctl', 'gdbus'):
            program = folder / name
            program.write_text('#!/bin/sh\necho "no such name" >&2\nexit 1\n')
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
        with mock.patch.dict(os.environ, {'PATH': f'{folder}:/bin'}):
            error = self.assertRaises(UnknownError, BusSource('GNOME', session.MUTTER).look, 0)
        self.assertEqual(str(error), 'no such name')
