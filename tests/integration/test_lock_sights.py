# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from buildbot.plugins import steps
from buildbot.plugins import util
from buildbot.plugins import worker
from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.masters import MasterCase
from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet import task

from buildbot_balancer.explain.event import HELD
from buildbot_balancer.explain.event import WAITED
from buildbot_balancer.explain.event import Event
from buildbot_balancer.explain.sights import LockSight
from buildbot_balancer.master.locks.ledger import Ledger
from buildbot_balancer.master.sight.locksights import LockSights

PLACES = {'a': ('w1',), 'b': ('w2',)}
NAMES = ('w1', 'w2')
STOCK = util.MasterLock('stock')
DISK = util.WorkerLock('disk')
HOST = util.WorkerGroupLock('host', workerToGroup={'w*': 'esx1'})
VERSION = util.BranchLock('version')


def whats(shares: Any) -> list[str]:
    return [one.what for one in shares]


class SightCase(MasterCase):
    """Builder 'a' on w1, 'b' on w2, unless told otherwise; each runs one step that is held."""

    proto = 'null'

    async def begin(self, *locks: Any, **more: Any) -> None:
        builder = {'locks': [one.access('exclusive') for one in locks]}
        services = [util.Balancer(recheck=600, **more.pop('balancer', {}))]
        given = {'names': NAMES, 'builders': PLACES, 'builder': builder, 'services': services}
        await self.start(**{**given, **more})
        await self.watch()

    async def watch(self) -> None:
        self.events: list[Event] = []
        self.changed: list[tuple[str, str]] = []
        self.ledger: Ledger = self.balancer._parts.ledger
        self.ledger.record = self.events.append
        self.ledger.tell = lambda name, group: self.changed.append((name, group))
        self.sights = LockSights(self.master, self.ledger)
        await self.ledger.start()
        self.addCleanup(self.end)

    async def end(self) -> None:
        while any(one.building for one in self.master.botmaster.builders.values()):
            self.let_all_go()
            await task.deferLater(reactor, 0.02)
        await self.ledger.stop()

    def one(self, name: str) -> LockSight:
        """The row of the only part of it that is used, or of all."""
        (found,) = self.sights.named(name)
        return found

    def ended(self, kind: str) -> list[tuple[Any, ...]]:
        found = [one for one in self.events if one.kind == kind]
        return [(one.lock, one.group, one.builder, one.worker) for one in found]

    async def waits(self, name: str, count: int = 1) -> tuple[Any, ...]:
        await self.until(lambda: len(self.one(name).waiters) >= count)
        return self.one(name).waiters


