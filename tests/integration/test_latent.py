# SPDX-License-Identifier: GPL-2.0-or-later
"""Latent workers, which are not connected until needed, with Buildbot's own fake of one."""

from __future__ import annotations

from typing import Any

from buildbot.config import BuilderConfig
from buildbot.process.factory import BuildFactory
from buildbot.process.properties import Interpolate
from buildbot.process.properties import Properties
from buildbot.test.fake.latent import LatentController
from buildbot.test.util.integration import RunFakeMasterTestCase
from buildbot.util.twisted import async_to_deferred
from buildbot_worker.bot import LocalWorker as RemoteWorker
from support.masters import HeldStep
from twisted.internet import defer
from twisted.python.filepath import FilePath

from buildbot_balancer.master.balancer import Balancer


class Controller(LatentController):
    def connect_worker(self) -> Any:
        """Buildbot's own one awaits what is no Deferred."""
        if self.remote_worker is None:
            folder = FilePath(self.case.mktemp())
            folder.createDirectory()
            self.remote_worker = RemoteWorker(self.worker.name, folder.path, False)
            self.remote_worker.setServiceParent(self.worker)
        return defer.succeed(None)


class Latent(RunFakeMasterTestCase):
    async def start(self, **kwargs: Any) -> None:
        HeldStep.running = []
        self.controllers = {
            name: Controller(self, name, kind=Interpolate('%(prop:kind)s'), max_builds=2)
            for name in ('l1', 'l2')
        }
        names = list(self.controllers)
        await self.setup_master(
            {
                'workers': [controller.worker for controller in self.controllers.values()],
                'builders': [
                    BuilderConfig(
                        name=name,
                        workernames=names,
                        factory=BuildFactory([HeldStep()]),
                        collapseRequests=False,
                    )
                    for name in ('b', 'c')
                ],
                'protocols': {'null': {}},
                'multiMaster': True,
                'services': [Balancer(**kwargs)],
            }
        )
        for controller in self.controllers.values():
            controller.auto_start(True)
            controller.auto_stop(True)

    async def run_build(self, builder: str, kind: str) -> str:
        before = len(HeldStep.running)
        builderid = await self.master.data.updates.findBuilderId(builder)
        await self.create_build_request([builderid], properties=Properties(kind=kind))
        for _ in range(50):
            self.reactor.advance(0.1)
            if len(HeldStep.running) > before:
                break
        return HeldStep.running[-1].build.workername

    @async_to_deferred
    async def test_a_running_instance_is_used_before_another_is_started(self) -> None:
        await self.start()
        first = await self.run_build('b', 'small')
        for _ in range(3):
            self.assertEqual(await self.run_build('c', 'small'), first)
            HeldStep.running[-1].let_go()
            self.reactor.advance(1)
        other = ({'l1', 'l2'} - {first}).pop()
        self.assertTrue(self.controllers[other].stopped)
        await self.finish()

    @async_to_deferred
    async def test_an_instance_of_another_type_is_not_taken_for_a_running_one(self) -> None:
        await self.start()
        first = await self.run_build('b', 'small')
        self.assertNotEqual(await self.run_build('c', 'large'), first)
        decision = list(
            self.master.service_manager.namedServices['balancer'].engine.decisions.values()
        )[-1]
        self.assertEqual(decision.verdicts[first].code, 'incompatible')
        await self.finish()

    async def finish(self) -> None:
        for step in list(HeldStep.running):
            step.let_go()
        self.reactor.advance(1)
        await self.clean_master_shutdown(quick=True)
