# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from buildbot.config import ConfigErrors
from buildbot.locks import LockAccess
from buildbot.locks import WorkerLock
from buildbot.plugins import util
from buildbot.process.properties import Properties
from buildbot.util.eventual import flushEventualQueue
from buildbot.util.twisted import async_to_deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.trial.unittest import TestCase

from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.locks.realgroup import Group
from buildbot_balancer.locks.realgroup import RealGroupLock


class Someone:
    """Holds and waits."""


def real(lockid: WorkerGroupLock, master: Any = None) -> RealGroupLock:
    lock = RealGroupLock(lockid.name)
    if master is not None:
        lock.parent = SimpleNamespace(master=master)
    lock.updateFromLockId(lockid, 0)
    return lock


def a_master(balancer: Any = None, **workers: dict[str, Any]) -> Any:
    made = {}
    for name, properties in workers.items():
        made[name] = SimpleNamespace(properties=Properties(**properties))
    return SimpleNamespace(
        workers=SimpleNamespace(workers=made),
        reactor=SimpleNamespace(seconds=lambda: 0.0),
        service_manager=SimpleNamespace(namedServices={'balancer': balancer} if balancer else {}),
    )


class Config(SynchronousTestCase):
    def refused(self, *args: Any, **kwargs: Any) -> str:
        with self.assertRaises(ConfigErrors) as caught:
            WorkerGroupLock(*args, **kwargs)
        (error,) = caught.exception.errors
        self.assertNotIn('\n', error)
        return error

    def test_what_no_lock_could_mean_is_one_sentence(self) -> None:
        for said, arguments in {
            'name': {'name': ''},
            'maxCount must be': {'maxCount': -1},
            'maxCount must': {'maxCount': '2'},
            'not True': {'maxCount': True},
            'maxCountForGroup must be a dict': {'maxCountForGroup': [('a', 1)]},
            "maxCountForGroup['a'] must": {'maxCountForGroup': {'a': -1}},
            'maxCountForGroup: 5': {'maxCountForGroup': {5: 1}},
            'workerToGroup must be a dict': {'workerToGroup': ['w1']},
            "workerToGroup['w1'] must": {'workerToGroup': {'w1': None}},
            'workerToGroup: 3': {'workerToGroup': {3: 'g'}},
            'groupProperty must be': {'groupProperty': 5},
            'order must be': {'order': 'lifo'},
            'ageing must be': {'ageing': 0},
        }.items():
            error = self.refused(**{'name': 'host', **arguments})
            self.assertIn(said, error)
            self.assertTrue(error.startswith('WorkerGroupLock '), error)

    def test_an_access_that_nobody_could_have_is_one_sentence(self) -> None:
        lock = WorkerGroupLock('host', maxCount=2, maxCountForGroup={'big': 4})
        for mode, count in [('shared', 1), ('counting', -1), ('counting', 5), ('exclusive', 2)]:
            with self.assertRaises(ConfigErrors):
                lock.access(mode, count)
        self.assertEqual(lock.access('counting', 4).count, 4)
        # a lock that is closed on purpose may be asked for
        self.assertEqual(WorkerGroupLock('closed', maxCount=0).access('counting').count, 1)

    def test_it_is_accepted_where_a_worker_lock_is(self) -> None:
        lock = WorkerGroupLock('host')
        self.assertIsInstance(lock, WorkerLock)
        self.assertIsInstance(lock.access('exclusive'), LockAccess)
        self.assertEqual(lock.defaultAccess(), lock.access('counting'))

    def test_locks_that_mean_the_same_are_equal_and_others_are_not(self) -> None:
        def made(**more: Any) -> WorkerGroupLock:
            arguments = {'maxCountForGroup': {'a': 1, 'b': None}, 'workerToGroup': {'w': 'a'}}
            return WorkerGroupLock('host', **{**arguments, **more})

        self.assertEqual(made(), made(maxCountForGroup={'b': None, 'a': 1}))
        self.assertEqual(hash(made()), hash(made()))
        self.assertEqual(
            made(workerToGroup={'v': 'a', 'w': 'a'}), made(workerToGroup={'w': 'a', 'v': 'a'})
        )
        for other in [
            {'maxCount': 2},
            {'maxCountForGroup': {'a': 1}},
            {'workerToGroup': {'w': 'b'}},
            {'groupProperty': 'rack'},
            {'order': 'priority'},
        ]:
            self.assertNotEqual(made(), made(**other))
        globs = {'w*': 'a', '*1': 'b'}
        backwards = dict(reversed(list(globs.items())))
        self.assertNotEqual(made(workerToGroup=globs), made(workerToGroup=backwards))

    def test_accesses_with_different_renderables_are_different(self) -> None:
        lock = WorkerGroupLock('host')
        rack, room = (
            lock.access('counting', group=util.Property(name)) for name in ('rack', 'room')
        )
        self.assertNotEqual(rack, room)
        self.assertEqual(rack, lock.access('counting', group=util.Property('rack')))


