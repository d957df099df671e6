# SPDX-License-Identifier: GPL-2.0-or-later
"""Causes for which a request waits, each brought about on a real master and undone again."""

from __future__ import annotations

import time
from typing import Any

from buildbot.config import BuilderConfig
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import util
from buildbot.plugins import worker
from buildbot.process.factory import BuildFactory

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.policy.verdict import Verdict
from support.masters import HeldStep
from support.masters import MasterCase

DELAY = 3600.0  # seconds for which a request waits for reluctant workers
TIDE = 'tide'  # the name of the lock that is a stock one for each worker
HOST = 'host'
BRANCH = 'branch'
MASTER = 'master-wide'


class CausesCase(MasterCase):
    """Workers w1 and w2, h1 and h2 (which are in the wrong hours), and `side` for the rest."""

    proto = 'pb'

    async def begin(self) -> None:
        self.refused: set[str] = set()
        self.broken: set[str] = set()
        self.hour_from = time.time()
        self.tide = WorkerLock(TIDE)
        self.host = util.WorkerGroupLock(HOST)
        self.branch = util.BranchLock(BRANCH)
        self.wide = MasterLock(MASTER)
        names = ('w1', 'w2', 'h1', 'h2', 'side')
        await self.start(names=names, services=[self._balancer()])
        for name in names:  # whatever this machine does
            self._report_load(name, 0.0)
        await self.until(lambda: {self.balancer.standing(n).load for n in names} == {0.0})

    def make_config(self, names: tuple[str, ...], *_: Any, **more: Any) -> dict[str, Any]:
        config = super().make_config(names, **more)
        config['workers'] = [
            worker.Worker(name, 'pw', missing_timeout=0, max_builds=9 if name == 'side' else 2)
            for name in names
        ]
        locks = [lock.access('exclusive') for lock in (self.tide, self.host)]
        wide = [lock.access('exclusive') for lock in (self.branch, self.wide)]
        config['builders'] = [
            self._builder('b', ('w1', 'w2'), [*locks, *wide], canStartBuild=self._can_start),
            self._builder('late', ('h1', 'w2'), [*locks, *wide], canStartBuild=self._can_start),
            *(self._builder(f'fill{n}', ('w1', 'w2')) for n in (1, 2)),
            self._builder('ebb', ('w1', 'w2'), [locks[0]]),
            self._builder('guest', ('w1', 'w2'), [locks[1]]),
            self._builder('other', ('side',), [wide[0]]),
            self._builder('first', ('side',), [wide[1]]),
        ]
        return config

    def _builder(
        self, name: str, workers: tuple[str, ...], locks: Any = (), **more: Any
    ) -> BuilderConfig:
        return BuilderConfig(
            name=name,
            workernames=list(workers),
            factory=BuildFactory([HeldStep()]),
            locks=list(locks),
            collapseRequests=False,
            **more,
        )

    def _balancer(self) -> Any:
        strict = util.Policy(
            filters=[
                *util.default_filters(),
                util.MaxLoad(2.0, unknown='run'),
                util.Filter('fussy', self._fussy),
            ],
            reluctant_after=DELAY,
        )
        # a window that began an hour ago and ends in more than an hour, whatever the time is
        now = time.gmtime()
        start, end = (f'{(now.tm_hour + shift) % 24:02}:00' for shift in (0, 3))
        return util.Balancer(
            policies={'b': strict, 'late': strict},
            availability=[
                util.Availability('h*', windows=[util.Window('daily', start, end, timezone='UTC')])
            ],
        )

    def _can_start(self, builder: Any, wfb: Any, breq: Any) -> bool:
        return wfb.worker.workername not in self.refused

    def _fussy(self, request: Any, one: Any) -> Any:
        if one.name in self.broken:
            raise RuntimeError('no such luck')
        return Verdict.yes()

    # each cause: on, what is to be said of it, off

    async def on(self, cause: str, name: str) -> None:
        await getattr(self, f'_{cause.replace("-", "_")}')(name)

    async def off(self, cause: str, name: str) -> None:
        for step in [s for s in HeldStep.running if _concerns(s, cause, name)]:
            step.let_go()
        if cause in {'offline', 'reluctant', 'holiday'}:
            self.say(name)
            await self.until(lambda: self.mood(name) == 'eager')
        elif cause == 'paused':
            self.buildbot_worker(name).unpause()
        elif cause == 'quarantined':
            self.buildbot_worker(name).stopQuarantineTimer()
        elif cause == 'disconnected':
            await self.connect(name)
            await self.until(lambda: self.is_heard(name))
        if cause in {'disconnected', 'load'}:
            self._report_load(name, 0.0)
            await self.until(lambda: self.balancer.standing(name).load == 0.0)
        self.refused.discard(name)
        self.broken.discard(name)
        await self.until(lambda: not any(_concerns(s, cause, name) for s in self._building()))

    def _building(self) -> list[Any]:
        builds = [b for one in self.master.botmaster.builders.values() for b in one.building]
        return [step for build in builds for step in build.executedSteps]

    async def _build(self, builder: str, name: str) -> None:
        await self.request(builder, workername=name)
        await self.until(
            lambda: any(
                step.build.workername == name and step.build.builder.name == builder
                for step in HeldStep.running
            )
        )

    async def _busy(self, name: str) -> None:
        await self._build('fill1', name)
        await self._build('fill2', name)

    async def _offline(self, name: str) -> None:
        self.say(name, mood=Mood.OFFLINE, reason=f'{name} is mine', until=time.time() + 7200)
        await self.until(lambda: self.mood(name) == 'offline')

    async def _reluctant(self, name: str) -> None:
        self.say(name, mood=Mood.RELUCTANT, reason=f'using {name}')
        await self.until(lambda: self.mood(name) == 'reluctant')

    async def _holiday(self, name: str) -> None:
        await self._build('fill1', name)
        self.say(name, mood=Mood.GOING_ON_HOLIDAY, draining=True, reason=f'moving {name}')
        await self.until(lambda: self.mood(name) == 'going-on-holiday')

    async def _paused(self, name: str) -> None:
        self.buildbot_worker(name).pause(f'{name} is looked after')

    async def _quarantined(self, name: str) -> None:
        self.buildbot_worker(name).quarantine_timeout = 1000
        self.buildbot_worker(name).putInQuarantine()

    async def _disconnected(self, name: str) -> None:
        await self.disconnect(name)

    async def _load(self, name: str) -> None:
        self._report_load(name, 9.0)
        await self.until(lambda: self.balancer.standing(name).load == 9.0)

    def _report_load(self, name: str, load: float) -> None:
        reporter = self.reporters[name]
        reporter._sampler.sample = lambda now: {'load': load, 'own': 0.0, 'cpus': 2}
        reporter._beat()

    async def _stock_lock(self, name: str) -> None:
        await self._build('ebb', name)

    async def _group_lock(self, name: str) -> None:
        await self._build('guest', name)

    async def _can_start_build(self, name: str) -> None:
        self.refused.add(name)

    async def _policy_error(self, name: str) -> None:
        self.broken.add(name)

    async def _hour(self, name: str) -> None:
        """It is one of those whose hours these are not."""

    async def _branch_lock(self, name: str) -> None:
        await self._build('other', 'side')

    async def _master_lock(self, name: str) -> None:
        await self._build('first', 'side')


HOLDERS = {
    'busy': ('fill1', 'fill2'),
    'holiday': ('fill1',),
    'stock-lock': ('ebb',),
    'group-lock': ('guest',),
    'branch-lock': ('other',),
    'master-lock': ('first',),
}


def _concerns(step: Any, cause: str, name: str) -> bool:
    wide = cause in {'branch-lock', 'master-lock'}
    builder, where = step.build.builder.name, step.build.workername
    return builder in HOLDERS.get(cause, ()) and (wide or where == name)
