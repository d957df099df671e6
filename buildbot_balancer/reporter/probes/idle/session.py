# SPDX-License-Identifier: GPL-2.0-or-later
"""Session: how long nobody has touched the keyboard or the mouse, as seen from within a desktop.

Asked of the desktop over the session's D-Bus, with the program that systemd or GLib brings, and of
its X server.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Callable

from buildbot_balancer.availability.text import describe
from buildbot_balancer.reporter.probes.idle.logind import LogindSource
from buildbot_balancer.reporter.probes.idle.macos import MacosSource
from buildbot_balancer.reporter.probes.idle.program import ask
from buildbot_balancer.reporter.probes.idle.use import Source
from buildbot_balancer.reporter.probes.idle.use import Use
from buildbot_balancer.reporter.probes.idle.x11 import X11Source
from buildbot_balancer.reporter.probes.unknown import UnknownError

Ask = Callable[[Sequence[str]], str]

MUTTER = (
    *('org.gnome.Mutter.IdleMonitor', '/org/gnome/Mutter/IdleMonitor/Core'),
    *('org.gnome.Mutter.IdleMonitor', 'GetIdletime'),
)
# KDE answers in milliseconds, others in seconds: taken for milliseconds, no machine ever looks
# idler than it is
SCREEN_SAVER = (
    *('org.freedesktop.ScreenSaver', '/org/freedesktop/ScreenSaver'),
    *('org.freedesktop.ScreenSaver', 'GetSessionIdleTime'),
)
_BUSCTL = re.compile(r'^[tu] (\d+)$', re.ASCII)
_GDBUS = re.compile(r'^\(uint(?:32|64) (\d+),\)$', re.ASCII)
_SCREEN = re.compile(r'^(?:.*/unix)?(:\d+)(?:\.\d+)?$', re.ASCII)


class BusSource:
    """A method of a desktop's that answers milliseconds."""

    sees_screens = True

    def __init__(self, name: str, method: Sequence[str], ask: Ask = ask) -> None:
        self.name = name
        self._service, self._path, self._interface, self._method = method
        self._ask = ask

    def look(self, now: float) -> list[Use]:
        where = (self._service, self._path, self._interface, self._method)
        try:
            answer, form = self._ask(('busctl', '--user', '--timeout=3', 'call', *where)), _BUSCTL
        except UnknownError:
            answer, form = self._ask(self._gdbus()), _GDBUS
        found = form.match(answer.strip())
        if found is None:
            raise UnknownError('its answer is not understood')
        return [Use(seconds=int(found[1]) / 1000)]

    def _gdbus(self) -> Sequence[str]:
        method = f'{self._interface}.{self._method}'
        return (
            *('gdbus', 'call', '--session', f'--dest={self._service}'),
            *(f'--object-path={self._path}', f'--method={method}', '--timeout=3'),
        )


class XprintidleSource:
    """For an X server that lets in its user's programs only as Xlib asks."""

    name = 'xprintidle'
    sees_screens = True

    def __init__(self, ask: Ask = ask) -> None:
        self._ask = ask

    def look(self, now: float) -> list[Use]:
        answer = self._ask(('xprintidle',)).strip()
        if not answer.isdecimal():
            raise UnknownError('its answer is not understood')
        return [Use(seconds=int(answer) / 1000)]


def display(environ: Mapping[str, str]) -> str:
    """The X display of the session, as ``:0``; '' where it has none on this machine."""
    found = _SCREEN.match(environ.get('DISPLAY', ''))
    return '' if found is None else found[1]


def sources(platform: str = sys.platform, environ: Mapping[str, str] = os.environ) -> list[Source]:
    """The best first."""
    if platform == 'darwin':
        return [MacosSource()]
    of_server: list[Source] = []
    if display(environ):
        of_server = [X11Source(environ=environ), XprintidleSource()]
    return [
        BusSource('GNOME', MUTTER),
        *of_server,
        BusSource('screen saver', SCREEN_SAVER),
        LogindSource(),
    ]


class Session:
    """The first source that can tell counts; `display`: of the X servers, only that one."""

    def __init__(self, sources: Sequence[Source], display: str = '') -> None:
        self._sources = sources
        self._display = display

    def look(self, now: float) -> tuple[float, str]:
        """Seconds, and who said so. Raises UnknownError, which names all that was tried."""
        tried = []
        for source in self._sources:
            try:
                uses = [use for use in source.look(now) if use.display in {'', self._display}]
            except UnknownError as e:
                tried.append(f'{source.name} ({e})')
            except Exception as e:
                tried.append(f'{source.name} ({describe(e, 60)})')
            else:
                if uses:
                    return max(min(use.seconds for use in uses), 0.0), source.name
                tried.append(f'{source.name} (it sees no screen)')
        raise UnknownError(f'tried {", ".join(tried) or "nothing"}')
