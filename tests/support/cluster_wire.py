# SPDX-License-Identifier: GPL-2.0-or-later
"""A wire to a PostgreSQL that falls silent at a certain moment of a transaction."""

from __future__ import annotations

import socket
import threading
from typing import Any
from typing import Callable

from support.proxy import DOWN
from support.proxy import UP
from support.proxy import Pair
from support.proxy import Proxy
from support.proxy import Valve

COMMIT = b'COMMIT'


class DatabaseWire(Proxy):
    def __init__(self, target: int) -> None:
        self.silent = threading.Event()
        self._statement: bytes | None = None
        self._began: Pair | None = None
        super().__init__(target)

    def fall_silent_after(self, statement: bytes) -> None:
        """With the commit of the next transaction that says this the server's answers stop: what
        was done is done, and who did it does not hear of it. `silent` is set then.
        """
        self._statement = statement

    def _pump(self, pair: Pair, valve: Valve, source: socket.socket, sink: socket.socket) -> None:
        if valve is self._valves[UP]:
            source = Heard(source, lambda data: self._hear(pair, data))  # type: ignore[assignment]
        super()._pump(pair, valve, source, sink)

    def _hear(self, pair: Pair, data: bytes) -> None:
        if self._statement is not None and self._statement in data:
            self._statement, self._began = None, pair
        if self._began is pair and COMMIT in data:
            self._began = None
            self.hold(DOWN)
            self.silent.set()


class Heard:
    """A socket of which somebody else hears what was received before it goes on."""

    def __init__(self, real: socket.socket, hear: Callable[[bytes], None]) -> None:
        self._real = real
        self._hear = hear

    def recv(self, size: int) -> bytes:
        data = self._real.recv(size)
        self._hear(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
