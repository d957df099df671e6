# SPDX-License-Identifier: GPL-2.0-or-later
"""A worker in a process of its own: one that can be lost while its commands run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """\
import sys
from buildbot_worker.bot import Worker
from twisted.internet import reactor
from twisted.python import log

port, name, basedir, protocol = sys.argv[1:]
log.startLogging(sys.stdout)
worker = Worker('127.0.0.1', int(port), name, 'pw', basedir, False, protocol=protocol)
worker.startService()
reactor.run()
"""


class LoneWorker:
    def __init__(self, port: int, name: str, basedir: Path, protocol: str) -> None:
        basedir.mkdir(parents=True, exist_ok=True)
        with (basedir / 'twistd.log').open('ab') as log:
            self._process = subprocess.Popen(
                [sys.executable, '-c', PROGRAM, str(port), name, str(basedir), protocol],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """Nobody is told; its commands run on, as after a crash."""
        self._process.kill()
        self._process.wait()
