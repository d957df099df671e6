# SPDX-License-Identifier: GPL-2.0-or-later
"""Site: a real master in this process, with a database file and workers in name only."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from typing import Callable

from buildbot.config import BuilderConfig
from buildbot.config.master import MasterConfig
from buildbot.interfaces import IConfigLoader
from buildbot.master import BuildMaster
from buildbot.plugins import util
from buildbot.plugins import worker
from twisted.internet import defer
from twisted.internet import task
from zope.interface import implementer

from benchmarks import connection
from benchmarks.build import IdleFactory
from benchmarks.calls import Calls
from benchmarks.journal import Journal
from benchmarks.plan import BALANCER
from benchmarks.plan import Plan

QUIET = 0.5  # seconds without a question to the database


@implementer(IConfigLoader)
class _Given:
    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def loadConfig(self) -> MasterConfig:
        return MasterConfig.loadFromDict(self._values, 'benchmark')


class Site:
    """`duration()` is asked how long each build takes."""

    def __init__(
        self, plan: Plan, folder: Path, reactor: Any, duration: Callable[[], float]
    ) -> None:
        self.plan = plan
        self.reactor = reactor
        self.journal = Journal(time.perf_counter)
        self._url = f'sqlite:///{folder / "state.sqlite"}'
        loader = _Given(self._config(duration))
        self.master = BuildMaster(str(folder), reactor=reactor, config_loader=loader)

    def _config(self, duration: Callable[[], float]) -> dict[str, Any]:
        size = self.plan.size
        factory = IdleFactory(self.journal, duration)
        return {
            'workers': [
                worker.Worker(name, 'pw', missing_timeout=0, max_builds=1)
                for name in size.worker_names()
            ],
            'builders': [
                BuilderConfig(
                    name=name,
                    workernames=size.workers_of(number),
                    factory=factory,
                    collapseRequests=False,
                )
                for number, name in enumerate(size.builder_names())
            ],
            'services': [util.Balancer()] if self.plan.side == BALANCER else [],
            'protocols': {'null': {}},
            'db': {'db_url': self._url},
            'multiMaster': True,  # a master without schedulers
            'buildbotNetUsageData': None,
        }

    async def open_database(self) -> None:
        self.master.config.db.db_url = self._url
        await self.master.db.setup(check_version=False)

    async def start(self) -> None:
        """All of it, but for the workers."""
        master = self.master
        await self.open_database()
        master.db.setup = lambda: None  # the master's own start would do it again
        self.calls = Calls(master.db.pool)
        await master.startService()
        if not master.running:
            raise RuntimeError('the master did not start; its log says why')
        await self.settle()

    async def connect(self) -> None:
        """All workers are there, idle, and nobody has been told."""
        await connection.connect(self.master)
        await self.settle()
        await connection.give_places(self.master)

    def wake(self) -> None:
        """Tells the distributor about all builders, as Buildbot does after a reconfig."""
        self.master.botmaster.maybeStartBuildsForAllBuilders()

    async def settle(self) -> None:
        """Until nothing has been asked of the database for a while."""
        since, made = self.journal.now(), self.calls.made
        while self.journal.now() - since < QUIET:
            await self.sleep(QUIET / 10)
            if self.calls.made != made or self.calls.open:
                since, made = self.journal.now(), self.calls.made

    async def until(self, count: int) -> bool:
        """False where there were fewer starts within the plan's seconds."""
        reached = self.journal.until(count)
        reached.addTimeout(self.plan.seconds, self.reactor)
        try:
            await reached
        except defer.TimeoutError:
            return False
        return True

    async def sleep(self, seconds: float) -> None:
        await task.deferLater(self.reactor, seconds)
