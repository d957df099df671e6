# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import gc
import time
import weakref
from typing import Any
from unittest.mock import Mock

from buildbot.locks import LockAccess
from buildbot.locks import MasterLock
from buildbot.process.build import Build
from buildbot.process.buildrequest import BuildRequest
from buildbot.util.eventual import flushEventualQueue
from buildbot.util.twisted import async_to_deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.trial.unittest import TestCase

from buildbot_balancer.locks import semaphore
from buildbot_balancer.locks.semaphore import Semaphore
from buildbot_balancer.locks.turns import Turns

LOCK = MasterLock('l')
ALONE = LockAccess(LOCK, 'exclusive')


def units(count: int = 1) -> LockAccess:
    return LockAccess(LOCK, 'counting', count)


class Requester:
    """As Buildbot's builds and steps do it: woken, it looks again."""

    def __init__(self, *wants: tuple[Any, LockAccess]) -> None:
        self.wants = wants
        self.stopped = False
        self.claimed = False
        self._acquiringLock: Any = None

    def acquire(self, _: Any = None) -> Any:
        self._acquiringLock = None
        if self.stopped:
            return None
        for lock, access in self.wants:
            if not lock.isAvailable(self, access):
                d = lock.waitUntilMaybeAvailable(self, access)
                d.addCallback(self.acquire)
                self._acquiringLock = (lock, access, d)
                return d
        for lock, access in self.wants:
            lock.claim(self, access)
        self.claimed = True
        return None

    def stop(self) -> None:
        self.stopped = True
        if self._acquiringLock:
            lock, access, d = self._acquiringLock
            lock.stopWaitingUntilAvailable(self, access, d)

    def release(self) -> None:
        self.claimed = False
        for lock, access in self.wants:
            lock.release(self, access)


def a_request(priority: int = 0) -> BuildRequest:
    request = BuildRequest()
    request.priority = priority
    return request


def a_build(priority: int = 0) -> Build:
    build = Build.__new__(Build)
    build.requests = [a_request(priority)]
    build.builder, build.number, build.results = Mock(), None, None
    return build


def begin(*requesters: Requester) -> None:
    for one in requesters:
        one.acquire()


def claimed(*requesters: Requester) -> list[bool]:
    return [one.claimed for one in requesters]