class OfBuilders(SightCase):
    async def one_after_the_other(self, lock: Any, group: str, **more: Any) -> None:
        """Both builders want it; the second has to wait as a request."""
        before = reactor.seconds()
        await self.begin(lock, **more)
        first = await self.request('a')
        await self.started(1)
        second = await self.request('b' if 'b' in more.get('builders', PLACES) else 'a')
        (waiter,) = await self.waits(lock.name)
        found = self.one(lock.name)
        (holder,) = found.holders
        (build,) = await self.builds()
        self.assertEqual((found.group, found.max, found.held), (group, 1, 1))
        self.assertEqual((holder.what, holder.mode), ('a #1', 'exclusive'))
        self.assertEqual((holder.buildid, holder.buildrequestid), (build['buildid'], first))
        self.assertEqual((holder.builderid, holder.worker), (build['builderid'], 'w1'))
        self.assertTrue(before <= holder.since <= waiter.since <= reactor.seconds())
        named = await self.master.data.get(('builders', waiter.builderid))
        self.assertEqual(waiter.what, f'request {second} of {named["name"]}')
        self.assertEqual((waiter.mode, waiter.buildrequestid), ('exclusive', second))
        self.assertRegex(found.summary, r': 1 of 1 held by a #1 \(alone, for \d+ s\); next: req')
        self.let_all_go()
        await self.until(lambda: whats(self.one(lock.name).holders) not in ([], ['a #1']))
        await self.started(1)
        self.assertEqual(self.one(lock.name).waiters, ())
        self.assertEqual(self.ended(HELD), [(lock.name, group or None, 'a', 'w1')])
        (waited,) = [one for one in self.events if one.kind == WAITED]
        self.assertEqual((waited.lock, waited.request), (lock.name, second))
        self.assertGreater(waited.duration, 0)
        self.assertIn((lock.name, group), self.changed)

    @async_to_deferred
    async def test_a_lock_of_buildbots_own(self) -> None:
        await self.one_after_the_other(STOCK, '')

    @async_to_deferred
    async def test_a_lock_of_each_worker(self) -> None:
        builders = {'a': ('w1',), 'b': ('w1',)}
        await self.one_after_the_other(DISK, 'w1', builders=builders)

    @async_to_deferred
    async def test_a_lock_of_a_group(self) -> None:
        await self.one_after_the_other(HOST, 'esx1')

    @async_to_deferred
    async def test_a_lock_of_a_branch(self) -> None:
        await self.one_after_the_other(VERSION, 'main')

    @async_to_deferred
    async def test_where_buildbots_own_distributor_chooses(self) -> None:
        builders = {**PLACES, 'unserved': ('w2',)}
        served = {'builders': ['a', 'b']}
        await self.one_after_the_other(STOCK, '', builders=builders, balancer=served)

    @async_to_deferred
    async def test_in_a_line_where_buildbots_own_distributor_chooses(self) -> None:
        builders = {**PLACES, 'unserved': ('w2',)}
        served = {'builders': ['a', 'b']}
        await self.one_after_the_other(HOST, 'esx1', builders=builders, balancer=served)

    @async_to_deferred
    async def test_requests_come_in_their_order_and_leave_when_they_are_cancelled(self) -> None:
        names = ('w1', 'w2', 'w3')
        await self.begin(HOST, names=names, builders={n: (w,) for n, w in zip('abc', names)})
        await self.request('a')
        await self.started(1)
        second, third = await self.request('b'), await self.request('c')
        await self.waits('host', 2)
        requests = [f'request {second} of b', f'request {third} of c']
        self.assertEqual(whats(self.one('host').waiters), requests)
        where = ('buildrequests', str(second))
        await self.master.data.control('cancel', {'reason': 'test'}, where)
        await self.until(lambda: whats(self.one('host').waiters) == requests[1:])

    @async_to_deferred
    async def test_a_request_that_waits_for_two_locks_is_seen_at_both(self) -> None:
        locks = (HOST, VERSION)
        await self.begin(*locks)
        await self.request('a')
        await self.started(1)
        second = await self.request('b')
        for lock in locks:
            (waiter,) = await self.waits(lock.name)
            self.assertEqual(waiter.what, f'request {second} of b')
        self.assertEqual([one.name for one in self.sights.awaited_by(second)], ['host', 'version'])

    @async_to_deferred
    async def test_what_is_kept_for_a_build_that_prepares_is_said(self) -> None:
        for lock in (STOCK, HOST):
            await self.begin(lock)
            gate: defer.Deferred[None] = defer.Deferred()
            stock = self.master.data.updates.addBuild

            def gated(*args: Any, stock: Any = stock, gate: Any = gate, **kwargs: Any) -> Any:
                return gate.addCallback(lambda _: stock(*args, **kwargs))

            self.master.data.updates.addBuild = gated
            number = await self.request('a')
            await self.until(lambda lock=lock: self.one(lock.name).holders)
            await self.until(lambda: len(self.master.botmaster.builders['a'].building))
            (holder,) = self.one(lock.name).holders
            self.assertEqual(holder.what, f'request {number} of a (about to start)')
            self.assertEqual((holder.buildid, self.one(lock.name).held), (None, 1))
            gate.callback(None)
            await self.started(1)
            self.assertEqual(whats(self.one(lock.name).holders), ['a #1'])
            await self.end()