class Groups(SynchronousTestCase):
    def group(self, lockid: WorkerGroupLock, name: str, master: Any = None) -> Group:
        return real(lockid, master).group_of(name)

    def test_exact_names_come_first_and_then_globs_in_the_order_of_the_dict(self) -> None:
        lock = WorkerGroupLock('l', workerToGroup={'w*': 'a', 'w1': 'b', '*': 'c'})
        self.assertEqual(
            [self.group(lock, name).name for name in ('w1', 'w2', 'v')], ['b', 'a', 'c']
        )

    def test_a_worker_in_no_group_is_one_of_its_own(self) -> None:
        lock = real(WorkerGroupLock('l', workerToGroup={'w1': 'w2'}))
        self.assertEqual(lock.group_of('w2'), Group('w2', own=True))
        first, second = lock.getLockForWorker('w1'), lock.getLockForWorker('w2')
        first.claim(self, lock.lockid.access('exclusive'))
        self.assertTrue(second.isAvailable(None, lock.lockid.access('exclusive')))

    def test_the_limit_for_a_name_is_that_of_the_group_if_there_is_one(self) -> None:
        lock = WorkerGroupLock('l', maxCountForGroup={'w2': 5, 'w3': 7}, workerToGroup={'w1': 'w2'})
        limits = [real(lock).getLockForWorker(f'w{n}').maxCount for n in (1, 2, 3, 4)]
        self.assertEqual(limits, [5, 1, 7, 1])

    def test_no_limit_is_none(self) -> None:
        lock = real(WorkerGroupLock('l', maxCount=None, maxCountForGroup={'b': 1}))
        door = lock.getLockForWorker('a')
        for _ in range(100):
            door.claim(Someone(), lock.lockid.access('counting', 1))
        self.assertFalse(door.isAvailable(None, lock.lockid.access('exclusive')))

    def test_a_property_of_the_worker_names_its_group(self) -> None:
        master = a_master(w1={'machine_name': 'm'}, w2={'machine_name': 7}, w3={}, w4={})
        lock = WorkerGroupLock('l', workerToGroup={'w4': 'x'}, groupProperty='machine_name')
        found = [self.group(lock, f'w{n}', master) for n in (1, 2, 3, 4, 5)]
        self.assertEqual(
            found,
            [Group('m'), Group('7'), Group('w3', own=True), Group('x'), Group('w5', own=True)],
        )

    def test_the_host_that_a_worker_reports_is_a_group(self) -> None:
        hosts = {'w1': 'abc', 'w2': 'abc', 'w3': None}
        for balancer in (
            SimpleNamespace(host_of=hosts.get),
            SimpleNamespace(
                standing=lambda n: SimpleNamespace(host=hosts[n]) if n in hosts else None
            ),
        ):
            master = a_master(balancer)
            lock = WorkerGroupLock('l', groupProperty='reported_host')
            groups = [self.group(lock, f'w{n}', master) for n in (1, 2, 3, 4)]
            self.assertEqual(groups[0], groups[1])
            self.assertTrue(groups[2].own)
            self.assertTrue(groups[3].own)
        self.assertTrue(self.group(lock, 'w1', a_master()).own)


