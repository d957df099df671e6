# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import grp
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

from support.logs import LogLines
from support.reporters import ManualReactor
from support.reporters import new_folder
from twisted.internet import defer
from twisted.internet import endpoints
from twisted.internet import protocol
from twisted.internet import reactor
from twisted.internet import task
from twisted.internet.testing import StringTransport
from twisted.internet.utils import getProcessOutput
from twisted.protocols.basic import LineOnlyReceiver
from twisted.trial.unittest import SkipTest
from twisted.trial.unittest import TestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter import peer
from buildbot_balancer.reporter import unixsocket
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.dialogue import Dialogue
from buildbot_balancer.reporter.peer import Peer
from buildbot_balancer.reporter.probes.idle.helper import HelperSource
from buildbot_balancer.reporter.probes.unknown import UnknownError
from buildbot_balancer.reporter.unixsocket import OwnersSocket

STRANGER = 54321  # a uid and a gid that nobody has
CLIENT = """\
import os, socket, sys
path, uid, gid, line = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
os.setgroups([])
os.setgid(gid)
os.setuid(uid)
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(path)
    try:
        s.sendall(line.encode() + b'\\n')
    except BrokenPipeError:  # who hangs up at once has said why
        pass
    print(s.recv(4096).decode(), end='')  # a codec may be where this user may not read
except OSError as e:
    print(type(e).__name__)
"""
LISTENER = """\
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(1)
print('listens', flush=True)
time.sleep(600)
"""


class Client(LineOnlyReceiver):
    delimiter = b'\n'

    def __init__(self):
        self.answers = defer.DeferredQueue()
        self.lost = defer.Deferred()

    def lineReceived(self, line):
        self.answers.put(line.decode())

    def connectionLost(self, reason):
        self.lost.callback(None)

    def ask(self, line):
        self.sendLine(line if isinstance(line, bytes) else line.encode())
        return self.answers.get()

    def leave(self):
        self.transport.loseConnection()
        return self.lost


class Case(TestCase):
    def setUp(self):
        self.basedir = new_folder(self)
        self.path = unixsocket.path(self.basedir)
        self.group = None
        self.helper = HelperSource(time.monotonic)
        self.clients = []
        self.socket = self.make()

    def make(self, **more):
        dialogue = Dialogue(
            lambda said: word.save(self.basedir, said), lambda: 'eager', self.helper
        )
        made = OwnersSocket(self.basedir, reactor, dialogue, lambda: self.group, **more)
        self.addCleanup(made.close)
        return made

    async def connect(self):
        point = endpoints.UNIXClientEndpoint(reactor, str(self.path))
        client = await point.connect(protocol.Factory.forProtocol(Client))
        self.addCleanup(client.leave)
        return client

    async def until(self, true):
        end = time.monotonic() + 20
        while not true():
            self.assertLess(time.monotonic(), end)
            await task.deferLater(reactor, 0.01)

    def mode(self):
        return stat.S_IMODE(self.path.stat().st_mode)


class Speaking(Case):
    def run_async(self, coroutine):
        return defer.ensureDeferred(coroutine)

    def test_a_line_becomes_the_owners_word_and_is_answered(self):
        async def test():
            self.socket.open()
            client = await self.connect()
            self.assertEqual(await client.ask('reluctant using it'), 'ok: reluctant')
            said = word.load(self.basedir)
            self.assertEqual((said.mood, said.reason), (Mood.RELUCTANT, 'using it'))
            self.assertEqual(said.source, 'socket')
            self.assertEqual(await client.ask('auto'), 'ok: auto')
            self.assertIsNone(word.load(self.basedir).mood)
            self.assertIn('"\ufffd" is no mood', await client.ask(b'\xff\x00'))

        return self.run_async(test())

    def test_a_line_without_end_is_refused(self):
        async def test():
            self.socket.open()
            client = await self.connect()
            client.transport.write(b'x' * (unixsocket.LONGEST + 2))
            self.assertIn('at most 1000 bytes', await client.answers.get())
            await client.lost

        return self.run_async(test())

    def test_only_so_many_speak_at_a_time(self):
        async def test():
            self.socket.open()
            clients = [await self.connect() for _ in range(unixsocket.MOST)]
            self.assertEqual(await clients[-1].ask('status'), 'eager')
            late = await self.connect()
            self.assertEqual(await late.answers.get(), 'error: 16 programs speak here already')
            await late.lost
            await clients[0].leave()
            await self.until(lambda: len(self.socket._lines) < unixsocket.MOST)
            self.assertEqual(await (await self.connect()).ask('status'), 'eager')

        return self.run_async(test())

    def test_what_a_helper_said_ends_with_its_connection(self):
        async def test():
            self.socket.open()
            client = await self.connect()
            await client.ask('idle 3')
            self.assertEqual(len(self.helper.look(0)), 1)
            await client.leave()
            await self.until(lambda: not self.socket._lines)
            self.assertRaises(UnknownError, self.helper.look, 0)

        return self.run_async(test())

    def test_one_that_is_silent_for_long_is_hung_up_on(self):
        async def test():
            self.patch(unixsocket, 'SILENCE', 0.05)
            self.socket.open()
            client = await self.connect()
            await client.lost

        return self.run_async(test())

    def test_it_closes_with_all_who_speak_and_leaves_no_file(self):
        async def test():
            self.socket.open()
            client = await self.connect()
            await client.ask('status')
            await self.socket.close()
            await client.lost
            self.assertFalse(self.path.exists())
            await self.socket.close()  # once more does nothing

        return self.run_async(test())

    def test_a_defect_is_logged_and_ends_nothing(self):
        async def test():
            self.socket._dialogue.answer = mock.Mock(side_effect=ZeroDivisionError)
            self.socket.open()
            client = await self.connect()
            for _ in range(2):
                self.assertTrue((await client.ask('status')).startswith('error: '))
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

        return self.run_async(test())


