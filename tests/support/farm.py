# SPDX-License-Identifier: GPL-2.0-or-later
"""A master and its workers as processes, with a wire between them and a diary of what ran."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import shutil
import tempfile
import threading
import traceback
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any
from typing import Callable
from unittest import TestCase

from demo.processes import MSGPACK
from demo.processes import PB
from demo.processes import Master
from demo.processes import Process
from demo.processes import Worker
from demo.processes import free_ports
from demo.processes import run
from support.diary import Diary
from support.diary import until
from support.drains import Drain
from support.proxy import Proxy

PROTOCOLS = {'pb': PB, 'msgpack': MSGPACK}
CONFIG = """\
import json
from buildbot.plugins import schedulers, steps, util, worker

WORKERS = {workers!r}
BUILDERS = {builders!r}
c = BuildmasterConfig = {{
    'title': 'farm',
    'workers': [worker.Worker(name, 'pw', missing_timeout=0, max_builds=4) for name in WORKERS],
    'protocols': {protocols!r},
    'builders': [
        util.BuilderConfig(
            name=name,
            workernames=WORKERS,
            collapseRequests=False,
            factory=util.BuildFactory([
                steps.ShellCommand(name='job', command={command!r}, logEnviron=False)
            ]),
        )
        for name in BUILDERS
    ],
    'schedulers': [schedulers.ForceScheduler(name='force', builderNames=BUILDERS)],
    'www': {{'port': 'tcp:{www}:interface=127.0.0.1'}},
    'db': {{'db_url': 'sqlite:///state.sqlite'}},
    'buildbotNetUsageData': None,
}}
"""
BALANCER = "c['services'] = [util.Balancer({arguments})]\n"
BLOCK = """\
import sys
from importlib import metadata


class Uninstalled:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition('.')[0] == 'buildbot_balancer':
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)


sys.meta_path.insert(0, Uninstalled)
installed = metadata.distributions
metadata.distributions = lambda **how: (
    one for one in installed(**how) if one.metadata['Name'] != 'buildbot-balancer'
)
"""


PRISTINE_LOCK = threading.Lock()


@functools.lru_cache(maxsize=1)
def pristine_master() -> Path:
    """Making a master's database takes a second: once for all tests is enough."""
    folder = Path(tempfile.mkdtemp(prefix='farm-pristine-'))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    run('buildbot', 'create-master', '-q', '-r', folder)
    return folder


class CopiedMaster(Master):
    def __init__(self, basedir: Path, config: str) -> None:
        Process.__init__(self, basedir, 'buildbot', 'start', '--nodaemon')
        with PRISTINE_LOCK:
            shutil.copytree(pristine_master(), basedir)
        self.configure(config)