class Reconfig(TestCase):
    def setUp(self) -> None:
        self.lockid = WorkerGroupLock('l', workerToGroup={'w1': 'a', 'w2': 'a', 'w3': 'b'})
        self.lock = real(self.lockid)
        self.one = self.lockid.access('counting')

    def door(self, number: int) -> Any:
        return self.lock.getLockForWorker(f'w{number}')

    def update(self, **arguments: Any) -> None:
        self.lock.updateFromLockId(WorkerGroupLock('l', **arguments), 1)

    def test_what_was_held_counts_on_both_sides_of_a_move(self) -> None:
        holder = Someone()
        self.door(1).claim(holder, self.one)
        self.update(workerToGroup={'w1': 'b', 'w2': 'a', 'w3': 'b'})
        for number in (1, 2, 3):
            self.assertFalse(self.door(number).isAvailable(None, self.one))
        self.assertTrue(self.door(1).isOwner(holder, self.one))
        self.door(1).release(holder, self.one)
        self.door(1).release(holder, self.one)
        for number in (1, 2, 3):
            self.assertTrue(self.door(number).isAvailable(None, self.one))

    @async_to_deferred
    async def test_who_waits_is_moved_with_the_worker(self) -> None:
        holders = [Someone(), Someone()]
        self.door(2).claim(holders[0], self.one)
        self.door(3).claim(holders[1], self.one)
        waiter = Someone()
        waits = self.door(1).waitUntilMaybeAvailable(waiter, self.one)
        self.update(workerToGroup={'w1': 'b', 'w2': 'a', 'w3': 'b'})
        self.door(2).release(holders[0], self.one)
        await flushEventualQueue()
        self.assertFalse(waits.called)
        self.door(3).release(holders[1], self.one)
        await flushEventualQueue()
        self.assertTrue(waits.called)
        self.door(1).claim(waiter, self.one)
        self.assertFalse(self.door(3).isAvailable(None, self.one))

    @async_to_deferred
    async def test_who_was_woken_and_has_not_claimed_claims_where_the_worker_is_now(self) -> None:
        holder, waiter = Someone(), Someone()
        self.door(2).claim(holder, self.one)
        waits = self.door(1).waitUntilMaybeAvailable(waiter, self.one)
        self.door(2).release(holder, self.one)
        self.door(3).claim(holder, self.one)
        self.update(workerToGroup={'w1': 'b', 'w2': 'a', 'w3': 'b'})
        await flushEventualQueue()
        self.assertTrue(waits.called)
        self.assertFalse(self.door(1).isAvailable(waiter, self.one))
        self.assertTrue(self.door(2).isAvailable(None, self.one))
        waits = self.door(1).waitUntilMaybeAvailable(waiter, self.one)
        self.door(3).release(holder, self.one)
        await flushEventualQueue()
        self.assertTrue(waits.called)

    @async_to_deferred
    async def test_stopping_a_wait_after_a_move_leaves_nothing(self) -> None:
        holder, waiter = Someone(), Someone()
        self.door(2).claim(holder, self.one)
        waits = self.door(1).waitUntilMaybeAvailable(waiter, self.one)
        self.update(workerToGroup={'w1': 'b', 'w2': 'a', 'w3': 'b'})
        self.door(1).stopWaitingUntilAvailable(waiter, self.one, waits)
        await flushEventualQueue()  # it was woken, for its new group is free
        self.assertTrue(waits.called)
        self.door(2).release(holder, self.one)
        self.assertEqual(self.lock.table._busy, {})

    @async_to_deferred
    async def test_a_raised_limit_wakes_and_a_lowered_one_does_not_revoke(self) -> None:
        holder, waiter = Someone(), Someone()
        self.door(1).claim(holder, self.one)
        waits = self.door(2).waitUntilMaybeAvailable(waiter, self.one)
        groups = self.lockid.workerToGroup
        self.update(maxCountForGroup={'a': 2}, workerToGroup=groups)
        await flushEventualQueue()
        self.assertTrue(waits.called)
        self.door(2).claim(waiter, self.one)
        self.update(workerToGroup=groups)
        self.assertTrue(self.door(1).isOwner(holder, self.one))
        self.assertTrue(self.door(2).isOwner(waiter, self.one))
        self.door(1).release(holder, self.one)
        self.assertFalse(self.door(1).isAvailable(None, self.one))

    def test_a_property_that_changes_moves_what_is_held_before_the_next_claim(self) -> None:
        master = a_master(w1={'rack': 'a'}, w2={'rack': 'b'})
        lock = real(WorkerGroupLock('l', groupProperty='rack'), master)
        one = lock.lockid.access('counting')
        lock.getLockForWorker('w1').claim(Someone(), one)
        master.workers.workers['w1'].properties.setProperty('rack', 'b', 'test')
        self.assertFalse(lock.getLockForWorker('w2').isAvailable(Someone(), one))

    def test_a_release_is_told_at_the_doors_of_the_group_and_at_no_others(self) -> None:
        told: list[int] = []
        for number in (1, 2, 3):
            self.door(number).subscribeToReleases(lambda number=number: told.append(number))
        holder = Someone()
        self.door(1).claim(holder, self.one)
        self.door(1).release(holder, self.one)
        self.assertEqual(sorted(told), [1, 2])


