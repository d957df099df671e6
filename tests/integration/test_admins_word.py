# SPDX-License-Identifier: GPL-2.0-or-later
"""What an admin of a real master said, when the Balancer leaves and comes back."""

from __future__ import annotations

from typing import Any

from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.masters import MasterCase
from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet import task

from buildbot_balancer.availability.cap import Cap
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.master.record.control import Control
from buildbot_balancer.master.record.words import Words


class Returning(MasterCase):
    proto = 'null'

    async def reconfig(self, **config: Any) -> None:
        self.config.update(config)
        self.master.config_loader.config_dict = self.config
        await self.master.reconfig()

    @property
    def control(self) -> Control:
        control = self.balancer.control
        assert control is not None
        return control

    @async_to_deferred
    async def test_a_worker_that_became_empty_meanwhile_is_freed_when_it_is_seen_again(
        self,
    ) -> None:
        await self.start(names=('w1',), services=[Balancer()])
        await self.request()
        await self.started(1)
        workerid = self.buildbot_worker('w1').workerid
        await self.control.drain_worker(workerid, 'moving', None, 'ann')
        self.assertEqual(self.mood('w1'), Mood.GOING_ON_HOLIDAY.label)
        await self.reconfig(services=[])
        self.let_all_go()
        await self.until(lambda: not self.master.botmaster.builders['b'].building)
        await self.reconfig(services=[Balancer()])
        await self.until(lambda: self.mood('w1') == Mood.OFFLINE.label)
        kinds = {'drain', 'freed'}
        while {one.kind for one in await self.balancer.history.find()} & kinds != kinds:
            await task.deferLater(reactor, 0.02)

    @async_to_deferred
    async def test_nothing_starts_before_what_was_said_is_known(self) -> None:
        await self.start(names=('w1',), services=[Balancer()])
        workerid = self.buildbot_worker('w1').workerid
        await self.control.set_worker(workerid, 'offline', 'moving', None, 'ann')
        await self.reconfig(services=[])
        answer: defer.Deferred[None] = defer.Deferred()
        asked: list[Words] = []
        stock = Words.load_workers

        async def slow(words: Words) -> dict[str, Cap]:
            asked.append(words)
            await answer
            return await stock(words)

        self.patch(Words, 'load_workers', slow)
        done = defer.ensureDeferred(self.reconfig(services=[Balancer()]))
        await self.until(lambda: asked)
        await self.request()
        try:
            await self.stays(lambda: not HeldStep.running)
        finally:  # or the master could not stop
            answer.callback(None)
            await done
        await self.stays(lambda: not HeldStep.running)
        await self.control.resume_worker(workerid, 'ann')
        await self.started(1)
        self.let_all_go()

    @async_to_deferred
    async def test_a_pause_holds_again_and_can_be_ended(self) -> None:
        await self.start(names=('w1',), services=[Balancer()])
        builderid = await self.master.botmaster.builders['b'].getBuilderId()
        await self.control.pause_builder(builderid, 'release', None, 'ann')
        await self.reconfig(services=[])
        await self.reconfig(services=[Balancer()])
        await self.request()
        await self.stays(lambda: not HeldStep.running)
        await self.control.resume_builder(builderid, 'ann')
        await self.started(1)
        self.let_all_go()

    @async_to_deferred
    async def test_a_balancer_that_leaves_while_it_starts_leaves_nothing_behind(self) -> None:
        await self.start(names=('w1',), services=[])
        answer: defer.Deferred[None] = defer.Deferred()
        asked: list[Words] = []

        async def slow(words: Words) -> dict[str, Cap]:
            asked.append(words)
            await answer
            return {}

        self.patch(Words, 'load_workers', slow)
        service = Balancer()
        done = defer.ensureDeferred(self.reconfig(services=[service]))
        await self.until(lambda: asked)
        parts = service._parts
        left = defer.maybeDeferred(service.disownServiceParent)
        await task.deferLater(reactor, 0.1)
        answer.callback(None)
        await done
        await left
        assert parts is not None
        self.assertEqual(
            (service._begun, parts.recorder._beat, parts.link._consumer), (False, None, None)
        )