class Serving(TestCase):
    @async_to_deferred
    async def test_nobody_light_overtakes_a_heavy_waiter(self) -> None:
        lock = Semaphore('l', 3)
        first, heavy, light = (Requester((lock, units(n))) for n in (2, 2, 1))
        begin(first, heavy, light)
        await flushEventualQueue()
        self.assertEqual(claimed(first, heavy, light), [True, False, False])
        self.assertFalse(lock.isAvailable(None, units(1)))
        first.release()
        await flushEventualQueue()
        self.assertEqual(claimed(heavy, light), [True, True])

    @async_to_deferred
    async def test_one_that_wants_more_than_the_limit_waits_and_holds_up_nobody(self) -> None:
        lock = Semaphore('l', 2)
        giant, small = Requester((lock, units(3))), Requester((lock, units(1)))
        begin(giant, small)
        await flushEventualQueue()
        self.assertEqual(claimed(giant, small), [False, True])
        self.assertTrue(lock.never(units(3)))
        self.assertEqual([s.requester for s in lock.picture().never], [giant])
        self.assertFalse(lock.isAvailable(None, units(3)))
        lock.setMaxCount(3)
        small.release()
        await flushEventualQueue()
        self.assertTrue(giant.claimed)

    @async_to_deferred
    async def test_raising_a_limit_wakes_who_waits_at_once(self) -> None:
        lock = Semaphore('l', 0)
        waiters = [Requester((lock, units())) for _ in range(4)]
        begin(*waiters)
        lock.setMaxCount(2)
        await flushEventualQueue()
        self.assertEqual(claimed(*waiters), [True, True, False, False])
        lock.setMaxCount(None)
        await flushEventualQueue()
        self.assertEqual(claimed(*waiters), [True] * 4)

    @async_to_deferred
    async def test_lowering_a_limit_revokes_nothing_and_takes_offers_back(self) -> None:
        lock = Semaphore('l', 2)
        holders = [Requester((lock, units())) for _ in range(2)]
        waiters = [Requester((lock, units())) for _ in range(2)]
        begin(*holders, *waiters)
        for holder in holders:
            holder.release()
        lock.setMaxCount(1)  # both are woken, neither has claimed
        await flushEventualQueue()
        self.assertEqual(claimed(*waiters), [True, False])
        lock.setMaxCount(0)
        self.assertTrue(lock.isOwner(waiters[0], units()))
        waiters[0].release()
        await flushEventualQueue()
        self.assertFalse(waiters[1].claimed)
        lock.setMaxCount(1)
        await flushEventualQueue()
        self.assertTrue(waiters[1].claimed)

    @async_to_deferred
    async def test_whoever_stops_waiting_lets_the_next_ones_in(self) -> None:
        # with Buildbot's own lock the light one waits until something is released
        lock = Semaphore('l', 2)
        holder, heavy, light = (Requester((lock, units(n))) for n in (1, 2, 1))
        begin(holder, heavy, light)
        heavy.stop()
        await flushEventualQueue()
        self.assertTrue(light.claimed)

    @async_to_deferred
    async def test_a_release_counts_once_and_needs_no_claim(self) -> None:
        lock = Semaphore('l', 1)
        holder, other = Requester((lock, units())), Requester((lock, units()))
        lock.release(other, units())
        begin(holder, other)
        lock.release(other, units())
        self.assertTrue(lock.isOwner(holder, units()))
        holder.release()
        holder.release()
        await flushEventualQueue()
        self.assertTrue(other.claimed)
        self.assertEqual(lock.picture().taken, 1)

    def test_access_to_no_units_is_free_whatever_is_held(self) -> None:
        lock = Semaphore('l', 1)
        holder, free = Requester((lock, ALONE)), Requester((lock, units(0)))
        begin(holder, free)
        self.assertTrue(free.claimed)
        free.release()
        self.assertFalse(lock.isAvailable(None, units(1)))

    def test_exclusive_access_is_alone_whatever_the_limit(self) -> None:
        for limit in (0, 1, 5, None):
            lock = Semaphore('l', limit)
            self.assertTrue(lock.isAvailable(None, ALONE))
            begin(Requester((lock, ALONE)))
            self.assertFalse(lock.isAvailable(None, ALONE))
            self.assertFalse(lock.isAvailable(None, units(1)))
            self.assertEqual(lock.picture().free, 0)

    def test_the_same_lock_twice_in_one_list_is_held_once(self) -> None:
        # Buildbot asks for both, then claims both: its own lock raises, and the worker is lost
        lock = Semaphore('l', 1)
        twice = Requester((lock, units()), (lock, units()))
        begin(twice)
        self.assertTrue(twice.claimed)
        lock.release(twice, units())
        self.assertFalse(lock.isAvailable(None, units()))
        lock.release(twice, units())
        self.assertTrue(lock.isAvailable(None, units()))

    def test_a_stop_that_comes_twice_or_too_late_is_quiet(self) -> None:
        lock = Semaphore('l', 1)
        holder, waiter = Requester((lock, units())), Requester((lock, units()))
        begin(holder, waiter)
        _, access, d = waiter._acquiringLock
        waiter.stop()
        lock.stopWaitingUntilAvailable(waiter, access, d)
        self.assertEqual(lock.picture().waiting, ())

    @async_to_deferred
    async def test_releases_limits_and_stops_are_told_to_subscribers(self) -> None:
        told: list[int] = []
        lock = Semaphore('l', 1)
        lock.subscribeToReleases(lambda: told.append(1))
        holder, waiter = Requester((lock, units())), Requester((lock, units()))
        begin(holder, waiter)
        self.assertEqual(told, [])
        waiter.stop()
        self.assertEqual(len(told), 1)
        holder.release()
        self.assertEqual(len(told), 2)
        lock.setMaxCount(5)
        self.assertEqual(len(told), 3)


