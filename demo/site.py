# SPDX-License-Identifier: GPL-2.0-or-later
"""Site: one folder with a master, its workers and the repository; leaves nothing behind."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from demo import recipe
from demo import repository
from demo.api import Api
from demo.decision import Decisions
from demo.drain import Drain
from demo.errors import DemoError
from demo.processes import MSGPACK
from demo.processes import PB
from demo.processes import Master
from demo.processes import Process
from demo.processes import ProcessError
from demo.processes import Worker
from demo.processes import free_ports
from demo.stop import Stop

PROTOCOLS = {'anna': PB, 'ben': MSGPACK, 'cleo': PB, 'dan': MSGPACK}
PREFIX = 'buildbot-balancer-demo-'
PATIENCE = 60.0  # seconds that a master may take until it runs
STOP_PATIENCE = (
    3.0  # seconds; a master may wait for ever for a worker that it lost while greeting it
)
TAIL = 15  # lines of a log that are shown
_TAKEN = re.compile(r"Couldn't listen on \S+?:(\d+)")


class Site:
    """`start` may fail or be stopped anywhere; `close` ends whatever there is by then."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._processes: list[Process] = []
        self._drains: list[Drain] = []
        self.ports = recipe.Ports(*free_ports(3))
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.workers: dict[str, Worker] = {}
        self.url = f'http://127.0.0.1:{self.ports.www}/'
        self.api = Api(self.url)
        self.decisions = Decisions(self.folder / 'master' / 'twistd.log')

    def start(self) -> None:
        """Until the master runs and its workers have been launched; raises DemoError."""
        source = self.folder / 'project'
        repository.make(source)
        try:
            self._create(recipe.config(self.ports, PROTOCOLS, source))
        except ProcessError as e:
            self._stop.check()  # Ctrl-C ends what is being created, too
            raise DemoError(str(e)) from e
        self.master.launch()
        self._stop.until(self._runs, PATIENCE, f'The master did not start within {PATIENCE:g} s.')
        for worker in self.workers.values():
            worker.start(wait=False)

    def _create(self, config: str) -> None:
        with ThreadPoolExecutor(max_workers=3) as pool:
            try:
                master = pool.submit(Master, self.folder / 'master', config)
                workers = {
                    name: pool.submit(self._create_worker, name, protocol)
                    for name, protocol in PROTOCOLS.items()
                }
                while not all([master.done(), *(one.done() for one in workers.values())]):
                    self._stop.nap()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        self.master = master.result()
        self.workers = {name: worker.result() for name, worker in workers.items()}
        self._processes = [*self.workers.values(), self.master]

    def _create_worker(self, name: str, protocol: str) -> Worker:
        port = self.ports.pb if protocol == PB else self.ports.msgpack
        return Worker(self.folder / name, name, port, protocol)

    def _runs(self) -> bool:
        log = self.master.log
        taken = _TAKEN.search(log)
        if taken is not None:
            raise DemoError(
                f'The master did not start: port {taken[1]} was free and has just been taken '
                'by another program. Try again.'
            )
        if 'BuildMaster startup failed' in log or not self.master.alive():
            raise DemoError(f'The master did not start. {self.end_of_log(self.master)}')
        return 'BuildMaster is running' in log

    def check(self) -> None:
        """Raises DemoError where something that should run has ended."""
        for process in self._processes:
            if not process.alive():
                raise DemoError(
                    f'The process of {process.basedir.name} has ended. {self.end_of_log(process)}'
                )

    @staticmethod
    def end_of_log(process: Process) -> str:
        said = process.log
        with contextlib.suppress(OSError):
            said = said or (process.basedir / 'output.txt').read_text(errors='replace')
        lines = '\n'.join(said.splitlines()[-TAIL:])
        return f'The end of its log:\n{lines}' if lines else 'Its log is empty.'

    def drain(self, name: str, *options: str) -> Drain:
        started = Drain(self.folder / name, *options)
        self._drains.append(started)
        return started

    def close(self) -> None:
        for drain in self._drains:
            drain.stop()
        if self._processes:
            with ThreadPoolExecutor(max_workers=len(self._processes)) as pool:
                for one in [pool.submit(p.stop, STOP_PATIENCE) for p in self._processes]:
                    one.exception()
        shutil.rmtree(self.folder, ignore_errors=True)
