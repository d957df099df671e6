# SPDX-License-Identifier: GPL-2.0-or-later
"""X11Source: the idle time of each X server on this machine, from its MIT-SCREEN-SAVER extension.

It speaks the few messages of the protocol itself, over the server's local socket and with a
time-out: Xlib would end the whole worker when the server goes away.
https://www.x.org/releases/current/doc/xproto/x11protocol.html
https://www.x.org/releases/current/doc/scrnsaverproto/saver.html
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path

from buildbot_balancer.reporter.probes.idle import xauthority
from buildbot_balancer.reporter.probes.idle.use import Use
from buildbot_balancer.reporter.probes.unknown import UnknownError

SOCKETS = Path('/tmp/.X11-unix')  # noqa: S108  where X servers have them
TIMEOUT = 3.0  # seconds
_SAVER = b'MIT-SCREEN-SAVER'
_XWAYLAND = b'XWAYLAND'
_COOKIE = b'MIT-MAGIC-COOKIE-1'
_QUERY_EXTENSION = 98
_QUERY_INFO = 1  # of the extension
_ERROR, _REPLY = 0, 1


class X11Source:
    """`environ`: where DISPLAY and XAUTHORITY are looked for."""

    name = 'X11'

    def __init__(self, sockets: Path = SOCKETS, environ: Mapping[str, str] = os.environ) -> None:
        self.sees_screens = False
        self._sockets = sockets
        self._environ = environ

    def look(self, now: float) -> list[Use]:
        names = sorted(path.name[1:] for path in self._sockets.glob('X*'))
        displays = [name for name in names if name.isdecimal()]
        if not displays:
            raise UnknownError('no X server runs here')
        cookies = xauthority.cookies(self._environ)
        uses: list[Use] = []
        refused: list[UnknownError] = []
        for number in displays:
            try:
                idle = self._idle(number, [*cookies.get(number, ()), *cookies.get('', ())])
            except UnknownError as e:
                refused.append(e)
            else:
                uses.append(Use(seconds=idle, display=f':{number}'))
        if refused and not uses:
            raise refused[0]
        # what one display says counts, and of the others somebody else has to know
        self.sees_screens = not refused
        return uses

    def _idle(self, number: str, cookies: Iterable[bytes]) -> float:
        refusal = ''
        for cookie in (*cookies, b''):
            try:
                return self._ask(number, cookie)
            except _RefusedError as e:
                refusal = refusal or str(e)
            except OSError as e:
                raise UnknownError(f'display :{number} does not answer: {e.strerror or e}') from e
            except struct.error as e:
                raise UnknownError(f'display :{number} is not understood') from e
        raise UnknownError(f'display :{number} lets nobody in: {refusal}')

    def _ask(self, number: str, cookie: bytes) -> float:
        with contextlib.closing(_Server(self._sockets / f'X{number}')) as server:
            root = server.open(cookie)
            if server.extension(_XWAYLAND):
                raise UnknownError(f'display :{number} is Xwayland, which sees its own input only')
            saver = server.extension(_SAVER)
            if not saver:
                raise UnknownError(f'display :{number} has no MIT-SCREEN-SAVER')
            reply = server.call(struct.pack('<BBHI', saver, _QUERY_INFO, 2, root))
            return float(struct.unpack_from('<I', reply, 16)[0]) / 1000


class _RefusedError(Exception):
    """The server does not take the cookie."""


class _Server:
    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(TIMEOUT)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def open(self, cookie: bytes) -> int:
        """The root window of the first screen."""
        name = _COOKIE if cookie else b''
        hello = struct.pack('<cxHHHHxx', b'l', 11, 0, len(name), len(cookie))
        self._socket.sendall(hello + _padded(name) + _padded(cookie))
        status, length, _, _, more = struct.unpack('<BBHHH', self._read(8))
        rest = self._read(more * 4)
        if status != 1:
            raise _RefusedError(rest[:length].decode(errors='replace').strip())
        vendor, formats = struct.unpack_from('<H', rest, 16)[0], rest[21]
        at = 32 + len(_padded(b' ' * vendor)) + 8 * formats
        return int(struct.unpack_from('<I', rest, at)[0])

    def extension(self, name: bytes) -> int:
        """Its opcode; 0: the server does not have it."""
        body = struct.pack('<HH', len(name), 0) + _padded(name)
        request = struct.pack('<BBH', _QUERY_EXTENSION, 0, 1 + len(body) // 4) + body
        reply = self.call(request)
        return reply[9] if reply[8] else 0

    def call(self, request: bytes) -> bytes:
        self._socket.sendall(request)
        while True:
            answer = self._read(32)
            if answer[0] == _ERROR:
                raise UnknownError(f'the X server refuses (error {answer[1]})')
            if answer[0] == _REPLY:
                return answer + self._read(4 * int(struct.unpack_from('<I', answer, 4)[0]))

    def _read(self, count: int) -> bytes:
        data = b''
        while len(data) < count:
            chunk = self._socket.recv(min(count - len(data), 65536))
            if not chunk:
                raise ConnectionResetError('it hung up')
            data += chunk
        return data


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
