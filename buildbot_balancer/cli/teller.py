# SPDX-License-Identifier: GPL-2.0-or-later
"""Teller: tells one reporter, through its socket, how long nobody has used the session."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Callable

from buildbot_balancer.availability.text import clean
from buildbot_balancer.cli.basedir import shown
from buildbot_balancer.reporter import unixsocket
from buildbot_balancer.reporter.dialogue import ERROR
from buildbot_balancer.reporter.dialogue import IDLE

TIMEOUT = 5.0  # seconds for an answer
_LIMIT = 4096  # bytes of an answer


class Teller:
    """Keeps its connection, and makes a new one where that is lost; each change is one line."""

    def __init__(self, basedir: Path, echo: Callable[[str], None]) -> None:
        self._basedir = basedir
        self._echo = echo
        self._socket: socket.socket | None = None
        self._answer: str | None = None  # the last one; '': none came

    def tell(self, seconds: float, display: str) -> None:
        line = f'{IDLE} {seconds:.1f} {display}'.rstrip() + '\n'
        try:
            answer = self._exchange(line)
        except OSError as e:
            self.close()
            self._say('', f'no reporter listens ({e.strerror or e}); tried again')
            return
        if answer.startswith(ERROR):
            self.close()
        self._say(answer, answer if answer.startswith(ERROR) else 'told')

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange(self, line: str) -> str:
        if self._socket is None:
            self._socket = self._connect()
        with contextlib.suppress(BrokenPipeError):  # who hangs up at once has said why
            self._socket.sendall(line.encode())
        answer = b''
        while not answer.endswith(b'\n'):
            more = self._socket.recv(_LIMIT)
            if not more or len(answer) > _LIMIT:
                raise ConnectionResetError('it hung up')
            answer += more
        return clean(answer.decode(errors='replace'), 500)

    def _connect(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(TIMEOUT)
        try:
            made.connect(str(unixsocket.path(self._basedir)))
        except OSError:
            made.close()
            raise
        return made

    def _say(self, answer: str, text: str) -> None:
        if answer != self._answer:
            self._answer = answer
            self._echo(f'{shown(self._basedir)}: {text}')