class Refused(Case):
    def test_what_a_stranger_says_before_it_is_hung_up_on_is_not_heard(self):
        self.patch(peer, 'of', lambda connection: Peer(STRANGER, STRANGER))
        line = unixsocket._Line(self.socket)
        transport = StringTransport()
        transport.getHandle = lambda: None
        line.makeConnection(transport)
        line.lineReceived(b'offline')
        self.assertEqual(transport.value().count(b'\n'), 1)
        self.assertIn(b'error: only the user of the worker', transport.value())
        self.assertTrue(transport.disconnecting)
        self.assertEqual(word.load(self.basedir), word.NO_WORD)


class Strangers(Case):
    """With real users, which only root can become."""

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            raise SkipTest('only root can be somebody else')
        for folder in (self.basedir, *self.basedir.parents):
            if not folder.stat().st_mode & stat.S_IXOTH:
                folder.chmod(0o711)
                break
        # what root does is done by the user of the worker
        self.patch(os, 'geteuid', lambda: STRANGER + 9)

    def ask(self, uid, gid, line='status'):
        program = sys.executable if Path(sys.executable).exists() else 'python3'
        args = ['-S', '-c', CLIENT, str(self.path), str(uid), str(gid), line]
        return getProcessOutput(os.path.realpath(program), args, errortoo=True)

    async def check_file(self):
        self.socket.open()
        self.assertEqual(self.mode(), 0o600)
        self.assertEqual(await self.ask(STRANGER, STRANGER), b'PermissionError\n')
        self.path.chmod(0o666)  # whatever the file allows
        answer = await self.ask(STRANGER, STRANGER, 'offline')
        self.assertIn(b'only the user of the worker', answer)
        self.assertEqual(word.load(self.basedir), word.NO_WORD)

    def test_another_user_is_not_heard(self):
        return defer.ensureDeferred(self.check_file())

    def test_a_member_of_the_named_group_is_heard_and_others_are_not(self):
        async def test():
            daemon = grp.getgrgid(1)
            self.group = daemon.gr_name
            self.socket.open()
            self.assertEqual((self.mode(), self.path.stat().st_gid), (0o660, 1))
            self.assertEqual(await self.ask(STRANGER, 1), b'eager\n')
            self.assertEqual(await self.ask(STRANGER, STRANGER), b'PermissionError\n')
            self.group = None
            self.socket.look()
            self.assertEqual(self.mode(), 0o600)
            self.path.chmod(0o666)
            self.assertIn(b'only the user', await self.ask(STRANGER, 1))

        return defer.ensureDeferred(test())


