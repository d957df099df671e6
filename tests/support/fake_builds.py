# SPDX-License-Identifier: GPL-2.0-or-later
"""Buildbot's own Build and steps on Buildbot's fake master; nothing runs but what the test runs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest import mock

from buildbot.locks import MasterLock
from buildbot.process.build import Build
from buildbot.process.buildstep import BuildStep
from buildbot.process.buildstep import create_step_from_step_or_factory
from buildbot.process.properties import Properties
from buildbot.process.results import SUCCESS
from buildbot.test import fakedb
from buildbot.test.fake import fakemaster
from buildbot.test.fake import fakeprotocol
from buildbot.test.fake import worker
from buildbot.test.reactor import TestReactorMixin
from buildbot.util.twisted import async_to_deferred
from twisted.internet import defer
from twisted.trial import unittest

LOCK = MasterLock('lock')
HOLD = LOCK.access('exclusive')


class Ends(BuildStep):
    """Ends at once with this result, and says so in the build's summary."""

    def __init__(self, ends: int = SUCCESS, calls: Any = None, **kwargs: Any) -> None:
        self.ends = ends
        self.calls = calls
        super().__init__(**kwargs)

    def run(self) -> Any:
        if self.calls is not None:
            self.calls(self)
        return self.ends


class Waits(BuildStep):
    """Runs until the test lets it go; knows what interrupts have reached it."""

    def run(self) -> Any:
        self.told: list[Any] = []
        self.done: defer.Deferred[int] = defer.Deferred()
        return self.done

    def interrupt(self, reason: Any) -> Any:
        if hasattr(self, 'told'):
            self.told.append(reason)
        return super().interrupt(reason)


class FakeBuilder:
    name = 'b'
    config_version = 0

    def __init__(self, master: Any) -> None:
        self.master = master
        self.botmaster = master.botmaster
        self.config = mock.Mock(env={}, workerbuilddir='b', description='', do_build_if=lambda _: 1)

    def getBuilderId(self) -> Any:
        return defer.succeed(83)

    def setup_properties(self, props: Any) -> Any:
        return defer.succeed(None)

    def buildFinished(self, build: Any, wfb: Any) -> None:
        pass


class FakeRequest(SimpleNamespace):
    def __init__(self) -> None:
        super().__init__(id=9385, properties=Properties(), reason='test')

    def mergeSourceStampsWith(self, others: Any) -> list[Any]:
        return []

    def mergeReasons(self, others: Any) -> str:
        return 'test'


class FakeBuildCase(TestReactorMixin, unittest.TestCase):
    @async_to_deferred
    async def setUp(self) -> None:
        self.setup_test_reactor()
        self.master = await fakemaster.make_master(self, wantData=True)
        await self.master.db.insert_test_data(
            [
                fakedb.Master(id=fakedb.FakeDBConnector.MASTER_ID),
                fakedb.Worker(id=1234),
                fakedb.Builder(id=83),
                fakedb.Buildset(id=8822),
                fakedb.BuildRequest(id=9385, builderid=83, buildsetid=8822),
            ]
        )
        self.worker = worker.FakeWorker(self.master)
        self.worker.workerid = 1234
        self.worker.attached(None)
        self.worker.conn = fakeprotocol.FakeConnection(self.worker)

    def make_build(self, *steps: Any, locks: Any = ()) -> Any:
        build = Build([FakeRequest()], FakeBuilder(self.master))
        build.setStepFactories([getattr(s, 'get_step_factory', lambda s=s: s)() for s in steps])
        build.setLocks(list(locks))
        self.wfb = mock.Mock(name='workerforbuilder')
        self.wfb.worker = self.worker
        self.wfb.substantiate_if_needed = lambda _: True
        self.wfb.ping = lambda: True
        return build

    def start(self, *steps: Any, **more: Any) -> Any:
        build = self.make_build(*steps, **more)
        build.startBuild(self.wfb)
        self.pump()
        return build

    def pump(self) -> None:
        """Until nothing happens any more: eventual calls and timers of up to 2 s."""
        self.reactor.pump([0.1] * 25)

    def finish(self, *steps: Any, **more: Any) -> Any:
        build = self.start(*steps, **more)
        self.assertTrue(build.finished)
        return build

    def names(self, build: Any) -> list[str]:
        return [step.name for step in build.executedSteps]

    def step(self, build: Any, name: str) -> Any:
        return next(step for step in build.executedSteps if step.name == name)

    async def rows(self, build: Any) -> list[dict[str, Any]]:
        return list(await self.master.data.get(('builds', build.buildid, 'steps')))

    async def row(self, build: Any, name: str) -> dict[str, Any]:
        return next(row for row in await self.rows(build) if row['name'] == name)

    def real_lock(self, lock: Any = LOCK) -> Any:
        return self.successResultOf(self.master.botmaster.getLockByID(lock, 0))

    def check_lock_is_free(self, lock: Any = LOCK) -> None:
        real = self.real_lock(lock)
        self.assertEqual((real.owners, real.waiting), ([], []))


def made(step: Any) -> Any:
    """As a build makes it."""
    return create_step_from_step_or_factory(step)
