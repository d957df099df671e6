# SPDX-License-Identifier: GPL-2.0-or-later
"""ConsoleSource: a machine on which no screen is in use, as servers are.

It has seen the screens only where it can be sure that there are none: the machine has a console
of its own, so this is no container, and no display server has left its socket.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from buildbot_balancer.reporter.probes.idle.use import Use
from buildbot_balancer.reporter.probes.unknown import UnknownError

CONSOLE = Path('/dev/tty0')
_SOCKETS = ((Path('/tmp/.X11-unix'), 'X*'), (Path('/run/user'), '*/wayland-*'))  # noqa: S108


class ConsoleSource:
    name = 'console'
    sees_screens = True

    def __init__(
        self, console: Path = CONSOLE, sockets: Sequence[tuple[Path, str]] = _SOCKETS
    ) -> None:
        self._console = console
        self._sockets = sockets

    def look(self, now: float) -> list[Use]:
        if not self._console.exists():
            raise UnknownError('there is none: a container does not see who uses the machine')
        for folder, pattern in self._sockets:
            if any(folder.glob(pattern)):
                raise UnknownError('a display server runs')
        return []
