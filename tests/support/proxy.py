# SPDX-License-Identifier: GPL-2.0-or-later
"""A wire between a worker and its master that a test can cut, or stop while it stays up."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

RESET = struct.pack('ii', 1, 0)  # SO_LINGER: on, no time
UP = 'up'  # from the worker to the master
DOWN = 'down'


class Valve:
    """One direction of all connections."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.lossy = False
        self.delay = 0.0


class Pair:
    """The two ends of one connection, and who carries its bytes."""

    def __init__(self, worker: socket.socket, master: socket.socket) -> None:
        self.ends = (worker, master)
        self.dead = False
        self.threads: list[threading.Thread] = []


class Proxy:
    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._pairs: list[Pair] = []
        self._valves = {UP: Valve(), DOWN: Valve()}
        self._refuses = False
        self._closed = False
        self._listener = socket.socket()
        self._listener.bind(('127.0.0.1', 0))
        self._listener.listen(16)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self._closed:
            try:
                worker, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                _reset(worker)
                continue
            try:
                master = socket.create_connection(('127.0.0.1', self._target), timeout=5)
            except OSError:
                _reset(worker)
                continue
            master.settimeout(None)
            pair = Pair(worker, master)
            for way, source, sink in ((UP, worker, master), (DOWN, master, worker)):
                pair.threads.append(
                    threading.Thread(
                        target=self._pump, args=(pair, self._valves[way], source, sink), daemon=True
                    )
                )
            with self._lock:
                self._pairs.append(pair)
            for thread in pair.threads:
                thread.start()

    def _pump(self, pair: Pair, valve: Valve, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if valve.lossy:
                    continue
                if valve.delay:
                    time.sleep(valve.delay)
                self._pass(pair, valve)
                if pair.dead:
                    return
                sink.sendall(data)
        self._pass(pair, valve)
        if pair.dead or valve.lossy:
            return
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)  # a polite end is passed on; `cut` closes later

    @staticmethod
    def _pass(pair: Pair, valve: Valve) -> None:
        while not valve.open.wait(0.05) and not pair.dead:
            pass

    def cut(self) -> None:
        """Every connection ends with a RST on both sides; new ones are welcome."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.dead = True
            for one in pair.ends:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RD)  # wakes the thread that reads it
            for thread in pair.threads:  # nobody may use a descriptor that is closed
                with contextlib.suppress(RuntimeError):  # not yet started
                    thread.join(2)
            for one in pair.ends:
                _reset(one)

    def refuse(self) -> None:
        """Cuts, and takes no new connection until `heal`."""
        self._refuses = True
        self.cut()

    def hold(self, *ways: str) -> None:
        """What is sent waits in the wire, in its order, until `release`."""
        for way in ways or (UP, DOWN):
            self._valves[way].open.clear()

    def release(self, *ways: str) -> None:
        for way in ways or (UP, DOWN):
            self._valves[way].open.set()

    def slow_down(self, seconds: float) -> None:
        """Whatever is sent arrives later by this."""
        for valve in self._valves.values():
            valve.delay = seconds

    def swallow(self, *ways: str) -> None:
        """What is sent is lost, and neither side is told; only `heal` ends that."""
        for way in ways or (UP, DOWN):
            self._valves[way].lossy = True

    def heal(self) -> None:
        """As new; a connection that has lost something is of no more use."""
        self.cut()
        self._refuses = False
        for valve in self._valves.values():
            valve.lossy = False
            valve.delay = 0.0
            valve.open.set()

    def close(self) -> None:
        self._closed = True
        self._refuses = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for valve in self._valves.values():
            valve.lossy = True
            valve.open.set()
        self.cut()


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    one.close()
