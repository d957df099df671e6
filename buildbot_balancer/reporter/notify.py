# SPDX-License-Identifier: GPL-2.0-or-later
"""Notify: tells systemd that the worker is up, and goes on telling it that all is well.

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from typing import Any
from typing import Callable

from twisted.internet import task

from buildbot_balancer.log import say

READY = 'READY=1'
WATCHDOG = 'WATCHDOG=1'
STOPPING = 'STOPPING=1'
_NAMES = ('NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID')


class Notify:
    """Does nothing where no systemd waits. `healthy()` is asked before the watchdog is fed; that
    it is asked at all shows that the reactor lives.
    """

    def __init__(
        self, reactor: Any, healthy: Callable[[], bool], environ: MutableMapping[str, str]
    ) -> None:
        self._reactor = reactor
        self._healthy = healthy
        self._environ = environ
        self._address = ''
        self._loop: task.LoopingCall | None = None
        self._said = ''

    def open(self) -> None:
        # taken out, for what the worker starts must not speak in its name
        address, period, pid = (self._environ.pop(name, '') for name in _NAMES)
        self._address = self._address or address
        if not self._address:
            return
        self._reactor.callWhenRunning(self._send, READY)
        if period.isdecimal() and int(period) and pid in {'', str(os.getpid())}:
            self._loop = task.LoopingCall(self._feed)
            self._loop.clock = self._reactor
            self._loop.start(int(period) / 1e6 / 2, now=False)  # half of it, as systemd advises

    def close(self) -> None:
        if self._loop is not None:
            self._loop.stop()
            self._loop = None
        if self._address:
            self._send(STOPPING)

    def stepped_back(self) -> None:
        if self._loop is not None:
            self._loop.reset()
            self._feed()

    def _feed(self) -> None:
        if self._healthy():
            self._send(WATCHDOG)
        else:
            self._say('the reporter does not look any more: the watchdog of systemd is not fed')

    def _send(self, text: str) -> None:
        # a leading @ stands for the zero byte of Linux's abstract names
        place = '\0' + self._address[1:] if self._address[0] == '@' else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(text.encode(), place)
        except OSError as e:
            self._say(f'systemd cannot be told {text}: {e.strerror or e}')
        else:
            self._said = ''

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            say(text)
