# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from buildbot.locks import LockAccess
from buildbot.locks import MasterLock
from buildbot.locks import RealMasterLock
from buildbot.process.buildrequest import BuildRequest
from buildbot.util import eventual
from support.lock_actors import settle
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.master.distribution.releases import Releases
from buildbot_balancer.master.distribution.rows import Obstacle


def a_request(number: int, branch: str = 'x') -> BuildRequest:
    made = BuildRequest()
    made.id, made.priority, made.submittedAt = number, 0, number
    made.sources = {'': SimpleNamespace(branch=branch, codebase='')}
    return made


def a_door(lockid: BranchLock) -> Any:
    real = lockid.lockClass(lockid.name)
    real.updateFromLockId(lockid, 0)
    return real.getLockForWorker('w')


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        settle()
        eventual._setReactor(self.clock)
        self.addCleanup(eventual._setReactor)
        self.addCleanup(settle)
        self.woken: list[list[str]] = []
        self.releases = Releases(lambda builders: self.woken.append(sorted(builders)))


class OfOneLock(Case):
    def setUp(self) -> None:
        super().setUp()
        self.lockid = MasterLock('l', 1)
        self.access = LockAccess(self.lockid, 'counting')
        self.lock = RealMasterLock('l')
        self.lock.updateFromLockId(self.lockid, 0)
        self.lock.claim(self, self.access)


class OfBuildbotsLocks(OfOneLock):
    def test_all_that_wait_are_woken_by_one_release_and_once(self) -> None:
        for name in ('b', 'a', 'b'):
            self.releases.wait(name, a_request(1), self.lock, self.access)
        self.assertEqual(len(self.releases), 1)
        for _ in range(2):
            self.lock.release(self, self.access)
            self.lock.claim(self, self.access)
        self.assertEqual(self.woken, [['a', 'b']])
        self.assertEqual(len(self.releases), 0)
        self.assertFalse(self.lock.release_subs.subscriptions)

    def test_who_waits_again_while_it_is_woken_is_woken_again(self) -> None:
        def again(builders: Any) -> None:
            self.woken.append(sorted(builders))
            self.releases.wait('a', a_request(1), self.lock, self.access)

        self.releases = Releases(again)
        self.releases.wait('a', a_request(1), self.lock, self.access)
        for _ in range(2):
            self.lock.release(self, self.access)
            self.lock.claim(self, self.access)
        self.assertEqual(self.woken, [['a'], ['a']])

    def test_another_lock_wakes_nobody_here(self) -> None:
        other = RealMasterLock('l')
        other.updateFromLockId(self.lockid, 0)
        self.releases.wait('a', a_request(1), self.lock, self.access)
        other.claim(self, self.access)
        other.release(self, self.access)
        self.assertEqual(self.woken, [])

    def test_stopped_nobody_is_woken_and_nothing_is_left_behind(self) -> None:
        self.releases.wait('a', a_request(1), self.lock, self.access)
        self.releases.stop()
        self.lock.release(self, self.access)
        self.assertEqual((self.woken, len(self.releases)), ([], 0))
        self.assertFalse(self.lock.release_subs.subscriptions)


