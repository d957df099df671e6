# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from buildbot.util.twisted import async_to_deferred
from support.logs import LogLines
from support.masters import HeldStep
from support.masters import MasterCase
from twisted.internet import reactor
from twisted.internet import task

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.policy.filters import Filter
from buildbot_balancer.policy.policy import Policy


class Reconfig(MasterCase):
    proto = 'pb'

    async def reconfig(self, **changes: Any) -> None:
        self.config.update(changes)
        self.master.config_loader.config_dict = self.config
        await self.master.reconfig()

    def owned(self) -> dict[str, set[str]]:
        """Which attributes Buildbot's objects have of their own."""
        botmaster = self.master.botmaster
        objects = {
            'brd': botmaster.brd,
            **{f'builder {name}': builder for name, builder in botmaster.builders.items()},
            **{f'worker {name}': worker for name, worker in self.master.workers.workers.items()},
            **{f'conn {name}': c for name, c in self.master.workers.connections.items()},
        }
        return {
            name: {key for key, value in vars(one).items() if callable(value)}
            for name, one in objects.items()
        }

    @async_to_deferred
    async def test_a_service_that_leaves_takes_everything_off_again(self) -> None:
        await self.start(names=('w1',), connect=False, services=[])
        await self.connect('w1')
        before = self.owned()
        await self.reconfig(services=[Balancer()])
        await self.until(lambda: self.is_heard('w1'))
        self.assertNotEqual(self.owned(), before)
        await self.reconfig(services=[])
        self.assertEqual(self.owned(), before)
        self.assertIsNone(self.balancer)

    @async_to_deferred
    async def test_a_service_added_to_a_master_at_work_hears_its_workers(
        self,
    ) -> None:
        await self.start(names=('w1',), connect=False, services=[])
        self.say_early('w1', mood=Mood.OFFLINE)
        await self.connect('w1')
        await self.reconfig(services=[Balancer()])
        await self.until(lambda: self.is_heard('w1'))
        await self.request()
        await self.stays(lambda: not HeldStep.running)
        self.say('w1')
        await self.started(1)
        self.let_all_go()

    @async_to_deferred
    async def test_without_the_service_the_word_binds_nobody_and_the_reporter_knows(self) -> None:
        await self.start(names=('w1',), services=[Balancer()])
        self.say('w1', mood=Mood.GOING_ON_HOLIDAY, draining=True)
        await self.until(lambda: self.mood('w1') == 'offline')
        hearing = self.reporters['w1']._hearing
        self.assertTrue(hearing.promised)
        await self.reconfig(services=[])
        self.assertFalse(hearing.promised)
        self.assertFalse(hearing.listening)
        await self.request()
        await self.started(1)  # as a stock master would
        self.let_all_go()

    @async_to_deferred
    async def test_requests_start_when_the_service_has_left_however_slow_the_workers_say_goodbye(
        self,
    ) -> None:
        await self.start(names=('w1',), services=[Balancer()])
        self.say('w1', mood=Mood.OFFLINE)
        await self.until(lambda: self.mood('w1') == 'offline')
        await self.request()
        connection = self.buildbot_worker('w1').conn
        stock = connection.remotePrint

        def slow(message: str) -> Any:
            d = task.deferLater(reactor, 1, lambda: None)
            return d.addCallback(lambda _: stock(message=message))

        connection.remotePrint = slow
        await self.reconfig(services=[])
        await self.started(1)
        self.let_all_go()

    @async_to_deferred
    async def test_new_workers_and_builders_of_a_reconfig_are_bound_too(self) -> None:
        await self.start(names=('w1',), services=[Balancer(builders=['b'])])
        new = self.make_config(('w1', 'w2'), builders={'b': ('w1',), 'new': ('w2',)})
        self.say_early('w2', mood=Mood.OFFLINE)
        await self.reconfig(workers=new['workers'], builders=new['builders'])
        await self.connect('w2')
        await self.until(lambda: self.is_heard('w2'))
        await self.request('new')
        await self.stays(lambda: not HeldStep.running)
        self.say('w2')
        await self.started(1)
        self.let_all_go()

    @async_to_deferred
    async def test_a_new_policy_holds_without_a_restart_and_the_word_survives(self) -> None:
        await self.start(services=[Balancer()])
        self.say('w1', mood=Mood.OFFLINE)
        await self.until(lambda: self.mood('w1') == 'offline')
        policy = Policy(filters=[Filter('nobody', lambda request, worker: False)])
        await self.reconfig(services=[Balancer(policy=policy)])
        self.assertEqual(self.mood('w1'), 'offline')
        await self.request()
        await self.stays(lambda: not HeldStep.running)
        await self.reconfig(services=[Balancer()])
        await self.started(1)
        self.assertEqual(list((await self.where()).values()), ['w2'])
        self.let_all_go()

    @async_to_deferred
    async def test_what_matches_nothing_is_one_line_at_reconfig(self) -> None:
        await self.start(names=('w1',), services=[Balancer()])
        lines = LogLines(self)
        await self.reconfig(services=[Balancer(builders=['b', 'typo*'])])
        found = [line for line in lines.ours() if 'typo*' in line]
        self.assertEqual(len(found), 1)
        self.assertIn('matches no builder', found[0])

    def say_early(self, name: str, **said: Any) -> None:
        self.worker_dir(name).mkdir(parents=True, exist_ok=True)
        self.say(name, **said)


class ReconfigOnMsgpack(Reconfig):
    proto = 'msgpack'
