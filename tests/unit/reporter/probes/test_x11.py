# SPDX-License-Identifier: GPL-2.0-or-later
"""Against a server that speaks as the specification says, byte by byte."""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import tempfile
import threading
from pathlib import Path

from support.reporters import new_folder
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.reporter.probes.idle import x11
from buildbot_balancer.reporter.probes.idle import xauthority
from buildbot_balancer.reporter.probes.idle.use import Use
from buildbot_balancer.reporter.probes.idle.x11 import X11Source
from buildbot_balancer.reporter.probes.unknown import UnknownError

COOKIE = bytes(range(16))
ROOT = 0x1234
SAVER = 140  # the opcode that the server has given the extension


def padded(data):
    return data + bytes(-len(data) % 4)


class Server:
    """`says` takes a request and gives the answer's 32 bytes, or more."""

    def __init__(self, case, path, cookie=b'', extensions=(b'MIT-SCREEN-SAVER',), idle=61_500):
        self.cookie = cookie
        self.extensions = extensions
        self.idle = idle
        self.hello = None
        self.silent = False
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._socket.settimeout(20)
        case.addCleanup(self._socket.close)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                with client:
                    client.settimeout(20)
                    with contextlib.suppress(OSError, ConnectionError):
                        self._talk(client)

    def _read(self, client, count):
        data = b''
        while len(data) < count:
            chunk = client.recv(count - len(data))
            if not chunk:
                raise ConnectionError
            data += chunk
        return data

    def _talk(self, client):
        order, major, _minor, name, length = struct.unpack('<cxHHHHxx', self._read(client, 12))
        assert (order, major) == (b'l', 11)
        given = self._read(client, len(padded(bytes(name))) + len(padded(bytes(length))))
        cookie = given[len(padded(bytes(name))) :][:length]
        if self.silent:
            self._read(client, 1)
        if self.hello is not None:
            client.sendall(self.hello)
            return
        if cookie != self.cookie:
            why = b'No protocol specified\n'
            client.sendall(
                struct.pack('<BBHHH', 0, len(why), 11, 0, len(padded(why)) // 4) + padded(why)
            )
            return
        vendor, formats = b'Test vendor', bytes(16)
        fixed = struct.pack('<IIIIHHBB', 1, 2, 3, 4, len(vendor), 65535, 1, 2) + bytes(10)
        body = fixed + padded(vendor) + formats + struct.pack('<I', ROOT) + bytes(36)
        client.sendall(struct.pack('<BBHHH', 1, 0, 11, 0, len(body) // 4) + body)
        while True:
            self._answer(client)

    def _answer(self, client):
        opcode, minor, length = struct.unpack('<BBH', self._read(client, 4))
        body = self._read(client, 4 * length - 4)
        if opcode == 98:
            (count,) = struct.unpack_from('<H', body)
            known = body[4 : 4 + count] in self.extensions
            reply = struct.pack('<BxHIBBBB', 1, 1, 0, known, SAVER if known else 0, 0, 0)
        elif (opcode, minor, body) == (SAVER, 1, struct.pack('<I', ROOT)):
            client.sendall(bytes([85]) + bytes(31))  # an event that nobody asked for
            reply = struct.pack('<BBHIIIIIB', 1, 3, 2, 0, 5, 7, self.idle, 0, 0)
        else:
            reply = struct.pack('<BB', 0, 1)
        client.sendall(reply.ljust(32, b'\0'))


class Case(SynchronousTestCase):
    def setUp(self):
        # the path of a socket is short
        self.folder = Path(tempfile.mkdtemp(prefix='x'))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def serve(self, number=0, **more):
        return Server(self, self.folder / f'X{number}', **more)

    def look(self, environ=None):
        return X11Source(self.folder, environ or {}).look(0)

    def refused(self, environ=None):
        return str(self.assertRaises(UnknownError, self.look, environ))


class Answers(Case):
    def test_the_idle_time_is_the_servers(self):
        self.serve()
        self.assertEqual(self.look(), [Use(seconds=61.5, display=':0')])

    def test_each_display_is_asked(self):
        self.serve(0)
        self.serve(1, idle=2000)
        found = {use.display: use.seconds for use in self.look()}
        self.assertEqual(found, {':0': 61.5, ':1': 2.0})

    def test_where_one_of_two_lets_nobody_in_somebody_else_has_to_know(self):
        self.serve(0)
        source = X11Source(self.folder, {})
        source.look(0)
        self.assertTrue(source.sees_screens)
        self.serve(1, cookie=COOKIE)
        self.assertEqual([use.display for use in source.look(0)], [':0'])
        self.assertFalse(source.sees_screens)

    def test_a_cookie_lets_us_in(self):
        self.serve(cookie=COOKIE)
        self.assertIn('lets nobody in: No protocol specified', self.refused())
        path = self.folder / 'authority'
        path.write_bytes(entry(b'0', b'wrong cookie....') + entry(b'', COOKIE))
        self.assertEqual(self.look({'XAUTHORITY': str(path)})[0].seconds, 61.5)


class Unknown(Case):
    def test_no_server(self):
        self.assertEqual(self.refused(), 'no X server runs here')
        (self.folder / 'Xlock').touch()
        self.assertEqual(self.refused(), 'no X server runs here')

    def test_a_socket_that_nobody_serves(self):
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(self.folder / 'X0'))
        left.close()
        self.assertEqual(self.refused(), 'display :0 does not answer: Connection refused')

    def test_a_server_that_hangs(self):
        self.patch(x11, 'TIMEOUT', 0.2)
        self.serve().silent = True
        self.assertIn('display :0 does not answer', self.refused())

    def test_a_server_that_is_none(self):
        for hello, why in (
            (b'', 'does not answer: it hung up'),
            (b'\x01' + bytes(7), 'is not understood'),
            (struct.pack('<BBHHH', 1, 0, 11, 0, 8) + bytes(32), 'is not understood'),
            (b'SSH-2.0-OpenSSH_9.2\r\n', 'does not answer'),
        ):
            for path in self.folder.iterdir():
                path.unlink()
            self.serve().hello = hello
            self.assertIn(f'display :0 {why}', self.refused(), hello)

    def test_a_server_without_the_extension(self):
        self.serve(extensions=())
        self.assertEqual(self.refused(), 'display :0 has no MIT-SCREEN-SAVER')

    def test_xwayland_which_sees_its_own_input_only(self):
        self.serve(extensions=(b'MIT-SCREEN-SAVER', b'XWAYLAND'))
        self.assertIn('Xwayland', self.refused())


def entry(number, cookie, name=b'MIT-MAGIC-COOKIE-1'):
    parts = (b'host', number, name, cookie)
    return struct.pack('>H', 256) + b''.join(struct.pack('>H', len(p)) + p for p in parts)


class Cookies(SynchronousTestCase):
    def setUp(self):
        self.home = new_folder(self)
        self.path = self.home / '.Xauthority'

    def found(self):
        return xauthority.cookies({'HOME': str(self.home)})

    def test_they_are_by_the_number_of_the_display(self):
        self.path.write_bytes(
            entry(b'0', b'a') + entry(b'1', b'b') + entry(b'0', b'c') + entry(b'0', b'd', b'XDM')
        )
        self.assertEqual(self.found(), {'0': [b'a', b'c'], '1': [b'b']})

    def test_a_file_that_ends_early_or_is_none_is_read_as_far_as_it_goes(self):
        whole = entry(b'0', b'a')
        for cut in range(len(whole) - 3):
            self.path.write_bytes(whole + whole[:cut])
            self.assertEqual(self.found(), {'0': [b'a']}, cut)
        self.path.unlink()
        self.assertEqual(self.found(), {})
