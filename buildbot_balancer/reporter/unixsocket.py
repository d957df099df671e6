# SPDX-License-Identifier: GPL-2.0-or-later
"""OwnersSocket: ``BASEDIR/availability.sock``, through which programs of the owner's speak.

Only the user that the reporter runs as, root, and the members of one group that the owner names
are heard.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
from pathlib import Path
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.internet import error
from twisted.internet import protocol
from twisted.internet import task
from twisted.internet.interfaces import IReactorUNIX
from twisted.protocols import policies
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.reporter import peer
from buildbot_balancer.reporter.dialogue import ERROR
from buildbot_balancer.reporter.dialogue import Dialogue

FILE = 'availability.sock'
LONGEST = 1000  # bytes of a line
MOST = 16  # connections at a time
SILENCE = 120.0  # seconds without a line
LOOK_EVERY = 5.0  # seconds between two looks whether the socket is still there
PATH_LIMIT = 107 if sys.platform == 'linux' else 103  # bytes: unix(7), and the BSDs
_OWN, _GROUP = 0o600, 0o660

Group = Callable[[], 'str | None']


def path(basedir: Path) -> Path:
    return basedir / FILE


def too_long(place: Path) -> str | None:
    """Why there can be no socket, as a sentence."""
    count = len(os.fsencode(place))
    if count <= PATH_LIMIT:
        return None
    return f'the path {place} has {count} bytes, and the one of a socket at most {PATH_LIMIT}'


def nobody_else() -> str | None:
    return None


class _Line(LineOnlyReceiver, policies.TimeoutMixin):
    transport: Any
    delimiter = b'\n'
    MAX_LENGTH = LONGEST

    def __init__(self, owner: OwnersSocket) -> None:
        self._owner = owner

    def callLater(self, period: float, func: Callable[[], None]) -> Any:
        """What the mixin waits with."""
        return self._owner.reactor.callLater(period, func)

    def connectionMade(self) -> None:
        problem = self._owner.admit(self)
        if problem:
            self._reply(ERROR + problem)
            self.transport.loseConnection()
        else:
            self.setTimeout(SILENCE)

    def lineReceived(self, line: bytes) -> None:
        if not self._owner.hears(self):
            return
        self.resetTimeout()
        self._reply(self._owner.answer(line.decode(errors='replace'), self))

    def lineLengthExceeded(self, line: bytes) -> None:
        self._reply(f'{ERROR}a line has at most {LONGEST} bytes')
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self.setTimeout(None)
        self._owner.ended(self)

    def _reply(self, text: str) -> None:
        self.sendLine(text.encode(errors='replace'))


class OwnersSocket:
    """`group()`: the name of the group whose members are heard too."""

    def __init__(
        self, basedir: Path, reactor: Any, dialogue: Dialogue, group: Group = nobody_else
    ) -> None:
        self.reactor = reactor
        self._path = path(basedir)
        self._dialogue = dialogue
        self._group = group
        self._gid: int | None = None
        self._lines: set[_Line] = set()
        self._port: Any = None
        self._file: tuple[int, int] | None = None  # the one that is ours
        self._loop: task.LoopingCall | None = None
        self._said = ''

    def open(self) -> None:
        if not IReactorUNIX.providedBy(self.reactor):  # Windows has none
            return
        problem = too_long(self._path)
        if problem:
            say(problem)
            return
        clock: Any = self.reactor  # by the check above no more than an IReactorUNIX to mypy
        self._loop = task.LoopingCall(self.look)
        self._loop.clock = clock
        self._loop.start(LOOK_EVERY).addErrback(failed, 'while looking after the socket')

    def close(self) -> defer.Deferred[Any]:
        if self._loop is not None and self._loop.running:
            self._loop.stop()
        for line in [*self._lines]:
            line.transport.loseConnection()
        return self._stop()

    def stepped_back(self) -> None:
        if self._loop is not None and self._loop.running:
            self._loop.reset()

    # who may speak, and what they say

    def admit(self, line: _Line) -> str | None:
        """A sentence for who is not heard."""
        who = peer.of(line.transport.getHandle())
        if not peer.may_speak(who, os.geteuid(), self._gid):
            return 'only the user of the worker and the group that it names may speak here'
        if len(self._lines) >= MOST:
            return f'{MOST} programs speak here already'
        self._lines.add(line)
        return None

    def hears(self, line: _Line) -> bool:
        return line in self._lines

    def answer(self, text: str, line: _Line) -> str:
        try:
            return self._dialogue.answer(text, line)
        except Exception:
            failed(Failure(), 'while answering on the socket')
            return f'{ERROR}the log of the worker has the reason'

    def ended(self, line: _Line) -> None:
        self._lines.discard(line)
        self._dialogue.ended(line)

    # the file

    def look(self) -> None:
        """Whether it is there still, and for whom."""
        if self._port is not None and _file(self._path) != self._file:
            self._stop()  # somebody took it away; at the next look there is another
        elif self._port is None:
            self._listen()
        if self._port is not None:
            self._let_in()

    def _listen(self) -> None:
        problem = _taken(self._path)
        if problem:
            self._say(problem)
            return
        factory = protocol.Factory.forProtocol(lambda: _Line(self))
        factory.noisy = False
        try:
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()  # of a reporter that was killed
            self._port = self.reactor.listenUNIX(str(self._path), factory, mode=_OWN)
        except (OSError, error.CannotListenError) as e:
            self._say(f'nobody can speak through {self._path}: {_why(e)}')
            return
        self._file, self._gid, self._said = _file(self._path), None, ''

    def _let_in(self) -> None:
        gid = self._wanted_group()
        if gid == self._gid:
            return
        try:
            if gid is not None:
                os.chown(self._path, -1, gid)
            self._path.chmod(_OWN if gid is None else _GROUP)
        except OSError as e:
            self._say(f'{self._path} is for its owner alone: {_why(e)}')
            return
        self._gid = gid

    def _wanted_group(self) -> int | None:
        import grp

        name = self._group()
        try:
            return None if name is None else grp.getgrnam(name).gr_gid
        except KeyError:
            self._say(f'{self._path} is for its owner alone: there is no group "{name}"')
            return None

    def _stop(self) -> defer.Deferred[Any]:
        port, self._port = self._port, None
        if port is None:
            return defer.succeed(None)
        with contextlib.suppress(OSError):
            # Twisted removes the file, and stumbles where it is gone
            self._path.touch()
        stopped: defer.Deferred[Any] = defer.maybeDeferred(port.stopListening)
        return stopped

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            say(text)


def _file(place: Path) -> tuple[int, int] | None:
    try:
        found = place.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _taken(place: Path) -> str | None:
    """Why the file there must stay; None: there is none, or nobody listens any more."""
    try:
        if not stat.S_ISSOCK(place.lstat().st_mode):
            return f'{place} is no socket; it is left alone'
    except FileNotFoundError:
        return None
    except OSError as e:
        return f'nobody can speak through {place}: {_why(e)}'
    try:
        probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as e:  # the process has too many files open, for now
        return f'nobody can speak through {place}: {_why(e)}'
    with probe:
        probe.setblocking(False)
        try:
            probe.connect(str(place))
        except ConnectionRefusedError:
            return None
        except OSError:  # its line is long, or it is another user's: somebody is there
            pass
    return f'another reporter listens on {place}'


def _why(e: Exception) -> str:
    inner = getattr(e, 'socketError', e)
    return getattr(inner, 'strerror', None) or str(inner)