class OfSteps(SightCase):
    @async_to_deferred
    async def test_a_step_holds_and_another_one_waits(self) -> None:
        for lock in (STOCK, HOST):
            access = lock.access('exclusive')
            await self.begin(steps=lambda access=access: [HeldStep(locks=[access])])
            await self.request('a')
            await self.started(1)
            await self.request('b')
            (waiter,) = await self.waits(lock.name)
            (holder,) = self.one(lock.name).holders
            self.assertEqual(holder.what, "step 'held' of a #1")
            self.assertEqual((waiter.what, waiter.worker), ("step 'held' of b #1", 'w2'))
            self.assertGreaterEqual(waiter.since, holder.since)
            self.let_all_go()
            await self.until(lambda: len(self.ended(WAITED)) == 1)
            group = self.one(lock.name).group or None
            self.assertEqual(self.ended(HELD), [(lock.name, group, 'a', 'w1')])
            self.assertEqual(self.ended(WAITED), [(lock.name, group, 'b', 'w2')])
            await self.end()

    @async_to_deferred
    async def test_a_group_of_steps_holds_it_as_one(self) -> None:
        access = STOCK.access('exclusive')

        def group() -> list[Any]:
            return [steps.StepGroup(name='test', locks=[access], steps=[HeldStep(), HeldStep()])]

        await self.begin(steps=group)
        await self.request('a')
        for _ in range(2):
            await self.started(1)
            self.assertEqual(whats(self.one('stock').holders), ["step 'test' of a #1"])
            self.assertEqual(self.events, [])
            self.let_all_go()
        await self.until(lambda: self.ended(HELD) == [('stock', None, 'a', 'w1')])

    @async_to_deferred
    async def test_a_step_that_is_stopped_while_it_waits_waits_no_more(self) -> None:
        for lock in (STOCK, HOST):
            access = lock.access('exclusive')
            await self.begin(steps=lambda access=access: [HeldStep(locks=[access])])
            await self.request('a')
            await self.started(1)
            await self.request('b')
            (waiter,) = await self.waits(lock.name)
            where = ('builds', str(waiter.buildid))
            await self.master.data.control('stop', {'reason': 'test'}, where)
            await self.until(lambda lock=lock: not self.one(lock.name).waiters)
            await self.end()
            self.assertEqual(self.ended(WAITED), [])


class OfWorkers(SightCase):
    @async_to_deferred
    async def test_each_build_on_the_worker_is_named(self) -> None:
        box = util.MasterLock('box', 2).access('counting')
        workers = [worker.LocalWorker('w1', missing_timeout=0, max_builds=2, locks=[box])]
        builders = {'a': ('w1',), 'b': ('w1',)}
        await self.begin(names=('w1',), workers=workers, builders=builders)
        await self.request('a')
        await self.started(1)
        await self.request('b')
        await self.started(2)
        found = self.one('box').holders
        self.assertEqual(whats(found), ['worker w1 (a #1)', 'worker w1 (b #1)'])
        self.assertLess(found[0].since, found[1].since)
        (last,) = [one for one in HeldStep.running if one.build.builder.name == 'b']
        last.let_go()
        await self.until(lambda: self.ended(HELD))
        self.assertEqual(self.ended(HELD), [('box', None, 'b', 'w1')])
        self.assertEqual(whats(self.one('box').holders), ['worker w1 (a #1)'])


class Reconfig(SightCase):
    @async_to_deferred
    async def test_who_holds_a_lock_before_the_ledger_begins_is_known(self) -> None:
        await self.begin(STOCK)
        await self.request('a')
        await self.started(1)
        await self.ledger.stop()
        await self.ledger.start()
        (holder,) = self.one('stock').holders
        self.assertEqual((holder.what, holder.since), ('a #1', None))
        self.assertEqual(self.one('stock').summary, 'stock: 1 of 1 held by a #1 (alone)')
        self.let_all_go()
        await self.until(lambda: not self.one('stock').holders)
        self.assertEqual(self.events, [])

    @async_to_deferred
    async def test_a_lock_that_leaves_the_config_is_shown_while_it_is_held(self) -> None:
        await self.begin(STOCK)
        self.assertEqual([one.name for one in self.sights.all()], ['stock'])
        await self.request('a')
        await self.started(1)
        for one in self.config['builders']:
            one.locks = [HOST.access('counting')]
        self.master.config_loader.config_dict = self.config
        await self.master.reconfig()
        await self.ledger.start()
        shown = {one.name: one.held for one in self.sights.all()}
        self.assertEqual(shown, {'stock': 1, 'host': 0})
        self.let_all_go()
        await self.until(lambda: [one.name for one in self.sights.all()] == ['host'])
