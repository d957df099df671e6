# SPDX-License-Identifier: GPL-2.0-or-later
"""Orders, limits and the hooks of a config, on a real master with our distributor in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from buildbot.util.twisted import async_to_deferred
from support.distributor_master import DistributorCase
from support.masters import HeldStep
from twisted.internet import defer
from twisted.internet import reactor
from zope.interface import implementer

from buildbot_balancer.interfaces import IScorer
from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.policy.filters import Filter
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.policy import default_filters

ONE = {'a': ('w1',), 'b': ('w1',), 'c': ('w1',)}
APART = {'b': ('w1',), 'c': ('w2',)}


@implementer(IScorer)
class LastFirst:
    looks_at_worker_only = True

    def score(self, request: Any, worker: Any, now: float) -> float:
        return float(worker.name[1:])


class OneWorkerCase(DistributorCase):
    """One build at a time on w1, so that the order of the builds is that of the decisions."""

    async def start_one(self, builders: Any = None, **more: Any) -> None:
        await self.start_with(builders or ONE, **more)
        for worker in self.master.workers.workers.values():
            worker.max_builds = 1
        self.first = await self.request()
        await self.started(1)

    async def rest(self, count: int) -> list[int]:
        return (await self.work_off(count + 1))[1:]


class Orders(OneWorkerCase):
    @async_to_deferred
    async def test_the_highest_priority_and_then_the_oldest_of_all_builders(self) -> None:
        await self.start_one()
        low, other = await self.request('a'), await self.request('b')
        high = await self.request('c', priority=1)
        self.assertEqual(await self.rest(3), [high, low, other])

    @async_to_deferred
    async def test_a_rank_is_before_priority_and_age(self) -> None:
        await self.start_one(rank=lambda request: request.properties.get('rank', 0))
        old, high = await self.request('a'), await self.request('b', priority=9)
        ranked = await self.request('c', rank=2)
        self.assertEqual(await self.rest(3), [ranked, high, old])

    @async_to_deferred
    async def test_a_rank_that_raises_is_logged_and_counts_as_none(self) -> None:
        def rank(request: Any) -> float:
            raise RuntimeError('rank defect')

        await self.start_one(rank=rank)
        low, high = await self.request('a'), await self.request('b', priority=1)
        self.assertEqual(await self.rest(2), [high, low])
        self.assertTrue(self.flushLoggedErrors(RuntimeError))

    @async_to_deferred
    async def test_with_ageing_a_request_that_waited_is_before_a_younger_urgent_one(self) -> None:
        await self.start_one(ageing=1)
        old = await self.request('a')
        await self.stays(lambda: True, 2.1)
        young = await self.request('b', priority=1)
        self.assertEqual(await self.rest(2), [old, young])

    @async_to_deferred
    async def test_prioritizebuilders_decides_and_is_called_once_a_pass(self) -> None:
        calls: list[list[str]] = []

        def prioritize(master: Any, builders: list[Any]) -> Any:
            calls.append([one.name for one in builders])
            return defer.succeed(sorted(builders, key=lambda one: one.name, reverse=True))

        await self.start_one(more={'prioritizeBuilders': prioritize})
        waiting = [await self.request(name) for name in ('a', 'b', 'c', 'b')]
        calls.clear()
        self.assertEqual(await self.rest(4), [waiting[2], waiting[1], waiting[3], waiting[0]])
        self.assertLessEqual(len(calls), 2 * 4)  # two events an end, at most

    @async_to_deferred
    async def test_by_worker_the_best_one_is_used_first(self) -> None:
        builders = {'b': ('w1', 'w2', 'w3'), 'c': ('w1', 'w3')}
        policy = Policy(scorers=[(LastFirst(), 1)])
        await self.start_with(builders, order='worker', policy=policy)
        requests = [await self.request(name) for name in ('b', 'c')]
        await self.started(2)
        where = await self.where()
        self.assertEqual([where[one] for one in requests], ['w3', 'w3'])
        await self.no_builds()

    @async_to_deferred
    async def test_nextbuild_chooses_among_those_that_wait(self) -> None:
        def last(builder: Any, breqs: list[Any]) -> Any:
            return max(breqs, key=lambda one: one.id) if breqs else None

        await self.start_one({'b': ('w1',)}, builder={'nextBuild': last})
        waiting = [await self.request() for _ in range(3)]
        self.assertEqual(await self.rest(3), waiting[::-1])

    @async_to_deferred
    async def test_a_nextbuild_that_wants_none_is_asked_again_at_the_recheck(self) -> None:
        wanted: list[int] = []

        def next_build(builder: Any, breqs: list[Any]) -> Any:
            return next((one for one in breqs if one.id in wanted), None)

        await self.start_with(builder={'nextBuild': next_build}, recheck=1)
        request = await self.request()
        await self.stays(lambda: not HeldStep.running, 0.3)
        wanted.append(request)
        await self.started(1)
        await self.no_builds()


class Limited(DistributorCase):
    @async_to_deferred
    async def test_max_running_holds_and_the_next_starts_when_one_has_ended(self) -> None:
        builders = {'b': ('w1', 'w2', 'w3'), 'c': ('w1', 'w2', 'w3'), 'free': ('w1',)}
        await self.start_with(builders, max_running={'[bc]': 2}, recheck=3600)
        for name in 'bcbc':
            await self.request(name)
        await self.started(2)
        await self.request('free')
        await self.started(3)
        await self.stays(lambda: len(HeldStep.running) == 3, 0.2)
        HeldStep.running[0].let_go()
        await self.started(3)
        await self.until(lambda: self.count() == 2)
        for _ in range(4):
            self.let_all_go()
            await self.stays(lambda: self.count() <= 2, 0.2)
        await self.until(lambda: self.let_all_go() or not self.count())
        self.assertEqual(len(await self.order()), 5)

    def count(self) -> int:
        return sum(len(self.builder(name).building) for name in 'bc')

    @async_to_deferred
    async def test_requests_that_name_a_worker_hold_up_nobody(self) -> None:
        await self.start_with({'b': ('w1', 'w2')})
        await self.request(workername='w1')
        await self.started(1)
        chosen = [await self.request(workername='w1', priority=5) for _ in range(3)]
        other = await self.request()
        await self.started(2)
        where = await self.where()
        self.assertEqual(where[other], 'w2')
        order = await self.work_off(5)
        self.assertEqual([one for one in order if one in chosen], chosen)
        where = await self.where()
        self.assertEqual({where[one] for one in chosen}, {'w1'})

    @async_to_deferred
    async def test_requests_that_wait_for_a_lock_cost_no_looks_while_others_come(self) -> None:
        lock = BranchLock('version')
        await self.start_with({'b': ('w1', 'w2', 'w3'), 'c': ('w1', 'w2', 'w3')})
        self.builder('b').config.locks = [lock.access('exclusive')]
        looks = self.count_looks()
        waiting = [await self.request('b') for _ in range(200)]
        await self.until(lambda: set(waiting) <= set(looks))
        looks.clear()
        others = [await self.request('c') for _ in range(3)]
        await self.started(4)
        for step in HeldStep.running[1:]:
            step.let_go()
        await self.until(lambda: not self.builder('c').building)
        self.assertLessEqual(set(looks), set(others))
        self.assertLessEqual(len(looks), 2 * len(others))
        await self.reconfig()
        self.builder('b').config.locks = []
        self.master.botmaster.maybeStartBuildsForAllBuilders = lambda: None


class Hooks(DistributorCase):
    async def check_that_only_its_builder_waits(self, **builder: Any) -> None:
        await self.start_with(APART)
        for name, hook in builder.items():
            setattr(self.builder('b').config, name, hook)
        stuck = [await self.request('b') for _ in range(2)]
        other = await self.request('c')
        await self.started(1)
        self.assertEqual(await self.order(), [other])
        self.assertFalse(set(stuck) & set(await self.order()))
        await self.no_builds()
        await self.reconfig()  # waits for no hook
        for name in builder:
            setattr(self.builder('b').config, name, None)
        self.master.botmaster.maybeStartBuildsForAllBuilders()
        await self.started(1)
        self.flushLoggedErrors(defer.CancelledError)
        await self.work_off(2)
        self.assertEqual((await self.order())[1:], stuck)

    @async_to_deferred
    async def test_a_canstartbuild_that_never_answers(self) -> None:
        await self.check_that_only_its_builder_waits(canStartBuild=lambda *_: defer.Deferred())

    @async_to_deferred
    async def test_a_nextworker_that_never_answers(self) -> None:
        await self.check_that_only_its_builder_waits(nextWorker=lambda *_: defer.Deferred())

    @async_to_deferred
    async def test_a_nextbuild_that_never_answers(self) -> None:
        await self.check_that_only_its_builder_waits(nextBuild=lambda *_: defer.Deferred())

    async def check_on_a_quiet_master(self, can_start: Any, change: Any) -> None:
        await self.start_with(recheck=1, builder={'canStartBuild': can_start})
        request = await self.request()
        await self.stays(lambda: not HeldStep.running, 0.3)
        change()
        await self.started(1)
        self.assertEqual(await self.order(), [request])
        await self.no_builds()

    @async_to_deferred
    async def test_a_canstartbuild_that_turns_true_by_a_file(self) -> None:
        flag = Path('flag').absolute()
        await self.check_on_a_quiet_master(lambda *_: flag.exists(), flag.touch)

    @async_to_deferred
    async def test_a_canstartbuild_that_turns_true_by_the_clock(self) -> None:
        at = reactor.seconds() + 1.5
        await self.check_on_a_quiet_master(lambda *_: reactor.seconds() >= at, lambda: None)

    @async_to_deferred
    async def test_a_policy_that_raises_for_one_request_delays_that_one(self) -> None:
        def broken(request: Any, worker: Any) -> bool:
            if 'picky' in request.properties:
                raise RuntimeError('filter defect')
            return True

        policy = Policy(filters=[*default_filters(), Filter('broken', broken)])
        await self.start_with(policy=policy)
        await self.request(picky=True, priority=5)
        other = await self.request()
        await self.started(1)
        self.assertEqual(await self.order(), [other])
        self.assertTrue(self.flushLoggedErrors(RuntimeError))
        await self.no_builds()

    @async_to_deferred
    async def test_a_request_that_names_a_busy_worker_is_not_forgotten_for_a_lock(self) -> None:
        lock = BranchLock('version')
        await self.start_with({'b': ('w1', 'w2'), 'c': ('w2',)}, recheck=3600)
        self.builder('b').config.locks = [lock.access('exclusive')]
        await self.request('b', workername='w1')
        await self.started(1)
        named = await self.request('b', workername='w1')
        await self.stays(lambda: True, 0.2)
        HeldStep.running[0].let_go()
        await self.until(lambda: HeldStep.running, 8)
        self.assertEqual((await self.order())[-1], named)
        await self.no_builds()
