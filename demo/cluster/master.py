# SPDX-License-Identifier: GPL-2.0-or-later
"""Master: one of several on one database."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Callable

from demo.cluster.api import Api
from demo.processes import START_TIMEOUT
from demo.processes import Process
from demo.processes import ProcessError
from demo.processes import free_ports
from demo.processes import run

RUNS = 'BuildMaster is running'
TAKEN = "Couldn't listen on"
TRIES = 3  # a port that was free may be taken by somebody else


def make(folder: Path, names: list[str], database: str) -> None:
    """Their folders, and Buildbot's tables in their database."""
    first, *others = names
    where = f'--db={database}'
    run('buildbot', 'create-master', '-q', '-r', where, folder / first, timeout=START_TIMEOUT)
    for name in others:
        shutil.copytree(folder / first, folder / name)


class Master(Process):
    """`config` gives its master.cfg for its ports, which it keeps over a kill and a start."""

    def __init__(self, basedir: Path, config: Callable[[int, int], str]) -> None:
        super().__init__(basedir, 'buildbot', 'start', '--nodaemon')
        self.name = basedir.name
        self.config = config
        self.environment: dict[str, str] = {}
        self.pb = self.www = 0
        self._begun = 0

    @property
    def api(self) -> Api:
        return Api(self.name, f'http://127.0.0.1:{self.www}/')

    def begin(self) -> None:
        """Does not wait until it runs, as `start` does."""
        if not self.pb:
            self.pb, self.www = free_ports(2)
        (self.basedir / 'master.cfg').write_text(self.config(self.pb, self.www))
        self._begun = len(self.log)
        self.launch(**self.environment)

    def until_it_runs(self) -> None:
        """After `begin`."""
        for left in reversed(range(TRIES)):
            try:
                return self.wait_for_log(RUNS, after=self._begun)
            except ProcessError:
                if not left or TAKEN not in self.log[self._begun :]:
                    raise
            self.stop()
            self.pb = 0
            self.begin()

    def start(self) -> None:
        self.begin()
        self.until_it_runs()
