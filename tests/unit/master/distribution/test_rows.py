# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from buildbot.locks import MasterLock
from buildbot.process.buildrequest import BuildRequest
from buildbot.util import eventual
from support.lock_actors import settle
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.master.distribution.rows import Obstacle
from buildbot_balancer.master.distribution.rows import Row


def a_request(number: int) -> Any:
    made = BuildRequest()
    made.id, made.priority, made.submittedAt = number, 0, number
    made.sources = {'': SimpleNamespace(branch='x', codebase='')}
    return made


def real(lockid: Any) -> Any:
    made = lockid.lockClass(lockid.name)
    made.updateFromLockId(lockid, 0)
    return made


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        settle()
        eventual._setReactor(Clock())
        self.addCleanup(eventual._setReactor)
        self.addCleanup(settle)


class OfBuildbotsLock(Case):
    def setUp(self) -> None:
        super().setUp()
        lockid = MasterLock('m')
        self.lock, self.access = real(lockid), lockid.access('exclusive')
        self.row = Row(self.lock, together=False)

    def add(self, number: int, key: int) -> None:
        self.row.add(number, key, Obstacle(self.lock, self.access, a_request(number)))

    def test_the_smallest_key_is_first(self) -> None:
        for number, key in ((1, 5), (2, 3), (3, 4)):
            self.add(number, key)
        self.assertEqual(self.row.first(), 2)
        self.row.discard(2)
        self.row.discard(9)
        self.assertEqual((self.row.first(), len(self.row)), (3, 2))

    def test_one_that_is_added_again_has_its_new_place_alone(self) -> None:
        self.add(1, 5)
        self.add(2, 6)
        self.add(1, 7)
        self.assertEqual((self.row.first(), len(self.row)), (2, 2))

    def test_nobody_is_offered_anything_and_a_release_is_for_the_first(self) -> None:
        self.add(1, 5)
        self.assertEqual(self.row.offered(), set())
        self.assertFalse(self.row.is_for_all())

    def test_those_whose_builder_has_an_order_of_its_own_are_told_together(self) -> None:
        self.assertTrue(Row(self.lock, together=True).is_for_all())


class OfOurLocks(Case):
    def setUp(self) -> None:
        super().setUp()
        lockid = BranchLock('v')
        self.door, self.access = real(lockid).getLockForWorker('w'), lockid.access('exclusive')
        self.requests = {number: a_request(number) for number in (1, 2, 3)}
        one = Obstacle(self.door, self.access, self.requests[1])
        self.row = Row(one.behind, together=False)
        for number, request in self.requests.items():
            self.row.add(number, number, Obstacle(self.door, self.access, request))

    def test_those_in_the_line_of_the_lock_are_left_to_it(self) -> None:
        holder = a_request(9)
        self.door.claim(holder, self.access)
        for number in (1, 2):
            self.door.line_up(self.requests[number], self.access)
        self.assertEqual(self.row.first(), 3)
        self.assertEqual(self.row.offered(), set())
        self.door.release(holder, self.access)
        self.assertEqual(self.row.offered(), {1})

    def test_whose_worker_has_moved_to_another_group_is_told_at_any_release(self) -> None:
        lockid = WorkerGroupLock('h', workerToGroup={'w': 'g'})
        lock = real(lockid)
        door, access = lock.getLockForWorker('w'), lockid.access('counting')
        one = Obstacle(door, access, self.requests[1])
        row = Row(one.behind, together=False)
        row.add(1, 1, one)
        self.assertFalse(row.is_for_all())
        lock.updateFromLockId(WorkerGroupLock('h', workerToGroup={'w': 'other'}), 1)
        self.assertTrue(row.is_for_all())


class Kinds(Case):
    def test_of_one_kind_are_those_that_want_as_much_in_the_same_way_of_the_same_lock(self) -> None:
        lockid = MasterLock('m', maxCount=3)
        lock, request = real(lockid), a_request(1)
        kinds = {
            Obstacle(lock, access, request).kind
            for access in (
                lockid.access('counting'),
                lockid.access('counting'),
                lockid.access('counting', 2),
                lockid.access('exclusive'),
                lockid,
            )
        }
        self.assertEqual(len(kinds), 3)
