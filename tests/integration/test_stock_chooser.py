# SPDX-License-Identifier: GPL-2.0-or-later
"""util.nextAvailableWorker and util.canStartWhenAvailable, in builders that are not served."""

from __future__ import annotations

from typing import Any

from buildbot.plugins import util
from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.masters import MasterCase

from buildbot_balancer.availability.mood import Mood


class StockChooser(MasterCase):
    proto = 'pb'

    async def start_with(self, **builder: Any) -> None:
        await self.start(services=[util.Balancer(builders='no-*')], builder=builder)

    def make_config(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        config = super().make_config(*args, **kwargs)
        config['builders'].append(
            util.BuilderConfig(name='no-1', workernames=['w1'], factory=util.BuildFactory())
        )
        return config

    @async_to_deferred
    async def test_nextworker_prefers_the_eager_owner(self) -> None:
        await self.start_with(nextWorker=util.nextAvailableWorker)
        self.say('w1', mood=Mood.RELUCTANT)
        await self.until(lambda: self.mood('w1') == 'reluctant')
        for _ in range(3):
            await self.request()
            await self.started(1)
            self.let_all_go()
            await self.until(lambda: not HeldStep.running)
        self.assertEqual(set((await self.where()).values()), {'w2'})

    @async_to_deferred
    async def test_nextworker_uses_the_reluctant_one_when_the_eager_one_is_busy(self) -> None:
        await self.start_with(nextWorker=util.nextAvailableWorker)
        self.say('w1', mood=Mood.RELUCTANT)
        await self.until(lambda: self.mood('w1') == 'reluctant')
        await self.request()
        await self.started(1)
        await self.request()
        await self.started(2)
        self.assertEqual(list((await self.where()).values()), ['w2', 'w1'])
        self.let_all_go()

    @async_to_deferred
    async def test_canstartbuild_keeps_a_reluctant_one_for_the_time_of_need(self) -> None:
        await self.start_with(canStartBuild=util.canStartWhenAvailable)
        self.say('w1', mood=Mood.RELUCTANT)
        await self.until(lambda: self.mood('w1') == 'reluctant')
        for expected in ('w2', 'w1'):
            before = len(HeldStep.running)
            brid = await self.request()
            await self.started(before + 1)
            self.assertEqual((await self.where())[brid], expected)
        self.let_all_go()


class WithoutBalancer(MasterCase):
    proto = 'pb'

    @async_to_deferred
    async def test_both_callables_let_builds_start(self) -> None:
        await self.start(
            connect=False,
            builder={
                'nextWorker': util.nextAvailableWorker,
                'canStartBuild': util.canStartWhenAvailable,
            },
        )
        await self.connect('w1', reporter=False)
        await self.request()
        await self.started(1)
        self.let_all_go()
