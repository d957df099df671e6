# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.masters import MasterCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.master.balancer import Balancer


class MoodOnPb(MasterCase):
    proto = 'pb'

    @async_to_deferred
    async def test_builds_go_to_the_worker_whose_owner_is_willing(self) -> None:
        await self.start(services=[Balancer()])
        self.say('w1', mood=Mood.OFFLINE)
        await self.until(lambda: self.mood('w1') == 'offline')
        for _ in range(3):
            await self.request()
            await self.started(1)
            self.let_all_go()
            await self.until(lambda: not HeldStep.running)
        self.assertEqual(set((await self.where()).values()), {'w2'})

    @async_to_deferred
    async def test_with_nobody_willing_nothing_starts_until_one_becomes_willing(self) -> None:
        await self.start(services=[Balancer()])
        self.say('w1', mood=Mood.OFFLINE)
        self.say('w2', mood=Mood.GOING_ON_HOLIDAY)
        await self.until(lambda: self.mood('w1') == self.mood('w2') == 'offline')
        await self.request()
        await self.stays(lambda: not HeldStep.running)
        self.say('w2', mood=Mood.RELUCTANT)
        await self.started(1)
        self.assertEqual(set((await self.where()).values()), {'w2'})
        self.let_all_go()


class MoodOnMsgpack(MoodOnPb):
    proto = 'msgpack'


class MoodOfLocalWorkers(MoodOnPb):
    proto = 'null'
