# SPDX-License-Identifier: GPL-2.0-or-later
"""Several real masters on one database file, in the test's own process, and what they tell."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from buildbot.config import BuilderConfig
from buildbot.plugins import worker
from buildbot.process.factory import BuildFactory
from buildbot.test.util.integration import TestedMaster
from buildbot.util import toJson
from buildbot_worker.bot import Worker
from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet import task

from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.reporter import attach
from support.masters import HeldStep
from support.masters import MasterCase


class Bridge:
    """Carries the events of each master to all others, as an mq that they share does."""

    def __init__(self) -> None:
        self.is_down = False
        self.carried: list[tuple[str, ...]] = []
        self._masters: list[Any] = []
        self._carrying = False

    async def add(self, master: Any) -> None:
        self._masters.append(master)
        for length in range(2, 8):

            def heard(key: tuple[str, ...], message: Any, origin: Any = master) -> None:
                self._carry(origin, key, message)

            await master.mq.startConsuming(heard, (None,) * length)

    def remove(self, master: Any) -> None:
        self._masters.remove(master)

    def _carry(self, origin: Any, key: tuple[str, ...], message: Any) -> None:
        if self._carrying or self.is_down:
            return
        text = json.dumps(message, default=toJson)
        self.carried.append(key)
        self._carrying = True
        try:
            for master in self._masters:
                if master is not origin:
                    master.mq.produce(key, json.loads(text))
        finally:
            self._carrying = False


class SeveralMasters(MasterCase):
    """`masters[0]` is the first that was begun."""

    proto = 'null'
    timeout = 120

    def setUp(self) -> None:
        super().setUp()
        self.bridge = Bridge()
        self.tested: list[TestedMaster] = []
        self.masters: list[Any] = []
        self.file = Path(tempfile.mkdtemp())  # short, for a master is called after its folder
        self.addCleanup(shutil.rmtree, self.file)

    async def begin(
        self,
        builders: dict[str, tuple[str, ...]],
        here: tuple[str, ...],
        elsewhere: tuple[str, ...] = (),
        services: list[Any] | None = None,
        **more: Any,
    ) -> Any:
        """Another master; the workers `here` are connected to it."""
        config = {
            'workers': [
                *(worker.LocalWorker(name, missing_timeout=0) for name in here),
                *(worker.Worker(name, 'pw', missing_timeout=0) for name in elsewhere),
            ],
            'protocols': {'null': {}, 'pb': {'port': 'tcp:0:interface=127.0.0.1'}},
            'builders': [
                BuilderConfig(
                    name=name,
                    workernames=list(places),
                    factory=BuildFactory([HeldStep()]),
                    collapseRequests=False,
                )
                for name, places in builders.items()
            ],
            'multiMaster': True,
            'buildbotNetUsageData': None,
            'db_url': f'sqlite:///{self.file}/state.sqlite',
            'services': [Balancer()] if services is None else services,
            **more,
        }
        tested = TestedMaster()
        basedir = str(self.file / f'm{len(self.tested)}')
        stop = mock.Mock()
        self.patch(reactor, 'stop', stop)  # by which Buildbot says that it cannot start
        master = await tested.create_master(self, reactor, config, basedir=basedir)
        self.assertFalse(stop.called, 'the master has not started')
        self.tested.append(tested)
        self.masters.append(master)
        self.master = self.masters[0]
        await self.bridge.add(master)
        await self.until(lambda: all(self._is_there(master, name) for name in here))
        return master

    async def attach_to(self, master: Any, name: str) -> None:
        """A worker with its reporter, over the network."""
        (dispatcher,) = master.pbmanager.dispatchers.values()
        folder = self.worker_dir(name)
        folder.mkdir(exist_ok=True)
        port = dispatcher.port.getHost().port
        made = Worker('127.0.0.1', port, name, 'pw', str(folder), False, protocol='pb')
        self.workers[name] = made
        self.reporters[name] = attach(made, interval=10.0)
        made.setServiceParent(master)
        await self.until(lambda: self._is_there(master, name))

    async def detach(self, name: str) -> None:
        await defer.maybeDeferred(self.workers.pop(name).disownServiceParent)
        made = [m.workers.workers[name] for m in self.masters]
        await self.until(lambda: all(one.conn is None for one in made))

    def worker_dir(self, name: str) -> Path:
        return self.file / f'worker-{name}'

    async def end(self, master: Any) -> None:
        """As at a shutdown."""
        self.bridge.remove(master)
        await self.tested[self.masters.index(master)].shutdown()

    @staticmethod
    def _is_there(master: Any, name: str) -> bool:
        made = master.workers.workers[name]
        builders = master.botmaster.getBuildersForWorker(name)
        return made.conn is not None and all(
            any(wfb.worker is made for wfb in builder.workers) for builder in builders
        )

    def balancer_of(self, master: Any) -> Any:
        return master.service_manager.namedServices['balancer']

    def neighbours_of(self, master: Any) -> Any:
        return self.balancer_of(master)._parts.neighbours

    def control_of(self, master: Any) -> Any:
        return self.balancer_of(master).control

    def worker_id(self, name: str) -> int:
        return next(
            m.workers.workers[name].workerid for m in self.masters if name in m.workers.workers
        )

    def mood_of(self, master: Any, name: str) -> str:
        return str(self.balancer_of(master).standing(name).mood.label)

    async def get(self, master: Any, *path: Any) -> Any:
        return await master.data.get(('balancer', *map(str, path)))

    async def publish(self, master: Any) -> None:
        """What it sees at this moment, and nobody has looked at it yet."""
        await self.neighbours_of(master)._published._publish()
        for one in self.masters:
            if one.running:
                self.neighbours_of(one)._seen._looked_at = float('-inf')

    async def request_of(self, master: Any, builder: str = 'b', **properties: Any) -> int:
        before, self.master = self.master, master
        try:
            return await self.request(builder, **properties)
        finally:
            self.master = before

    @contextlib.contextmanager
    def lost_messages(self) -> Iterator[None]:
        self.bridge.is_down = True
        try:
            yield
        finally:
            self.bridge.is_down = False

    async def soon(self, true: Any, seconds: float = 60) -> None:
        """As `until`, for what is asked of the database."""
        for _ in range(int(seconds / 0.05)):
            if await true():
                return
            await task.deferLater(reactor, 0.05)
        raise AssertionError(f'it did not happen within {seconds} s')