class Farm:
    """`close` leaves nothing of it on the machine, however far it came."""

    def __init__(self, proto: str) -> None:
        self.proto = proto
        self._cleanups = contextlib.ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix=f'farm-{proto}-'))
        self._cleanups.callback(self._tidy_up)
        self.diary = Diary(self.folder / 'diary')
        self._cleanups.callback(self.diary.kill_all)
        self.port, self.www = free_ports(2)
        self.wires: dict[str, Proxy] = {}
        self.workers: dict[str, Worker] = {}

    def close(self) -> None:
        self._cleanups.close()

    def _keep(self, process: Process) -> None:
        self._cleanups.callback(process.stop)
        self._cleanups.callback(process.kill)  # no need to be polite: `stop` takes the rest

    def _tidy_up(self) -> None:
        if 'KEEP_FARM' not in os.environ:  # for whoever looks into a failure
            shutil.rmtree(self.folder, ignore_errors=True)

    def make_config(
        self,
        names: tuple[str, ...] = ('w1',),
        balancer: str | None = '',
        builders: tuple[str, ...] = ('b',),
        command: list[str] | None = None,
    ) -> str:
        """`balancer`: its arguments as text, None for a master without one."""
        port: Any = f'tcp:{self.port}:interface=127.0.0.1' if self.proto == 'pb' else self.port
        text = CONFIG.format(
            workers=list(names),
            builders=list(builders),
            protocols={PROTOCOLS[self.proto]: {'port': port}},
            command=command or self.diary.command,
            www=self.www,
        )
        if balancer is not None:
            text += BALANCER.format(arguments=balancer)
        return text

    def make_master(self, balancer: str | None = '', **more: Any) -> Master:
        self.master = CopiedMaster(
            self.folder / 'master', self.make_config(balancer=balancer, **more)
        )
        self._keep(self.master)
        return self.master

    def make_worker(self, name: str = 'w1', *, reporter: bool = True, wire: bool = True) -> Worker:
        port = self.port
        if wire:
            self.wires[name] = Proxy(self.port)
            self._cleanups.callback(self.wires[name].close)
            port = self.wires[name].port
        made = Worker(self.folder / name, name, port, PROTOCOLS[self.proto], reporter=reporter)
        self.workers[name] = made
        self._keep(made)
        return made

    def start(self, balancer: str | None = '', *, reporter: bool = True, **more: Any) -> None:
        """One worker, w1, on a running master; heard, if it has something to say."""
        self.make_master(balancer, **more)
        self.worker = self.make_worker(reporter=reporter)
        self.wire = self.wires['w1']
        self.master.start()
        self.worker.start()
        if reporter and balancer is not None:
            self.until_heard()

    def until_heard(self, worker: Worker | None = None) -> None:
        one = worker or self.worker
        until(
            lambda: self.status(one)['connected'],
            why=lambda: f'{self.status(one)}\n{one.log}',
            every=0.2,
        )

    @staticmethod
    def status(worker: Worker) -> dict[str, Any]:
        return dict(json.loads(worker.say('status', '--json', expect=None)))

    def drain(self, *more: str, timeout: float = 60, worker: Worker | None = None) -> Drain:
        made = Drain((worker or self.worker).basedir, self.diary, timeout, *more)
        self._cleanups.callback(made.end)
        return made

    def blocked(self) -> dict[str, str]:
        """The environment of a process in which the package cannot be imported."""
        folder = self.folder / 'blocked'
        folder.mkdir(exist_ok=True)
        (folder / 'sitecustomize.py').write_text(BLOCK)
        return {'PYTHONPATH': str(folder)}

    def call(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f'http://127.0.0.1:{self.www}/api/v2/{path}',
            data=None if body is None else json.dumps(body).encode(),
            headers={'Content-Type': 'application/json'},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - http, ours
            return dict(json.load(answer))

    def request(self, count: int = 1, builder: str = 'b') -> None:
        for _ in range(count):
            params = {'builderNames': [builder], 'owner': 'test', 'reason': 'test'}
            self.call(
                'forceschedulers/force',
                {'id': 1, 'jsonrpc': '2.0', 'method': 'force', 'params': params},
            )

    def pending(self) -> int:
        """How many requests have not been completed."""
        return len(self.call('buildrequests?complete=false')['buildrequests'])

    def unclaimed(self) -> int:
        return len(self.call('buildrequests?claimed=false&complete=false')['buildrequests'])

    def wait_for_master(self) -> None:
        def answers() -> bool:
            with contextlib.suppress(OSError, HTTPException):
                return bool(self.call('builders')['builders'])
            return False

        until(answers)


def on_both_protocols(test: Callable[[Any, Farm], None]) -> Callable[[Any], None]:
    """The test, at the same time on a farm that speaks PB and on one that speaks msgpack.

    Most of its time is waiting, so two cost little more than one. FARM_PROTO=pb takes only one.
    """

    @functools.wraps(test)
    def run_both(self: TestCase) -> None:
        protos = os.environ.get('FARM_PROTO', ' '.join(PROTOCOLS)).split()
        with ThreadPoolExecutor(len(protos)) as pool:
            going = {proto: pool.submit(run_one, self, proto) for proto in protos}
        failed = {proto: one.exception() for proto, one in going.items() if one.exception()}
        if failed:
            told = [
                f'on {proto}:\n' + ''.join(traceback.format_exception(type(e), e, e.__traceback__))
                for proto, e in failed.items()
                if e is not None
            ]
            raise AssertionError('\n'.join(told))

    def run_one(self: TestCase, proto: str) -> None:
        farm = Farm(proto)
        try:
            test(self, farm)
        finally:
            farm.close()

    del run_both.__wrapped__  # type: ignore[attr-defined]  # or pytest asks for a fixture "farm"
    return run_both
