# SPDX-License-Identifier: GPL-2.0-or-later
"""LocalPage: opens and closes the owner's page as the settings say, and tells it what happens."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.internet.error import CannotListenError

from buildbot_balancer.availability.text import clean
from buildbot_balancer.errors import StoreError
from buildbot_balancer.log import say
from buildbot_balancer.reporter import word as words
from buildbot_balancer.reporter.page.entrance import Entrance
from buildbot_balancer.reporter.page.journal import Journal
from buildbot_balancer.reporter.page.keys import Random
from buildbot_balancer.reporter.page.sight import Sight
from buildbot_balancer.reporter.page.ticket import HOST
from buildbot_balancer.reporter.status import Status
from buildbot_balancer.reporter.word import Word

TRY_EVERY = 30.0  # seconds between two tries to have a port that others have


class LocalPage:
    """`said` is called when the owner has said something, and looks at their file at once."""

    def __init__(
        self,
        basedir: Path,
        reactor: Any,
        said: Callable[[], None],
        random: Random = secrets.token_bytes,
    ) -> None:
        self._basedir = basedir
        self._reactor = reactor
        self._said = said
        self._entrance = Entrance(basedir, random)
        self._journal = Journal()
        self._status: Status | None = None
        self._word = words.NO_WORD
        self._port: int | None = None
        self._listener: Any = None
        self._factory: Any = None
        self._tried_at: float | None = None
        self._complaint = ''

    def show(self, status: Status, word: Word) -> None:
        """What holds from now on."""
        self._status, self._word = status, word
        self._journal.note(status)

    def follow(self, port: int | None) -> None:
        """Called often. `port`: where the page is wanted; None: nowhere."""
        if port != self._port:
            self.close()
            self._port = port
        if port is None:
            return
        try:
            if self._listener is not None:
                self._look(port)
            elif self._is_due():
                self._open(port)
        except CannotListenError as e:
            why = getattr(e.socketError, 'strerror', None) or e.socketError
            self._complain(f'port {port} of {HOST} cannot be had: {why}')
        except StoreError as e:
            self.close()
            self._port, self._tried_at = port, self._reactor.seconds()
            self._complain(str(e))

    def close(self) -> defer.Deferred[Any]:
        """Fires when the port is free again."""
        self._port = self._tried_at = None
        listener, self._listener = self._listener, None
        factory, self._factory = self._factory, None
        if listener is None or factory is None:
            return defer.succeed(None)
        factory.drop()
        try:
            self._entrance.close()
        except StoreError as e:
            self._complain(str(e))
        return defer.maybeDeferred(listener.stopListening)

    def _look(self, port: int) -> None:
        if self._entrance.look():
            say(f"the token of the owner's page was not private: {HOST}:{port} has a new one")

    def _is_due(self) -> bool:
        now = self._reactor.seconds()
        return self._tried_at is None or not 0 <= now - self._tried_at < TRY_EVERY

    def _open(self, port: int) -> None:
        # who asks for no page has no web server in memory
        from buildbot_balancer.reporter.page.front import Front
        from buildbot_balancer.reporter.page.site import make_site

        self._tried_at = self._reactor.seconds()
        front = Front(port, lambda: self._entrance.keys, self._sight, self._speak, self._now)
        factory = make_site(front, self._reactor)
        self._listener = self._reactor.listenTCP(port, factory, interface=HOST)
        self._factory = factory
        self._entrance.open(port)  # the file names a port that is ours
        self._complaint = ''
        say(f'the owner\'s page is at {HOST}:{port}; "buildbot-balancer page" leads there')

    def _complain(self, why: str) -> None:
        if why != self._complaint:
            self._complaint = why
            say(clean(f"the owner's page is not open: {why}", 300))

    def _now(self) -> float:
        return float(self._reactor.seconds())

    def _sight(self) -> Sight:
        return Sight(
            title=clean(self._basedir.name, 100) or 'worker',
            now=self._now(),
            status=self._status,
            word=self._word,
            entries=self._journal.entries,
        )

    def _speak(self, word: Word) -> None:
        words.save(self._basedir, word)
        self._said()