class SeveralLocks(TestCase):
    @async_to_deferred
    async def test_who_waits_for_one_lock_does_not_block_another(self) -> None:
        # with Buildbot's own locks the first waiter keeps its place at `a` while it waits for `b`
        a, b = Semaphore('a', 1), Semaphore('b', 1)
        holds_a, holds_b = Requester((a, units())), Requester((b, units()))
        both, only_a = Requester((a, units()), (b, units())), Requester((a, units()))
        begin(holds_a, holds_b, both, only_a)
        holds_a.release()
        await flushEventualQueue()
        self.assertEqual(claimed(both, only_a), [False, True])

    @async_to_deferred
    async def test_who_went_on_to_another_lock_has_its_turn_when_it_comes_back(self) -> None:
        a, b = Semaphore('a', 1), Semaphore('b', 1)
        holds_a, holds_b = Requester((a, units())), Requester((b, units()))
        both, second, third = (
            Requester((a, units()), (b, units())),
            Requester((a, units())),
            Requester((a, units())),
        )
        begin(holds_a, holds_b, both, second, third)
        holds_a.release()
        await flushEventualQueue()
        self.assertTrue(second.claimed)
        holds_b.release()
        await flushEventualQueue()  # `both` waits for `a` again, before `third`
        second.release()
        await flushEventualQueue()
        self.assertEqual(claimed(both, third), [True, False])

    @async_to_deferred
    async def test_two_locks_in_opposite_orders_do_not_block_each_other_for_ever(self) -> None:
        a, b = Semaphore('a', 1), Semaphore('b', 1)
        holder = Requester((a, units()), (b, units()))
        one = Requester((a, units()), (b, units()))
        two = Requester((b, units()), (a, units()))
        begin(holder, one, two)
        holder.release()
        await flushEventualQueue()
        await flushEventualQueue()
        self.assertEqual(sorted(claimed(one, two)), [False, True])
        (one if one.claimed else two).release()
        await flushEventualQueue()
        await flushEventualQueue()
        self.assertEqual(len([r for r in (one, two) if r.claimed]), 1)

    @async_to_deferred
    async def test_one_that_is_stopped_while_it_is_woken_leaves_nothing_behind(self) -> None:
        lock = Semaphore('l', 1)
        holder, stopped, last = (Requester((lock, units())) for _ in range(3))
        begin(holder, stopped, last)
        holder.release()
        stopped.stop()
        await flushEventualQueue()
        self.assertTrue(last.claimed)
        last.release()
        self.assertTrue(lock.idle)


class Order(TestCase):
    @async_to_deferred
    async def test_what_runs_goes_before_pending_requests(self) -> None:
        lock = Semaphore('l', 1)
        holder = Requester((lock, units()))
        begin(holder)
        request, step = a_request(priority=100), Requester((lock, units()))
        waits = lock.join(request, units())
        begin(step)
        self.assertEqual([s.requester for s in lock.picture().waiting], [step, request])
        holder.release()
        await flushEventualQueue()
        self.assertTrue(step.claimed)
        self.assertFalse(waits.called)
        lock.give_up(request)

    def waiting(self, lock: Semaphore) -> list[Any]:
        return [share.requester for share in lock.picture().waiting]

    def test_fifo_takes_no_notice_of_priority(self) -> None:
        lock = Semaphore('l', 1)
        lock.claim(self, ALONE)
        low, high = a_build(0), a_build(9)
        lock.join(low, units())
        lock.join(high, units())
        self.assertEqual(self.waiting(lock), [low, high])

    def test_by_priority_the_higher_one_comes_first(self) -> None:
        lock = Semaphore('l', 1, Turns('priority', 600, Clock().seconds))
        lock.claim(self, ALONE)
        builds = [a_build(priority) for priority in (0, 5, 1)]
        for build in builds:
            lock.join(build, units())
        self.assertEqual(self.waiting(lock), [builds[1], builds[2], builds[0]])

    def test_waiting_raises_a_priority(self) -> None:
        clock = Clock()
        lock = Semaphore('l', 1, Turns('priority', 600, clock.seconds))
        lock.claim(self, ALONE)
        patient, urgent, late = a_build(0), a_build(1), a_build(1)
        lock.join(patient, units())
        clock.advance(599)
        lock.join(urgent, units())
        clock.advance(2)
        lock.join(late, units())
        self.assertEqual(self.waiting(lock), [urgent, patient, late])

    def test_a_newcomer_of_higher_priority_need_not_wait_behind_a_heavy_waiter(self) -> None:
        lock = Semaphore('l', 2, Turns('priority', 600, Clock().seconds))
        lock.claim(a_build(), units(1))
        lock.join(a_build(0), units(2))
        self.assertTrue(lock.isAvailable(a_build(3), units(1)))
        self.assertFalse(lock.isAvailable(a_build(0), units(1)))
        self.assertFalse(lock.isAvailable(None, units(1)))


