# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

import attrs
from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.masters import MasterCase
from twisted.internet import defer

from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.policy.filters import MaxLoad
from buildbot_balancer.policy.gate import Gate
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.policy import default_filters
from buildbot_balancer.policy.scorers import LeastLoaded


class Load(MasterCase):
    proto = 'pb'

    async def pretend(self, name: str, **values: Any) -> None:
        """The worker reports these values from now on, and at once."""
        reporter = self.reporters[name]
        stock = type(reporter).report

        def report() -> Any:
            known = {'load': 0.0, 'own': 0.0, 'cpus': 4, 'host': f'host-{name}', **values}
            return attrs.evolve(stock(reporter), **known)

        reporter.report = report
        seq = reporter._seq
        reporter._send()
        heard = self.balancer.engine.fleet._entries
        await self.until(lambda: heard[name].heard.report.seq > seq)

    async def start_with(self, *filters: Any, names: tuple[str, ...] = ('w1', 'w2')) -> None:
        policy = Policy(filters=[*default_filters(), *filters], scorers=[(LeastLoaded(), 1)])
        await self.start(
            names=names,
            builders={f'b{i}': names for i in range(4)},
            services=[Balancer(policy=policy, recheck=3600)],
        )

    @async_to_deferred
    async def test_builds_that_just_started_keep_the_next_ones_off_an_idle_looking_machine(
        self,
    ) -> None:
        await self.start_with()
        await self.pretend('w1', load=0.0)
        await self.pretend('w2', load=0.4)
        for index in range(4):
            await self.request(f'b{index}')
            await self.started(index + 1)
        places = list((await self.where()).values())
        # 0, then 1/4 CPUs each: w1 at 0 and 0.25, then w2 at 0.4 and w1 at 0.5
        self.assertEqual(places, ['w1', 'w1', 'w2', 'w1'])
        self.let_all_go()

    @async_to_deferred
    async def test_our_own_builds_are_taken_out_of_what_others_use(self) -> None:
        await self.start_with(MaxLoad(0.5))
        await self.pretend('w1', load=0.9, own=0.8)
        await self.pretend('w2', load=0.9, own=0.0)
        await self.request('b0')
        await self.started(1)
        self.assertEqual(list((await self.where()).values()), ['w1'])
        self.let_all_go()

    @async_to_deferred
    async def test_builds_of_a_second_worker_on_the_machine_are_taken_out_too(self) -> None:
        await self.start_with(MaxLoad(0.5))
        await self.pretend('w1', load=0.9, own=0.0, host='same')
        await self.pretend('w2', load=0.9, own=0.7, host='same')
        found = self.balancer.engine.fleet.loads.foreign(self.balancer.standing('w1'))
        self.assertAlmostEqual(found, 0.2)

    @async_to_deferred
    async def test_a_request_starts_when_the_load_falls_below_the_limit(self) -> None:
        await self.start_with(MaxLoad(0.5), names=('w1',))
        await self.pretend('w1', load=2.0)
        brid = await self.request('b0')
        await self.until(lambda: brid in self.balancer.engine.decisions)
        self.assertEqual(self.balancer.engine.decisions[brid].verdicts['w1'].code, 'load')
        await self.stays(lambda: not HeldStep.running)
        await self.pretend('w1', load=0.1)
        await self.started(1)
        self.let_all_go()

    @async_to_deferred
    async def test_an_unknown_load_is_not_a_low_one(self) -> None:
        await self.start_with(MaxLoad(0.5), names=('w1',))
        await self.pretend('w1', load=None)
        brid = await self.request('b0')
        await self.until(lambda: brid in self.balancer.engine.decisions)
        verdict = self.balancer.engine.decisions[brid].verdicts['w1']
        self.assertEqual(verdict.code, 'load-unknown')

    @async_to_deferred
    async def test_a_request_starts_when_the_worker_says_that_it_has_what_is_required(self) -> None:
        await self.start_with(names=('w1',))
        await self.pretend('w1')
        brid = await self.request('b0', requires={'gpu': 'yes'})
        await self.until(lambda: brid in self.balancer.engine.decisions)
        await self.stays(lambda: not HeldStep.running)
        await self.pretend('w1', facts={'gpu': 'yes'})
        await self.started(1)
        self.let_all_go()

    @async_to_deferred
    async def test_a_gate_opens_and_closes_a_worker(self) -> None:
        answers = {'w1': False}
        asked: list[str] = []

        def check(name: str) -> Any:
            asked.append(name)
            return defer.succeed(answers[name])

        await self.start_with(Gate('w1', check, every=1), names=('w1', 'w2'))
        await self.until(lambda: asked)
        await self.request('b0')
        await self.started(1)
        self.assertEqual(list((await self.where()).values()), ['w2'])
        await self.request('b0')
        await self.stays(lambda: len(HeldStep.running) == 1)
        answers['w1'] = True
        await self.started(2)
        self.assertEqual(set(asked), {'w1'})
        self.let_all_go()

    @async_to_deferred
    async def test_a_gate_that_raises_is_closed_and_said(self) -> None:
        def check() -> Any:
            raise RuntimeError('no answer from the host')

        await self.start_with(Gate('w1', check, every=1), names=('w1',))
        brid = await self.request('b0')
        await self.until(lambda: brid in self.balancer.engine.decisions)
        verdict = self.balancer.engine.decisions[brid].verdicts['w1']
        self.assertEqual(verdict.code, 'gate-error')
        self.assertIn('no answer from the host', verdict.sentence)