class Requests(OfOneLock):
    """They sleep until a release can help them."""

    def sleep(self, number: int, key: int = 0, alike: Any = 'lane', **more: Any) -> None:
        one = Obstacle(self.lock, more.get('access', self.access), a_request(number))
        self.releases.sleep(number, (key,), [one], alike)

    def release(self) -> None:
        self.lock.release(self, self.access)
        self.lock.claim(self, self.access)

    def test_a_release_wakes_the_first_of_those_that_are_alike(self) -> None:
        self.sleep(1, key=5)
        self.sleep(2, key=3)
        self.release()
        self.assertEqual(self.woken, [[2]])

    def test_each_lane_and_each_number_of_units_has_its_own_first(self) -> None:
        self.sleep(1)
        self.sleep(2, alike='another lane')
        self.sleep(3, access=LockAccess(self.lockid, 'exclusive'))
        self.sleep(4)
        self.release()
        self.assertEqual(self.woken, [[1, 2, 3]])

    def test_those_without_a_lane_are_all_woken(self) -> None:
        for number in (1, 2, 3):
            self.sleep(number, alike=None)
        self.release()
        self.assertEqual(self.woken, [[1, 2, 3]])

    def test_when_the_first_has_gone_the_next_is_woken(self) -> None:
        for number in (1, 2, 3):
            self.sleep(number)
        self.release()
        self.releases.gone(1)
        self.releases.gone(2)
        self.assertEqual(self.woken, [[1], [2], [3]])

    def test_when_it_is_refused_again_nobody_is_until_the_next_release(self) -> None:
        for number in (1, 2):
            self.sleep(number)
        self.release()
        self.sleep(1)
        self.assertEqual(self.woken, [[1]])
        self.release()
        self.assertEqual(self.woken, [[1], [1]])

    def test_when_it_waits_for_another_lock_by_now_the_next_is_woken(self) -> None:
        other = RealMasterLock('o')
        other.updateFromLockId(MasterLock('o'), 0)
        for number in (1, 2):
            self.sleep(number)
        self.release()
        self.releases.sleep(1, (0,), [Obstacle(other, self.access, a_request(1))], 'lane')
        self.assertEqual(self.woken, [[1], [2]])

    def test_one_that_was_woken_and_is_not_looked_at_yet_is_still_the_first(self) -> None:
        for number in (1, 2):
            self.sleep(number)
        self.release()
        self.release()
        self.assertEqual(self.woken, [[1], [1]])
        self.releases.gone(1)
        self.assertEqual(self.woken[2:], [[2]])

    def test_one_that_needs_it_on_several_workers_leaves_it_once(self) -> None:
        one = Obstacle(self.lock, self.access, a_request(1))
        self.releases.sleep(1, (0,), [one, one], 'lane')
        self.releases.gone(1)
        self.assertEqual(len(self.releases), 0)
        self.assertFalse(self.lock.release_subs.subscriptions)

    def test_when_all_are_forgotten_nothing_is_left_behind(self) -> None:
        for number in (1, 2):
            self.sleep(number)
        self.releases.forget_requests()
        self.assertEqual(len(self.releases), 0)
        self.release()
        self.releases.gone(1)
        self.assertEqual(self.woken, [])


class OfOurLocks(Case):
    def setUp(self) -> None:
        super().setUp()
        self.lockid = BranchLock('l', 1)
        self.access = LockAccess(self.lockid, 'counting')
        self.door = a_door(self.lockid)
        self.holders = {branch: a_request(9, branch) for branch in 'xy'}
        for holder in self.holders.values():
            self.door.claim(holder, self.access)

    def test_only_the_branch_of_the_request_counts(self) -> None:
        self.releases.wait('a', a_request(1, 'x'), self.door, self.access)
        self.door.release(self.holders['y'], self.access)
        self.assertEqual(self.woken, [])
        self.door.release(self.holders['x'], self.access)
        self.assertEqual(self.woken, [['a']])

    def test_where_the_branch_is_not_known_every_branch_counts(self) -> None:
        self.releases.wait('a', None, self.door, self.access)
        self.door.release(self.holders['y'], self.access)
        self.assertEqual(self.woken, [['a']])

    def test_a_reservation_that_is_given_up_wakes(self) -> None:
        self.door.release(self.holders['x'], self.access)
        first = a_request(1)
        self.assertTrue(self.door.reserve(first, self.access))
        self.releases.wait('a', a_request(2), self.door, self.access)
        self.door.give_up(first, self.access)
        self.assertEqual(self.woken, [['a']])

    def test_of_the_requests_in_its_line_the_one_whose_turn_it_is_is_woken(self) -> None:
        one, two = a_request(1), a_request(2)
        for request in (one, two):
            self.door.line_up(request, self.access)
        for key, request in ((5, one), (3, two)):  # another order than that of the line
            obstacle = Obstacle(self.door, self.access, request)
            self.releases.sleep(request.id, (key,), [obstacle], 'lane')
        self.door.release(self.holders['x'], self.access)
        settle()
        self.assertEqual({tuple(some) for some in self.woken}, {(1,)})

    def test_one_in_line_is_woken_when_its_turn_comes_without_a_release(self) -> None:
        """Who came first loses its turn to a limit that is too low for it now."""
        door = a_door(lockid := BranchLock('m', 3))
        real, (holder, heavy, light) = door._lock, (a_request(n) for n in (1, 2, 3))
        door.claim(holder, LockAccess(lockid, 'counting', 1))
        door.line_up(heavy, LockAccess(lockid, 'counting', 3))
        door.line_up(light, access := LockAccess(lockid, 'counting', 1))
        self.releases.wait('a', light, door, access)
        real.updateFromLockId(BranchLock('m', 2), 1)
        self.clock.advance(0)
        self.assertTrue(door.isAvailable(light, access))
        self.assertEqual(self.woken, [['a']])
