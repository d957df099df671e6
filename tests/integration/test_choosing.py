# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from buildbot.locks import MasterLock
from buildbot.process.builder import enforceChosenWorker
from buildbot.process.factory import BuildFactory
from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.masters import MasterCase
from zope.interface import implementer

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.interfaces import IScorer
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.policy.filters import Filter
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.policy import default_filters
from buildbot_balancer.policy.tiers import Tiers
from buildbot_balancer.policy.verdict import Verdict


@implementer(IScorer)
class Preferring:
    def __init__(self, *names: str) -> None:
        self.names = names

    def score(self, request: Any, worker: Any, now: float) -> float:
        return 100.0 if worker.name in self.names else 0.0


@implementer(IScorer)
class Broken:
    def score(self, request: Any, worker: Any, now: float) -> float:
        raise RuntimeError('scorer defect')


def more(*filters: Any, **kwargs: Any) -> Policy:
    return Policy(filters=[*default_filters(), *filters], **kwargs)


class Choosing(MasterCase):
    proto = 'pb'

    async def start_with(self, *, builder: dict[str, Any] | None = None, **kwargs: Any) -> None:
        await self.start(services=[Balancer(**kwargs)], builder=builder or {})

    @async_to_deferred
    async def test_the_scores_of_the_policy_decide(self) -> None:
        await self.start_with(policy=Policy(scorers=[(Preferring('w2'), 1)]))
        for _ in range(3):
            await self.request()
            await self.started(1)
            self.let_all_go()
            await self.until(
                lambda: self.let_all_go() or not self.master.botmaster.builders['b'].building
            )
        self.assertEqual(set((await self.where()).values()), {'w2'})

    @async_to_deferred
    async def test_a_nextworker_that_refuses_one_request_delays_only_that_one(self) -> None:
        def next_worker(builder: Any, workers: list[Any], breq: Any) -> Any:
            return None if 'picky' in breq.properties else workers[0]

        await self.start_with(builder={'nextWorker': next_worker})
        picky = await self.request(picky=True, priority=5)
        other = await self.request()
        await self.started(1)
        self.assertEqual(list(await self.where()), [other])
        decision = self.balancer.engine.decisions[picky]
        self.assertIn('nextWorker', decision.note)
        self.let_all_go()

    @async_to_deferred
    async def test_a_nextworker_gets_the_workers_that_passed_best_first(self) -> None:
        seen: list[list[str]] = []

        def next_worker(builder: Any, workers: list[Any], breq: Any) -> Any:
            seen.append([wfb.worker.workername for wfb in workers])
            return workers[-1]

        policy = more(Filter('not-w1', lambda r, w: w.name != 'w1'))
        policy = Policy(filters=policy.filters, scorers=[(Preferring('w3'), 1)])
        self.config_names = ('w1', 'w2', 'w3')
        await self.start(
            names=self.config_names,
            services=[Balancer(policy=policy)],
            builder={'nextWorker': next_worker},
        )
        await self.request()
        await self.started(1)
        self.assertEqual(seen, [['w3', 'w2']])
        self.assertEqual(list((await self.where()).values()), ['w2'])
        self.let_all_go()

    @async_to_deferred
    async def test_a_nextworker_that_raises_is_logged_and_the_next_request_goes_on(self) -> None:
        def next_worker(builder: Any, workers: list[Any], breq: Any) -> Any:
            if 'picky' in breq.properties:
                raise RuntimeError('hook defect')
            return workers[0]

        await self.start_with(builder={'nextWorker': next_worker})
        picky = await self.request(picky=True, priority=5)
        other = await self.request()
        await self.started(1)
        self.assertEqual(list(await self.where()), [other])
        self.assertIn('hook defect', self.balancer.engine.decisions[picky].note)
        self.assertTrue(self.flushLoggedErrors(RuntimeError))
        self.let_all_go()

    @async_to_deferred
    async def test_a_canstartbuild_that_raises_does_not_stall_the_builder(self) -> None:
        def can_start(builder: Any, wfb: Any, breq: Any) -> bool:
            if 'picky' in breq.properties:
                raise RuntimeError('hook defect')
            return True

        await self.start_with(builder={'canStartBuild': can_start})
        await self.request(picky=True, priority=5)
        other = await self.request()
        await self.started(1)
        self.assertEqual(list(await self.where()), [other])
        self.assertTrue(self.flushLoggedErrors(RuntimeError))
        self.let_all_go()

    @async_to_deferred
    async def test_a_nextbuild_that_raises_does_not_stall_the_builder(self) -> None:
        def next_build(builder: Any, breqs: list[Any]) -> Any:
            raise RuntimeError('hook defect')

        await self.start_with(builder={'nextBuild': next_build})
        await self.request()
        await self.started(1)
        self.assertTrue(self.flushLoggedErrors(RuntimeError))
        self.let_all_go()

    @async_to_deferred
    async def test_a_scorer_or_filter_that_raises_is_logged_once_and_others_decide(self) -> None:
        def broken(request: Any, worker: Any) -> bool:
            if worker.name == 'w1':
                raise ValueError('filter defect')
            return True

        policy = Policy(
            filters=[*default_filters(), Filter('broken', broken)],
            scorers=[(Broken(), 1), (Preferring('w1'), 1)],
        )
        await self.start_with(policy=policy)
        for _ in range(2):
            await self.request()
            await self.started(1)
            self.let_all_go()
            await self.until(
                lambda: self.let_all_go() or not self.master.botmaster.builders['b'].building
            )
        self.assertEqual(set((await self.where()).values()), {'w2'})
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    @async_to_deferred
    async def test_a_filter_whose_verdict_names_no_moment_stalls_nobody(self) -> None:
        def odd(request: Any, worker: Any) -> Any:
            if 'picky' in request.properties:
                return Verdict.not_now('odd', 'is odd', again_at='18:00')
            return True

        await self.start_with(policy=more(Filter('odd', odd)))
        picky = await self.request(picky=True, priority=5)
        other = await self.request()
        await self.started(1)
        self.assertEqual(list(await self.where()), [other])
        codes = {v.code for v in self.balancer.engine.decisions[picky].verdicts.values()}
        self.assertIn('policy-error', codes)  # and busy, where it was looked at again since
        self.assertTrue(self.flushLoggedErrors(TypeError))
        self.let_all_go()

    @async_to_deferred
    async def test_a_lock_that_a_step_gives_back_wakes_who_waits_for_it(self) -> None:
        lock = MasterLock('shared')
        await self.start(
            names=('w1', 'w2'),
            builders={'b': ('w1',), 'c': ('w2',)},
            services=[Balancer(recheck=3600)],
            steps=lambda: [HeldStep(locks=[lock.access('exclusive')])],
        )
        self.master.botmaster.builders['c'].config.locks = [lock.access('exclusive')]
        self.master.botmaster.builders['c'].config.factory = BuildFactory([HeldStep()])
        await self.request('b')
        await self.started(1)
        waiting = await self.request('c')
        await self.until(lambda: waiting in self.balancer.engine.decisions)
        codes = [v.code for v in self.balancer.engine.decisions[waiting].verdicts.values()]
        self.assertEqual(codes, ['lock'])
        first = HeldStep.running[0]
        first.let_go()
        await self.until(lambda: HeldStep.running and HeldStep.running[0] is not first, seconds=15)
        self.let_all_go()

    @async_to_deferred
    async def test_a_request_that_names_its_worker_waits_for_it(self) -> None:
        await self.start_with()
        self.say('w1', mood=Mood.OFFLINE)
        await self.until(lambda: self.mood('w1') == 'offline')
        chosen = await self.request(workername='w1')
        await self.stays(lambda: not HeldStep.running)
        self.say('w1')
        await self.started(1)
        self.assertEqual(await self.where(), {chosen: 'w1'})
        self.let_all_go()

    @async_to_deferred
    async def test_enforcechosenworker_keeps_its_meaning(self) -> None:
        await self.start_with(builder={'canStartBuild': enforceChosenWorker})
        for name in ('w1', 'w2', 'w1'):
            brid = await self.request(workername=name)
            await self.started(1)
            self.assertEqual((await self.where())[brid], name)
            self.let_all_go()
            await self.until(
                lambda: self.let_all_go() or not self.master.botmaster.builders['b'].building
            )

    @async_to_deferred
    async def test_what_a_request_requires_is_matched_with_what_the_worker_reports(self) -> None:
        await self.start_with()
        possible = await self.request(requires={'cpus': 1})
        impossible = await self.request(requires={'cpus': 10**6})
        unknown = await self.request(requires={'gpu': 'yes'})
        await self.started(1)
        await self.until(lambda: {impossible, unknown} <= set(self.balancer.engine.decisions))
        self.assertEqual(list(await self.where()), [possible])
        codes = {
            brid: {v.code for v in self.balancer.engine.decisions[brid].verdicts.values()}
            for brid in (impossible, unknown)
        }
        self.assertIn('incapable', codes[impossible])
        self.assertIn('capability-unknown', codes[unknown])
        self.let_all_go()

    @async_to_deferred
    async def test_a_reluctant_worker_is_used_only_when_no_eager_one_can(self) -> None:
        await self.start_with(policy=Policy(scorers=[(Preferring('w1'), 1)]))
        self.say('w1', mood=Mood.RELUCTANT, reason='using it')
        await self.until(lambda: self.mood('w1') == 'reluctant')
        first = await self.request()
        await self.started(1)
        second = await self.request()
        await self.started(2)
        self.assertEqual(await self.where(), {first: 'w2', second: 'w1'})
        self.let_all_go()

    @async_to_deferred
    async def test_a_reluctant_worker_takes_a_request_when_it_has_waited(self) -> None:
        await self.start_with(policy=Policy(reluctant_after=2))
        for name in ('w1', 'w2'):
            self.say(name, mood=Mood.RELUCTANT)
        await self.until(lambda: self.mood('w1') == self.mood('w2') == 'reluctant')
        brid = await self.request()
        await self.until(lambda: brid in self.balancer.engine.decisions)
        self.assertEqual(self.balancer.engine.decisions[brid].worker, None)
        await self.started(1)  # by the clock alone
        self.let_all_go()

    @async_to_deferred
    async def test_a_lower_tier_overflows_when_the_upper_one_is_busy(self) -> None:
        await self.start_with(policy=more(Tiers(['w2'], ['w1'])))
        first = await self.request()
        await self.started(1)
        second = await self.request()
        await self.started(2)
        self.assertEqual(await self.where(), {first: 'w2', second: 'w1'})
        self.let_all_go()

    @async_to_deferred
    async def test_a_lower_tier_waits_while_the_upper_one_is_there(self) -> None:
        await self.start_with(policy=more(Tiers(['w2'], ['w1'], overflow='disconnected')))
        first = await self.request()
        await self.started(1)
        second = await self.request()
        await self.stays(lambda: len(HeldStep.running) == 1)
        self.say('w2', mood=Mood.OFFLINE)  # nobody of the upper tier will come
        await self.started(2)
        self.assertEqual(await self.where(), {first: 'w2', second: 'w1'})
        self.let_all_go()
