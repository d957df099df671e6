# SPDX-License-Identifier: GPL-2.0-or-later
"""LogindSource: the IdleHint of each graphical session, as the desktops give it.

https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.login1.html
Terminals are left to their access times, which are what logind itself goes by.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Callable

from buildbot_balancer.reporter.probes.idle.program import ask
from buildbot_balancer.reporter.probes.idle.use import Use
from buildbot_balancer.reporter.probes.unknown import UnknownError

GRAPHICAL = ('x11', 'wayland', 'mir')
_FIELDS = ('Id', 'Type', 'Class', 'State', 'Display', 'IdleHint', 'IdleSinceHint')


class LogindSource:
    name = 'logind'
    sees_screens = True

    def __init__(self, ask: Callable[[Sequence[str]], str] = ask) -> None:
        self._ask = ask

    def look(self, now: float) -> list[Use]:
        listed = self._ask(('loginctl', 'list-sessions', '--no-legend', '--no-pager'))
        ids = [line.split()[0] for line in listed.splitlines() if line.strip()]
        if not ids:
            return []
        fields = [f'--property={field}' for field in _FIELDS]
        shown = self._ask(('loginctl', 'show-session', '--no-pager', *fields, *ids))
        return [self._use(one, now) for one in _blocks(shown) if _is_screen(one)]

    def _use(self, session: Mapping[str, str], now: float) -> Use:
        hint, since = session.get('IdleHint'), session.get('IdleSinceHint', '')
        if hint not in {'yes', 'no'}:
            raise UnknownError('its sessions have no IdleHint')
        seconds = 0.0
        if hint == 'yes' and since.isdecimal() and since != '0':
            seconds = now - int(since) / 1e6
        # a desktop that never gives the hint looks busy for ever; its X server knows
        return Use(
            seconds=seconds, display=session.get('Display', ''), guess=session['Type'] == 'x11'
        )


def _is_screen(session: Mapping[str, str]) -> bool:
    return (
        session.get('Type') in GRAPHICAL
        and session.get('Class', 'user').startswith('user')
        and session.get('State') != 'closing'
    )


def _blocks(text: str) -> Iterator[dict[str, str]]:
    for block in text.split('\n\n'):
        pairs = (line.partition('=') for line in block.splitlines() if '=' in line)
        found = {key.strip(): value.strip() for key, _, value in pairs}
        if found:
            yield found
