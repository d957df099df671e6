# SPDX-License-Identifier: GPL-2.0-or-later
"""Scorers that learn, on a real master: its events, its database, its builds."""

from __future__ import annotations

from typing import Any
from typing import ClassVar

from buildbot.process.buildstep import BuildStep
from buildbot.process.results import SUCCESS
from buildbot.util.twisted import async_to_deferred
from support.masters import MasterCase
from twisted.internet import reactor
from twisted.internet import task

from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.policy.affinity import Affinity
from buildbot_balancer.policy.fastest import FastestFirst
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import SourceView
from buildbot_balancer.policy.views import WorkerView


class Work(BuildStep):
    """Takes as long as its worker needs; Buildbot's own figures are whole seconds."""

    name = 'work'
    needs: ClassVar[dict[str, float]] = {}

    async def run(self) -> int:
        await task.deferLater(reactor, self.needs.get(self.worker.workername, 0.0))
        return SUCCESS


def opinion(scorer: Any, worker: str) -> Any:
    request = RequestView(id=0, builder='b', sources=(SourceView(branch='main'),))
    return scorer.score(request, WorkerView(name=worker), 0.0)


class Experience(MasterCase):
    proto = 'null'

    def setUp(self) -> None:
        super().setUp()
        self.slow, self.fast = 'w1', 'w2'
        Work.needs = {self.slow: 3.0}

    async def start_with(self, *scorers: Any, names: tuple[str, ...] = ('w1', 'w2')) -> None:
        await self.start(names, lambda: [Work()], services=[self.balancer_with(*scorers)])

    def balancer_with(self, *scorers: Any) -> Balancer:
        return Balancer(policy=Policy(scorers=[(scorer, 1) for scorer in scorers]))

    async def reconfig(self, *services: Any) -> None:
        self.config['services'] = list(services)
        self.master.config_loader.config_dict = self.config
        await self.master.reconfig()

    async def build(self, count: int = 1, **properties: Any) -> list[str]:
        """Where they ran, one after the other."""
        names = []
        for _ in range(count):
            request = await self.request(**properties)
            await self.over(request)
            names.append((await self.where())[request])
        return names

    async def over(self, request: int) -> None:
        while not (await self.master.data.get(('buildrequests', request)))['complete']:
            await task.deferLater(reactor, 0.02)

    async def teach(self, scorer: FastestFirst) -> None:
        """One build on each."""
        await self.build(workername=self.slow)
        await self.build(workername=self.fast)
        await self.knows(scorer)

    async def knows(self, scorer: FastestFirst) -> None:
        def known() -> bool:
            slow, fast = opinion(scorer, self.slow), opinion(scorer, self.fast)
            return slow is not None and fast is not None and slow < fast

        await self.until(known)

    @async_to_deferred
    async def test_the_worker_that_was_faster_is_chosen(self) -> None:
        scorer = FastestFirst(probe_every=None)
        await self.start_with(scorer)
        await self.teach(scorer)
        self.assertEqual(opinion(scorer, self.fast), 100)
        self.assertEqual(await self.build(4), [self.fast] * 4)

    @async_to_deferred
    async def test_now_and_then_the_slow_one_gets_a_build_to_show_what_it_can(self) -> None:
        scorer = FastestFirst(probe_every=3)
        await self.start_with(scorer)
        await self.teach(scorer)
        Work.needs = {}  # somebody has repaired it
        before = opinion(scorer, self.slow)
        names = await self.build(4)  # the third to the sixth build of this builder
        self.assertEqual(names, [self.fast] * 3 + [self.slow])
        await self.until(lambda: opinion(scorer, self.slow) > before)

    @async_to_deferred
    async def test_the_worker_whose_checkout_of_the_branch_is_warm_is_chosen(self) -> None:
        scorer = Affinity()
        Work.needs = {}
        await self.start_with(scorer, names=('w1', 'w2', 'w3'))
        for warm in ('w3', 'w1'):
            await self.build(workername=warm)
            await self.until(lambda warm=warm: opinion(scorer, warm) == 100)
            self.assertEqual(await self.build(4), [warm] * 4)
        other = RequestView(id=0, builder='b', sources=(SourceView(branch='other'),))
        self.assertIsNone(scorer.score(other, WorkerView(name='w1'), 0.0))

    @async_to_deferred
    async def test_a_balancer_that_starts_anew_knows_what_the_database_knows(self) -> None:
        scorer = FastestFirst(probe_every=None)
        await self.start_with(scorer)
        await self.teach(scorer)
        await self.reconfig()
        self.assertIsNone(self.balancer)
        fastest, affinity = FastestFirst(probe_every=None), Affinity()
        self.assertIsNone(opinion(fastest, self.fast))
        await self.reconfig(self.balancer_with(fastest, affinity))
        await self.knows(fastest)
        await self.until(lambda: opinion(affinity, self.fast) == 100)
        self.assertEqual(await self.build(4), [self.fast] * 4)

    @async_to_deferred
    async def test_a_reconfig_that_changes_nothing_forgets_nothing(self) -> None:
        scorer = FastestFirst(probe_every=None)
        await self.start_with(scorer)
        await self.teach(scorer)
        await self.reconfig(self.balancer_with(FastestFirst(probe_every=None)))
        self.assertIs(next(iter(self.balancer.engine.settings.learners())), scorer)
        self.assertEqual(await self.build(3), [self.fast] * 3)