class Reserving(TestCase):
    def test_what_is_reserved_is_kept_and_claimed_by_the_build(self) -> None:
        lock = Semaphore('l', 1)
        request, build = a_request(), a_build()
        self.assertTrue(lock.reserve(request, units()))
        self.assertFalse(lock.isAvailable(None, units()))
        self.assertFalse(lock.reserve(a_request(), units()))
        self.assertTrue(lock.hand_over(request, build))
        lock.setMaxCount(0)  # what is promised is not revoked
        self.assertTrue(lock.isAvailable(build, units()))
        lock.claim(build, units())
        self.assertEqual(lock.picture().offered, ())
        lock.release(build, units())
        self.assertTrue(lock.idle)

    @async_to_deferred
    async def test_giving_a_reservation_up_wakes_who_waits(self) -> None:
        lock = Semaphore('l', 1)
        request, waiter = a_request(), Requester((lock, units()))
        lock.reserve(request, units())
        begin(waiter)
        await flushEventualQueue()
        self.assertFalse(waiter.claimed)
        lock.give_up(request)
        lock.give_up(request)
        await flushEventualQueue()
        self.assertTrue(waiter.claimed)

    def test_exclusive_access_can_be_reserved(self) -> None:
        lock = Semaphore('l', 5)
        request = a_request()
        self.assertTrue(lock.reserve(request, ALONE))
        self.assertFalse(lock.isAvailable(None, units(1)))
        self.assertTrue(lock.isAvailable(request, ALONE))
        lock.give_up(request)
        self.assertTrue(lock.isAvailable(None, units(5)))

    @async_to_deferred
    async def test_an_answer_that_others_overrule_is_asked_for_again_at_the_next_wake(self) -> None:
        # as a reservation for stock locks does it: an instance attribute over isAvailable
        lock = Semaphore('l', 1)
        allowed = False
        own = lock.isAvailable
        lock.isAvailable = lambda who, access: allowed and own(who, access)  # type: ignore[method-assign]
        waiter = Requester((lock, units()))
        begin(waiter)
        await flushEventualQueue()
        self.assertFalse(waiter.claimed)
        allowed = True
        lock._wake()
        await flushEventualQueue()
        self.assertTrue(waiter.claimed)


class Memory(TestCase):
    def test_a_turn_is_kept_only_as_long_as_its_requester_lives(self) -> None:
        a, b = Semaphore('a', 1), Semaphore('b', 1)
        waiter = Requester((a, units()), (b, units()))
        line = a._line
        line.keep_turn(line.make(waiter, units(), Turns(), None))
        self.assertEqual(len(line._kept_turns), 1)
        gone = weakref.ref(waiter)
        line.leave(line.of(waiter))
        del waiter
        gc.collect()
        self.assertIsNone(gone())
        self.assertEqual(len(line._kept_turns), 0)
        self.assertTrue(b.idle)

    def test_waiters_that_come_and_go_leave_no_places(self) -> None:
        lock = Semaphore('l', 1)
        begin(Requester((lock, units())), Requester((lock, units())))
        for _ in range(10_000):
            passing = Requester((lock, units()))
            begin(passing)
            passing.stop()
        self.assertLess(len(lock._line._places), 300)


class Cost(SynchronousTestCase):
    def setUp(self) -> None:
        self.woken: list[Any] = []
        self.patch(semaphore, 'eventually', lambda call, *args: self.woken.append((call, args)))

    def seconds_for(self, count: int) -> float:
        """Everybody waits, every tenth stops, the rest is served one by one."""
        lock = Semaphore('l', 1)
        holder = Requester((lock, units()))
        begin(holder)
        waiters = [Requester((lock, units())) for _ in range(count)]
        gc.collect()
        gc.disable()  # what it costs depends on all else that is in memory
        try:
            before = time.process_time()
            begin(*waiters)
            for waiter in waiters[::10]:
                waiter.stop()
            holder.release()
            for waiter in waiters:
                for call, args in self.woken:
                    call(*args)
                self.woken.clear()
                if waiter.claimed:
                    waiter.release()
            seconds = time.process_time() - before
        finally:
            gc.enable()
        self.assertTrue(lock.idle)
        return seconds

    def test_ten_times_the_waiters_cost_about_ten_times_as_much_in_all(self) -> None:
        # a list that is searched at each operation would cost a hundred times as much
        few = min(self.seconds_for(1_000) for _ in range(5))
        many = min(self.seconds_for(10_000) for _ in range(3))
        self.assertLess(many / few, 15)
