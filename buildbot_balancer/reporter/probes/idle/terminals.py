# SPDX-License-Identifier: GPL-2.0-or-later
"""TerminalsSource: when somebody last typed into a terminal, by its access time."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from buildbot_balancer.reporter.probes.idle.use import Use

DEV = Path('/dev')
_PATTERNS = ('pts/[0-9]*', 'tty[0-9]*', 'ttyS[0-9]*', 'ttys[0-9]*')


class TerminalsSource:
    """Those of the people who are logged in; where the system keeps no list of them, all."""

    name = 'terminals'
    sees_screens = False

    def __init__(self, dev: Path = DEV) -> None:
        self._dev = dev

    def look(self, now: float) -> list[Use]:
        names = self._logged_in() or self._all()
        return [use for name in names if (use := self._use(name, now)) is not None]

    def _logged_in(self) -> list[str]:
        try:
            import psutil
        except ImportError:
            return []
        try:
            return [user.terminal for user in psutil.users() if user.terminal]
        except (psutil.Error, OSError):
            return []

    def _all(self) -> Iterator[str]:
        for pattern in _PATTERNS:
            for path in self._dev.glob(pattern):
                yield path.relative_to(self._dev).as_posix()

    def _use(self, name: str, now: float) -> Use | None:
        try:
            found = (self._dev / name).stat()
        except (OSError, ValueError):  # gone meanwhile, or no terminal at all, such as ":0"
            return None
        if not self._is_terminal(found.st_mode):
            return None
        return Use(seconds=now - found.st_atime, what=f'terminal {name}')

    @staticmethod
    def _is_terminal(mode: int) -> bool:
        return stat.S_ISCHR(mode)