class Files(Case):
    def test_it_is_for_its_owner_alone(self):
        self.socket.open()
        self.assertEqual(self.mode(), 0o600)

    def test_a_group_that_does_not_exist_is_said_once(self):
        lines = LogLines(self)
        self.group = 'no such group'
        self.socket.open()
        for _ in range(3):
            self.socket.look()
        self.assertEqual(self.mode(), 0o600)
        said = [line for line in lines.ours() if 'there is no group "no such group"' in line]
        self.assertEqual(len(said), 1)

    def test_the_file_of_one_that_was_killed_is_replaced(self):
        async def test():
            listener = subprocess.Popen(
                [sys.executable, '-c', LISTENER, str(self.path)], stdout=subprocess.PIPE
            )
            self.assertEqual(listener.stdout.readline(), b'listens\n')
            listener.send_signal(signal.SIGKILL)
            listener.communicate()
            self.assertTrue(self.path.is_socket())
            self.socket.open()
            self.assertEqual(await (await self.connect()).ask('status'), 'eager')

        return defer.ensureDeferred(test())

    def test_the_one_of_a_living_reporter_is_not_and_is_taken_over_when_that_ends(self):
        async def test():
            lines = LogLines(self)
            first = self.make()
            first.open()
            inode = self.path.stat().st_ino
            for _ in range(2):
                self.socket.look()
            self.assertEqual(self.path.stat().st_ino, inode)
            said = [line for line in lines.ours() if 'another reporter listens' in line]
            self.assertEqual(len(said), 1)
            await first.close()
            self.socket.look()
            self.assertEqual(await (await self.connect()).ask('status'), 'eager')

        return defer.ensureDeferred(test())

    def test_a_listener_whose_line_is_full_is_alive(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.path))
            listener.listen(0)
            waiting = []
            for _ in range(3):
                one = socket.socket(socket.AF_UNIX)
                self.addCleanup(one.close)
                one.setblocking(False)
                waiting.append(one.connect_ex(str(self.path)))
            self.assertIn(False, [code == 0 for code in waiting])  # the line is full
            self.socket.open()
            self.assertIsNone(self.socket._port)

    def test_a_file_that_is_no_socket_is_left_alone(self):
        lines = LogLines(self)
        self.path.write_text('mine')
        self.socket.open()
        self.assertEqual(self.path.read_text(), 'mine')
        self.assertIn(
            f'buildbot-balancer: {self.path} is no socket; it is left alone', lines.ours()
        )

    def test_one_that_somebody_took_away_comes_again(self):
        async def test():
            self.socket.open()
            self.path.unlink()
            self.socket.look()
            await self.until(lambda: not self.path.exists())
            self.socket.look()
            self.assertEqual(await (await self.connect()).ask('status'), 'eager')

        return defer.ensureDeferred(test())

    def test_a_process_that_has_no_file_left_to_open_tries_again(self):
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(self.path))
        stale.close()
        full = mock.patch('socket.socket', side_effect=OSError(24, 'Too many open files'))
        with full:
            self.socket.open()
        self.assertIsNone(self.socket._port)
        self.assertTrue(self.socket._loop.running)
        self.socket.look()
        self.assertEqual(self.mode(), 0o600)

    def test_after_a_step_back_of_the_clock_it_is_looked_after_as_before(self):
        self.socket.open()
        before = self.socket._loop.call
        self.socket.stepped_back()
        self.assertFalse(before.active())
        self.assertTrue(self.socket._loop.call.active())

    def test_a_path_that_is_too_long_says_so(self):
        lines = LogLines(self)
        deep = self.basedir / ('x' * 100)
        deep.mkdir()
        made = OwnersSocket(deep, reactor, self.socket._dialogue)
        made.open()
        self.addCleanup(made.close)
        (line,) = lines.ours()
        count = len(os.fsencode(unixsocket.path(deep)))
        self.assertIn(f'has {count} bytes, and the one of a socket at most', line)

    def test_the_longest_path_that_is_allowed_works(self):
        room = unixsocket.PATH_LIMIT - len(os.fsencode(self.basedir)) - len(unixsocket.FILE) - 2
        deep = self.basedir / ('x' * room)
        deep.mkdir()
        self.path = unixsocket.path(deep)
        self.assertEqual(len(os.fsencode(self.path)), unixsocket.PATH_LIMIT)
        made = OwnersSocket(deep, reactor, self.socket._dialogue)
        made.open()
        self.addCleanup(made.close)
        self.assertTrue(self.path.is_socket())
        self.assertIsNotNone(unixsocket.too_long(Path(f'{self.path}x')))

    def test_a_folder_that_cannot_be_written_is_one_line(self):
        lines = LogLines(self)
        made = OwnersSocket(self.basedir / 'gone', reactor, self.socket._dialogue)
        for _ in range(2):
            made.look()
        self.addCleanup(made.close)
        self.assertEqual(len([line for line in lines.ours() if 'nobody can speak' in line]), 1)

    def test_a_reactor_without_unix_sockets_has_none(self):
        made = OwnersSocket(self.basedir, ManualReactor(), self.socket._dialogue)
        made.open()
        self.assertFalse(self.path.exists())
        made.close()
