# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways: the ways to the reporter beside the command line and the file, and the one to systemd."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from typing import Callable

from twisted.internet import defer

from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.errors import StoreError
from buildbot_balancer.log import say
from buildbot_balancer.reporter import status
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.dialogue import Dialogue
from buildbot_balancer.reporter.link import is_local
from buildbot_balancer.reporter.notify import Notify
from buildbot_balancer.reporter.probes.idle.helper import HelperSource
from buildbot_balancer.reporter.signals import Signals
from buildbot_balancer.reporter.unixsocket import Group
from buildbot_balancer.reporter.unixsocket import OwnersSocket
from buildbot_balancer.reporter.unixsocket import nobody_else
from buildbot_balancer.reporter.word import Word

HEALTHY_FOR = 10.0  # seconds after a look; it looks four times in one


class Ways:
    """`helper` is what idle helpers have said. Each word goes into the owner's file, and from
    there the way that all words go.
    """

    def __init__(
        self,
        worker: Any,
        basedir: Path,
        reactor: Any,
        steady: Callable[[], float],
        group: Group = nobody_else,
    ) -> None:
        self.helper = HelperSource(steady)
        self._basedir = basedir
        self._reactor = reactor
        self._steady = steady
        self._looked_at = steady()
        dialogue = Dialogue(self._keep, self._shown, self.helper)
        self._socket = OwnersSocket(basedir, reactor, dialogue, group)
        self._signals = Signals(reactor, self._speak)
        self._notify = Notify(reactor, self._is_healthy, os.environ)
        # in a master's process both belong to the master
        self._is_alone = not is_local(worker)

    def open(self) -> None:
        self._socket.open()
        if self._is_alone:
            self._signals.open()
            self._notify.open()

    def close(self) -> defer.Deferred[Any]:
        if self._is_alone:
            self._notify.close()
            self._signals.close()
        return self._socket.close()

    def stepped_back(self) -> None:
        """The clock was set back: what waits for a time on it begins anew."""
        self._socket.stepped_back()
        self._notify.stepped_back()

    def looked(self) -> None:
        """The reporter has looked at all that it looks at, and nothing went wrong."""
        self._looked_at = self._steady()

    def _is_healthy(self) -> bool:
        return self._steady() - self._looked_at < HEALTHY_FOR

    def _keep(self, said: Word) -> None:
        word.save(self._basedir, said)

    def _speak(self, said: Word) -> None:
        try:
            self._keep(said)
        except StoreError as e:
            say(f'a signal was not heeded: {e}')

    def _shown(self) -> str:
        known = status.load(self._basedir)
        if known is None:
            return 'unknown'
        ends = ''
        if known.until is not None:
            ends = f' until {clock_text(known.until, self._reactor.seconds())}'
        why = f' ({known.reason})' if known.reason else ''
        return clean(f'{known.mood}{ends}{why}, source: {known.source}', 400)
