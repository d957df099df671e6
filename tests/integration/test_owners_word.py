# SPDX-License-Identifier: GPL-2.0-or-later
"""Invariants 1 and 2: the owner's word binds every build, whoever wants to start it."""

from __future__ import annotations

from typing import Any

from buildbot.process.buildrequestdistributor import BasicBuildChooser
from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.masters import MasterCase
from twisted.internet import defer

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.master.choice.chooser import BalancedBuildChooser


class OwnersWord(MasterCase):
    proto = 'pb'

    @async_to_deferred
    async def test_it_binds_builders_that_are_not_served(self) -> None:
        await self.start(
            names=('w1',), builders={'b': ('w1',), 'c': ('w1',)}, services=[Balancer(builders='c')]
        )
        self.say('w1', mood=Mood.OFFLINE)
        await self.until(lambda: self.mood('w1') == 'offline')
        await self.request('b')
        await self.request('c')
        await self.stays(lambda: not HeldStep.running)
        self.say('w1', mood=Mood.EAGER)
        await self.started(2)
        self.let_all_go()

    @async_to_deferred
    async def test_the_builders_that_are_served_get_our_chooser_and_the_others_theirs(self) -> None:
        await self.start(
            names=('w1',),
            builders={'b': ('w1',), 'c1': ('w1',)},
            services=[Balancer(builders=['c*'])],
        )
        brd = self.master.botmaster.brd
        builders = self.master.botmaster.builders
        served = brd.createBuildChooser(builders['c1'], self.master)
        other = brd.createBuildChooser(builders['b'], self.master)
        self.assertIsInstance(served, BalancedBuildChooser)
        self.assertIs(type(other), BasicBuildChooser)

    @async_to_deferred
    async def test_a_word_that_comes_between_choice_and_start_stops_the_start(self) -> None:
        await self.start(names=('w1',), services=[Balancer()])
        claimed: defer.Deferred[None] = defer.Deferred()
        go: defer.Deferred[None] = defer.Deferred()
        stock = self.master.data.updates.claimBuildRequests

        async def slow_claim(*args: Any, **kwargs: Any) -> Any:
            result = await stock(*args, **kwargs)
            if not claimed.called:
                claimed.callback(None)
            await go
            return result

        self.patch(
            self.master.data.updates,
            'claimBuildRequests',
            lambda *a, **k: defer.ensureDeferred(slow_claim(*a, **k)),
        )
        brid = await self.request()
        await claimed
        self.say('w1', mood=Mood.OFFLINE)
        await self.until(lambda: self.mood('w1') == 'offline')
        go.callback(None)
        await self.stays(lambda: not HeldStep.running, seconds=1)
        request = await self.master.data.get(('buildrequests', brid))
        self.assertFalse(request['claimed'])  # nothing lost
        self.assertEqual(await self.builds(), [])
        self.say('w1', mood=Mood.EAGER)
        await self.started(1)
        self.let_all_go()

    @async_to_deferred
    async def test_a_build_that_is_about_to_start_is_counted_before_the_promise(self) -> None:
        await self.start(names=('w1',), services=[Balancer()])
        builder = self.master.botmaster.builders['b']
        begun: defer.Deferred[None] = defer.Deferred()
        go: defer.Deferred[None] = defer.Deferred()
        stock = builder.setup_properties

        async def slow(props: Any) -> None:
            if builder.building == [] and not begun.called:
                begun.callback(None)
            await go
            await stock(props)

        # within _startBuildFor, before the place is marked as building
        worker = self.buildbot_worker('w1')
        fleet = self.balancer.engine.fleet
        original = fleet.builds.starting

        def starting(*args: Any) -> None:
            original(*args)
            self.patch(builder, 'setup_properties', lambda p: defer.ensureDeferred(slow(p)))

        self.patch(fleet.builds, 'starting', starting)
        await self.request()
        await begun
        self.say('w1', mood=Mood.GOING_ON_HOLIDAY, draining=True)
        await self.until(lambda: self.mood('w1') == 'going-on-holiday')
        self.assertFalse(fleet.answer(worker).free)
        self.assertEqual(fleet.answer(worker).running, 1)
        go.callback(None)
        await self.started(1)
        self.assertFalse(fleet.answer(worker).free)
        self.let_all_go()
        await self.until(lambda: fleet.answer(worker).free)

    @async_to_deferred
    async def test_a_build_hidden_by_a_reconfig_still_counts(self) -> None:
        await self.start(names=('w1', 'w2'), services=[Balancer()])
        self.say('w2', mood=Mood.OFFLINE)
        await self.until(lambda: self.mood('w2') == 'offline')
        await self.request()
        await self.started(1)
        # the builder loses the worker and gets it back while the build goes on
        for names in (('w2',), ('w1', 'w2')):
            self.config['builders'] = self.make_config(('w1', 'w2'), builders={'b': names})[
                'builders'
            ]
            self.master.config_loader.config_dict = self.config
            await self.master.reconfig()
        self.say('w1', mood=Mood.GOING_ON_HOLIDAY)
        await self.until(lambda: self.mood('w1') == 'going-on-holiday')
        answer = self.balancer.engine.fleet.answer(self.buildbot_worker('w1'))
        self.assertEqual((answer.running, answer.free), (1, False))
        self.let_all_go()
        await self.until(lambda: self.mood('w1') == 'offline')

    @async_to_deferred
    async def test_a_build_of_a_builder_that_left_and_came_back_still_counts(self) -> None:
        await self.start(names=('w1',), services=[Balancer()])
        await self.request()
        await self.started(1)
        stock = self.config['builders']
        other = self.make_config(('w1',), builders={'other': ('w1',)})['builders']
        for builders in (other, stock):
            self.config['builders'] = builders
            self.master.config_loader.config_dict = self.config
            await self.master.reconfig()
        self.say('w1', mood=Mood.GOING_ON_HOLIDAY)
        await self.until(lambda: self.mood('w1') == 'going-on-holiday')
        answer = self.balancer.engine.fleet.answer(self.buildbot_worker('w1'))
        self.assertEqual((answer.running, answer.free), (1, False))
        self.let_all_go()
        await self.until(lambda: self.mood('w1') == 'offline')
        self.flushLoggedErrors(AttributeError)  # Buildbot's: its builder has no master any more

    @async_to_deferred
    async def test_a_start_under_way_when_the_service_comes_is_counted(self) -> None:
        await self.start(names=('w1',), connect=False, services=[])
        self.worker_dir('w1').mkdir(parents=True)
        await self.connect('w1')
        builder = self.master.botmaster.builders['b']
        begun: defer.Deferred[None] = defer.Deferred()
        go: defer.Deferred[None] = defer.Deferred()
        stock = builder.setup_properties

        async def slow(props: Any) -> None:
            if not begun.called:
                begun.callback(None)
            await go
            await stock(props)

        start = builder.maybeStartBuild

        def maybe_start(wfb: Any, breqs: Any) -> Any:
            self.patch(builder, 'setup_properties', lambda p: defer.ensureDeferred(slow(p)))
            return start(wfb, breqs)

        builder.maybeStartBuild = maybe_start
        await self.request()
        await begun
        self.say('w1', mood=Mood.GOING_ON_HOLIDAY)
        self.config['services'] = [Balancer()]
        self.master.config_loader.config_dict = self.config
        reconfigured = self.master.reconfig()
        await self.stays(lambda: not self.reporters['w1']._hearing.promised)
        go.callback(None)
        await reconfigured
        await self.started(1)
        await self.until(lambda: self.mood('w1') == 'going-on-holiday')
        self.assertFalse(self.reporters['w1']._hearing.promised)
        self.let_all_go()
        await self.until(lambda: self.mood('w1') == 'offline')

    @async_to_deferred
    async def test_a_worker_that_tells_nonsense_of_its_commands_stalls_nobody(self) -> None:
        await self.start(services=[Balancer()])
        self.buildbot_worker('w2').worker_commands = 7
        for _ in range(2):
            await self.request()
        await self.started(2)
        self.let_all_go()

    @async_to_deferred
    async def test_only_the_builders_of_a_worker_are_woken_by_its_mood(self) -> None:
        await self.start(
            names=('w1', 'w2'),
            builders={'b': ('w1',), 'c': ('w2',), 'd': ('w1', 'w2')},
            services=[Balancer()],
        )
        self.say('w1', mood=Mood.OFFLINE)
        await self.until(lambda: self.mood('w1') == 'offline')
        woken: list[str] = []
        brd = self.master.botmaster.brd
        stock = brd.maybeStartBuildsOn

        def wake(names: list[str]) -> Any:
            woken.extend(names)
            return stock(names)

        self.patch(brd, 'maybeStartBuildsOn', wake)
        self.say('w1', mood=Mood.EAGER)
        await self.until(lambda: woken)
        self.assertEqual(sorted(woken), ['b', 'd'])


class OwnersWordOnMsgpack(OwnersWord):
    proto = 'msgpack'
