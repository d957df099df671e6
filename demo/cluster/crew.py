# SPDX-License-Identifier: GPL-2.0-or-later
"""Crew: several workers in one process, each connected to a master of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from demo.processes import Process

TAC = """\
from pathlib import Path

from buildbot_worker.bot import Worker
from twisted.application import service
from twisted.python.log import FileLogObserver
from twisted.python.log import ILogObserver

folder = Path({folder!r})
application = service.Application('buildbot-worker')
log = (folder / 'twistd.log').open('a', buffering=1)
application.setComponent(ILogObserver, FileLogObserver(log).emit)
for name, port in {ports!r}.items():
    (folder / name).mkdir(exist_ok=True)
    one = Worker('127.0.0.1', port, name, 'pw', str(folder / name), 600)
    if {reporters!r}:
        from buildbot_balancer.reporter import attach
        attach(one)
    one.setServiceParent(application)
"""


class Crew(Process):
    def __init__(self, basedir: Path, ports: Mapping[str, int], *, reporters: bool = False) -> None:
        """`ports`: of the master of each worker, by the worker's name."""
        basedir.mkdir()
        super().__init__(basedir, 'buildbot-worker', 'start', '--nodaemon')
        self._ports = dict(ports)
        text = TAC.format(folder=str(basedir), ports=self._ports, reporters=reporters)
        (basedir / 'buildbot.tac').write_text(text)

    def start(self) -> None:
        self.launch()

    @property
    def names(self) -> list[str]:
        return list(self._ports)
