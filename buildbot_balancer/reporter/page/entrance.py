# SPDX-License-Identifier: GPL-2.0-or-later
"""Entrance: the keys that count now, and the file with the token, which stays private."""

from __future__ import annotations

from pathlib import Path

from buildbot_balancer.reporter import files
from buildbot_balancer.reporter.page import ticket
from buildbot_balancer.reporter.page.keys import Keys
from buildbot_balancer.reporter.page.keys import Random
from buildbot_balancer.reporter.page.ticket import Ticket

_Seen = tuple[int, int, int]


class Entrance:
    """New keys with each `open`: whoever took the port meanwhile may have been shown the old."""

    def __init__(self, basedir: Path, random: Random) -> None:
        self._basedir = basedir
        self._random = random
        self._port = 0
        self._seen: _Seen | None = None
        self.keys = Keys.new(random)

    def open(self, port: int) -> None:
        """Raises StoreError."""
        self._port = port
        self._renew()

    def look(self) -> bool:
        """Where somebody else may have read, written or removed the file, its token and all
        cookies are void. True where that was so. Raises StoreError.
        """
        if self._seen is not None and self._seen == self._look():
            return False
        self._renew()
        return True

    def close(self) -> None:
        """Raises StoreError."""
        self.keys = Keys.new(self._random)
        self._seen = None
        ticket.remove(self._basedir)

    def _renew(self) -> None:
        self.keys = Keys.new(self._random)
        self._seen = None
        ticket.remove(self._basedir)
        ticket.save(self._basedir, Ticket(self._port, self.keys.token))
        self._seen = self._look()

    def _look(self) -> _Seen | None:
        place = ticket.path(self._basedir)
        return files.signature(place) if ticket.is_private(place) else None
