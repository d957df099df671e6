# SPDX-License-Identifier: GPL-2.0-or-later
"""A real master with real workers in the test's own process."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any
from typing import Callable
from typing import ClassVar

from buildbot.config import BuilderConfig
from buildbot.plugins import worker
from buildbot.process.buildstep import BuildStep
from buildbot.process.buildstep import BuildStepCancelled
from buildbot.process.factory import BuildFactory
from buildbot.process.results import SUCCESS
from buildbot.test.util.integration import RunMasterBase
from buildbot_worker.bot import Worker
from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet import task
from twisted.spread import pb

from buildbot_balancer.reporter import attach
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.reporter import Reporter
from buildbot_balancer.reporter.word import Word

PROTOCOLS = {'pb': 'pb', 'msgpack': 'msgpack_experimental_v7'}
MSGPACK = PROTOCOLS['msgpack']
# Buildbot logs them of a step that is stopped before it has a row, and of a worker cut off
AT_THE_END = (BuildStepCancelled, pb.PBConnectionLost)


class HeldStep(BuildStep):
    """Runs until the test lets it go."""

    name = 'held'
    running: ClassVar[list[HeldStep]] = []

    def run(self) -> defer.Deferred[int]:
        self._done: defer.Deferred[int] = defer.Deferred()
        HeldStep.running.append(self)
        return self._done

    def let_go(self, results: int = SUCCESS) -> None:
        # by identity: Buildbot compares steps by their arguments
        others = [step for step in HeldStep.running if step is not self]
        if len(others) < len(HeldStep.running):
            HeldStep.running = others
            self._done.callback(results)

    def interrupt(self, reason: Any) -> Any:
        result = super().interrupt(reason)
        self.let_go(6)  # CANCELLED
        return result


class MasterCase(RunMasterBase):
    """`proto` is pb, msgpack or null, as in Buildbot's own cases."""

    proto = 'pb'
    timeout = 240  # bounds a failure; a machine that is busy may stall a test for long

    def setUp(self) -> None:
        self._errors_said: set[type[BaseException]] = set(AT_THE_END)
        self.addCleanup(self._forget_errors_of_the_end)  # the first is done last
        HeldStep.running = []
        self.workers: dict[str, Any] = {}
        self.reporters: dict[str, Reporter] = {}

    def flushLoggedErrors(self, *types: type[BaseException]) -> list[Any]:
        self._errors_said.update(types)
        return list(super().flushLoggedErrors(*types))

    def _forget_errors_of_the_end(self) -> None:
        """What the end of the master interrupts, and what a last look says once more."""
        super().flushLoggedErrors(*self._errors_said)

    async def start(
        self,
        names: tuple[str, ...] = ('w1', 'w2'),
        steps: Callable[[], list[Any]] | None = None,
        builders: dict[str, tuple[str, ...]] | None = None,
        connect: bool = True,
        **more: Any,
    ) -> None:
        """A master with these workers configured and, unless told otherwise, connected."""
        self.config = self.make_config(names, steps, builders, **more)
        self.basedir = os.path.abspath(self.mktemp())
        await self.setup_master(self.config, startWorker=False, basedir=self.basedir)
        if not connect or self.proto == 'null':
            return
        for name in names:
            await self.connect(name)
        for name in names:
            await self.until(lambda name=name: self.is_heard(name))

    def make_config(
        self,
        names: tuple[str, ...],
        steps: Callable[[], list[Any]] | None = None,
        builders: dict[str, tuple[str, ...]] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        make_worker = worker.LocalWorker if self.proto == 'null' else worker.Worker
        password = {} if self.proto == 'null' else {'password': 'pw'}
        configured = builders or {'b': names}
        builder_more = more.pop('builder', {})
        return {
            'workers': [make_worker(name, missing_timeout=0, **password) for name in names],
            'protocols': {
                'pb': {'pb': {'port': 'tcp:0:interface=127.0.0.1'}},
                'msgpack': {MSGPACK: {'port': 0}},
                'null': {'null': {}},
            }[self.proto],
            'builders': [
                BuilderConfig(
                    name=name,
                    workernames=list(places),
                    factory=BuildFactory(steps() if steps else [HeldStep()]),
                    collapseRequests=False,
                    **builder_more,
                )
                for name, places in configured.items()
            ],
            'multiMaster': True,
            'buildbotNetUsageData': None,
            **more,
        }

    @property
    def port(self) -> int:
        manager = self.master.pbmanager if self.proto == 'pb' else self.master.msgmanager
        dispatcher = next(iter(manager.dispatchers.values()))
        if self.proto == 'msgpack':
            dispatcher.serverFactory.setProtocolOptions(closeHandshakeTimeout=0)
        return dispatcher.port.getHost().port

    def worker_dir(self, name: str) -> Path:
        if self.proto == 'null':
            return Path(self.basedir) / 'workers' / name
        return Path(self.basedir).parent / f'worker-{name}'

    async def connect(self, name: str, reporter: bool = True, interval: float = 10.0) -> Any:
        """A worker as its buildbot.tac would make it."""
        folder = self.worker_dir(name)
        folder.mkdir(parents=True, exist_ok=True)
        made = Worker(
            '127.0.0.1', self.port, name, 'pw', str(folder), False, protocol=PROTOCOLS[self.proto]
        )
        self.workers[name] = made
        if reporter:
            self.reporters[name] = attach(made, interval=interval)
        made.setServiceParent(self.master)
        await self.until(lambda: self.is_attached(name))
        return made

    async def disconnect(self, name: str) -> None:
        await defer.maybeDeferred(self.workers.pop(name).disownServiceParent)
        await self.until(lambda: not self.is_connected(name))

    def buildbot_worker(self, name: str) -> Any:
        return self.master.workers.workers[name]

    def is_connected(self, name: str) -> bool:
        return self.buildbot_worker(name).conn is not None

    def is_attached(self, name: str) -> bool:
        """Every builder that has this worker may use it."""
        made = self.buildbot_worker(name)
        builders = self.master.botmaster.getBuildersForWorker(name)
        return self.is_connected(name) and all(
            any(wfb.worker is made for wfb in builder.workers) for builder in builders
        )

    @property
    def balancer(self) -> Any:
        return self.master.service_manager.namedServices.get('balancer')

    def is_heard(self, name: str) -> bool:
        standing = self.balancer and self.balancer.standing(name)
        return bool(standing and standing.fresh and not standing.held)

    def mood(self, name: str) -> str:
        return self.balancer.standing(name).mood.label

    def say(self, name: str, **said: Any) -> None:
        """What the owner's command line would write."""
        word.save(self.worker_dir(name), Word(id=word.new_id(), **said))

    async def until(self, true: Callable[[], Any], seconds: float = 90, why: str = '') -> None:
        """Waits for a condition; `seconds` bounds a failure, it is no expectation."""
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise AssertionError(f'it did not happen within {seconds} s {why}')
            await task.deferLater(reactor, 0.02)

    async def request(self, builder: str = 'b', priority: int = 0, **properties: Any) -> int:
        builderid = await self.master.data.updates.findBuilderId(builder)
        _, brids = await self.master.data.updates.addBuildset(
            waited_for=False,
            builderids=[builderid],
            priority=priority,
            sourcestamps=[{'codebase': '', 'branch': 'main', 'repository': '', 'project': ''}],
            properties={name: (value, 'test') for name, value in properties.items()},
        )
        return int(brids[builderid])

    async def builds(self) -> list[dict[str, Any]]:
        return list(await self.master.data.get(('builds',)))

    async def where(self) -> dict[int, str]:
        """The worker's name of each build, by request."""
        names = {w.workerid: name for name, w in self.master.workers.workers.items()}
        return {b['buildrequestid']: names[b['workerid']] for b in await self.builds()}

    async def started(self, count: int) -> None:
        await self.until(lambda: len(HeldStep.running) >= count, why=f'{HeldStep.running}')

    def let_all_go(self) -> None:
        for step in list(HeldStep.running):
            step.let_go()

    async def stays(self, true: Callable[[], Any], seconds: float = 0.6) -> None:
        """For what must not happen: long enough for every wake there is."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert true()
            await task.deferLater(reactor, 0.05)