class NamedAtUse(TestCase):
    def setUp(self) -> None:
        self.lockid = WorkerGroupLock('l', workerToGroup={'w1': 'a'})
        self.lock = real(self.lockid)

    async def rendered(self, group: Any, **properties: Any) -> Any:
        access = self.lockid.access('counting', group=group)
        return await Properties(**properties).render(access)

    @async_to_deferred
    async def test_two_properties_can_mean_one_group(self) -> None:
        rack = await self.rendered(util.Property('rack'), rack='x')
        room = await self.rendered(util.Property('room'), room='x')
        self.lock.getLockForWorker('w1').claim(Someone(), rack)
        self.assertFalse(self.lock.getLockForWorker('w2').isAvailable(Someone(), room))
        plain = self.lockid.access('counting')
        self.assertTrue(self.lock.getLockForWorker('w1').isAvailable(Someone(), plain))

    @async_to_deferred
    async def test_it_names_the_same_groups_as_the_dict_does(self) -> None:
        named = await self.rendered('a')
        self.lock.getLockForWorker('w9').claim(Someone(), named)
        plain = self.lockid.access('counting')
        self.assertFalse(self.lock.getLockForWorker('w1').isAvailable(None, plain))

    @async_to_deferred
    async def test_no_name_is_the_group_of_the_worker(self) -> None:
        for empty in (None, ''):
            named = await self.rendered(util.Property('rack'), rack=empty)
            holder = Someone()
            door = self.lock.getLockForWorker('w1')
            door.claim(holder, named)
            self.assertFalse(door.isAvailable(None, self.lockid.access('counting')))
            door.release(holder, named)

    @async_to_deferred
    async def test_what_is_no_name_is_refused_with_a_sentence_and_raises_nothing(self) -> None:
        def broken(props: Any) -> str:
            raise ValueError('defect')

        door = self.lock.getLockForWorker('w1')
        for group in (['x'], util.renderer(broken)):
            named = await self.rendered(group)
            self.assertTrue(named.problem)
            self.assertTrue(door.isAvailable(None, named))  # a build is to start and say so
            self.assertFalse(door.isAvailable(Someone(), named))

    def test_before_it_is_rendered_nobody_knows_the_group(self) -> None:
        access = self.lockid.access('counting', group=util.Property('rack'))
        door = self.lock.getLockForWorker('w1')
        door.claim(Someone(), self.lockid.access('exclusive'))
        self.assertTrue(door.isAvailable(None, access))
        self.assertFalse(door.isAvailable(Someone(), access))

    @async_to_deferred
    async def test_groups_that_nobody_uses_any_more_are_forgotten(self) -> None:
        door = self.lock.getLockForWorker('w1')
        for number in range(1000):
            named = await self.rendered(f'x{number}')
            holder = Someone()
            door.claim(holder, named)
            door.release(holder, named)
        self.assertLess(len(self.lock.table), 3)
