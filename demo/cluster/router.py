# SPDX-License-Identifier: GPL-2.0-or-later
"""Router: Crossbar.io, which carries messages between the masters."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

from demo.cluster import tools
from demo.processes import START_TIMEOUT
from demo.processes import Process
from demo.processes import ProcessError
from demo.processes import free_ports

REALM = 'buildbot'
ALL = {'call': True, 'register': True, 'publish': True, 'subscribe': True}
TRIES = 3  # a port that was free may be taken by somebody else


class Router(Process):
    """`port` is the same after a stop and a start."""

    def __init__(self, basedir: Path) -> None:
        program = tools.crossbar()
        if program is None:
            raise ProcessError(tools.problem())
        basedir.mkdir()
        super().__init__(basedir, str(program), 'start', '--cbdir')
        self.port = 0

    @property
    def url(self) -> str:
        return f'ws://127.0.0.1:{self.port}/ws'

    @property
    def log(self) -> str:
        try:
            return (self.basedir / 'output.txt').read_text(errors='replace')
        except FileNotFoundError:
            return ''

    def start(self) -> None:
        if self.port:
            return self._start()
        for _ in range(TRIES - 1):
            (self.port,) = free_ports(1)
            try:
                return self._start()
            except ProcessError:
                self.stop()
        (self.port,) = free_ports(1)
        return self._start()

    def stop(self, patience: float = 0.0) -> None:
        """It has nothing to put away, and takes seconds for it."""
        self.kill()
        super().stop(patience)

    def _start(self) -> None:
        (self.basedir / 'config.json').write_text(json.dumps(_config(self.port)))
        (self.basedir / 'node.pid').unlink(missing_ok=True)  # left by a kill
        self.launch()
        end = time.monotonic() + START_TIMEOUT
        while not _answers(self.port):
            if not self.alive() or time.monotonic() > end:
                raise ProcessError(f'Crossbar.io did not start:\n{self.log[-2000:]}')
            time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(('127.0.0.1', port), timeout=5).close()
    except OSError:
        return False
    return True


def _config(port: int) -> dict[str, object]:
    role = {
        'name': 'anonymous',
        'permissions': [
            {
                'uri': '',
                'match': 'prefix',
                'allow': ALL,
                'disclose': {'caller': False, 'publisher': False},
                'cache': True,
            }
        ],
    }
    transport = {
        'type': 'websocket',
        'endpoint': {'type': 'tcp', 'port': port, 'interface': '127.0.0.1'},
        'serializers': ['json', 'msgpack'],
    }
    worker = {
        'type': 'router',
        'realms': [{'name': REALM, 'roles': [role]}],
        'transports': [transport],
    }
    return {'version': 2, 'controller': {}, 'workers': [worker]}
