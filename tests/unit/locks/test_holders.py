# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from buildbot.locks import BaseLock
from buildbot.locks import MasterLock
from buildbot.process.buildrequest import BuildRequest
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.locks.holders import Holders
from buildbot_balancer.locks.realgroup import RealGroupLock


class Someone:
    """Holds and waits."""


def a_request(number: int, priority: int = 0, at: int = 0) -> BuildRequest:
    made = BuildRequest()
    made.id, made.priority, made.submittedAt = number, priority, at
    return made


class Cases:
    """Of a lock of Buildbot's and of ours."""

    limit = 3

    def access(self, mode: str = 'counting', count: int = 1) -> Any:
        raise NotImplementedError

    def setUp(self) -> None:
        self.parent, self.other, self.child = Someone(), Someone(), Someone()

    def hindered(self, access: Any, *by: Any) -> Any:
        holders = Holders.of(self.lock, self.child, access)
        return holders.hindered(access, {id(one) for one in by or (self.parent,)})

    def hold(self, owner: Any, mode: str = 'counting', count: int = 1) -> None:
        self.lock.claim(owner, self.access(mode, count))

    def wait(self, owner: Any, mode: str = 'counting', count: int = 1) -> None:
        self.lock.waitUntilMaybeAvailable(owner, self.access(mode, count))

    def test_who_holds_all_units_leaves_no_room(self) -> None:
        self.hold(self.parent, count=3)
        found = self.hindered(self.access())
        self.assertEqual((found.holders, found.before), ((id(self.parent),), ()))

    def test_one_unit_too_few_is_no_room(self) -> None:
        self.hold(self.parent, count=2)
        self.assertIsNone(self.hindered(self.access(count=1)))
        self.assertIsNotNone(self.hindered(self.access(count=2)))

    def test_units_of_others_do_not_count(self) -> None:
        self.hold(self.parent)
        self.hold(self.other, count=2)
        self.assertFalse(self.lock.isAvailable(self.child, self.access()))
        self.assertIsNone(self.hindered(self.access()))

    def test_units_of_several_that_wait_are_counted_together(self) -> None:
        self.hold(self.parent, count=2)
        self.hold(self.other)
        found = self.hindered(self.access(), self.parent, self.other)
        self.assertEqual(found.holders, (id(self.parent), id(self.other)))

    def test_an_exclusive_hold_leaves_no_room_for_one_unit(self) -> None:
        self.hold(self.parent, 'exclusive')
        self.assertIsNotNone(self.hindered(self.access()))

    def test_exclusive_access_has_no_room_beside_one_unit(self) -> None:
        self.hold(self.parent)
        self.assertIsNotNone(self.hindered(self.access('exclusive')))

    def test_who_holds_nothing_is_no_hindrance(self) -> None:
        self.hold(self.other, 'exclusive')
        self.assertIsNone(self.hindered(self.access('exclusive')))

    def test_no_units_always_have_room(self) -> None:
        self.hold(self.parent, 'exclusive')
        self.assertIsNone(self.hindered(self.access(count=0)))

    def test_an_access_above_the_limit_is_nobodys_fault_but_its_own(self) -> None:
        self.hold(self.parent)
        self.assertIsNone(self.hindered(MasterLock('host', 9).access('counting', 4)))

    def test_one_earlier_in_the_line_who_cannot_have_it_either_is_a_hindrance(self) -> None:
        self.hold(self.parent)
        self.wait(self.other, 'exclusive')
        self.wait(self.child)
        found = self.hindered(self.access())
        self.assertEqual(found.holders, (id(self.parent),))
        self.assertEqual([part.owner for part in found.before], [id(self.other)])

    def test_one_later_in_the_line_is_none(self) -> None:
        self.hold(self.parent)
        third = Someone()
        self.hold(third, count=2)
        self.wait(self.child)
        self.wait(self.other, 'exclusive')
        self.assertIsNone(self.hindered(self.access()))

    def test_one_earlier_in_the_line_who_only_waits_for_others_is_none(self) -> None:
        self.hold(self.parent)
        third = Someone()
        self.hold(third, count=2)
        self.wait(self.other, count=2)
        self.wait(self.child)
        self.assertIsNone(self.hindered(self.access()))


class OfBuildbot(Cases, SynchronousTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.lock: Any = BaseLock('host', 3)

    def access(self, mode: str = 'counting', count: int = 1) -> Any:
        return MasterLock('host', 3).access(mode, count)

    def test_one_in_the_line_takes_the_place_of_one_unit_whatever_it_wants(self) -> None:
        self.hold(self.parent)
        self.wait(self.other, count=3)
        self.assertTrue(self.lock.isAvailable(self.child, self.access()))
        self.assertIsNone(self.hindered(self.access()))
        self.assertFalse(self.lock.isAvailable(self.child, self.access(count=2)))
        self.assertIsNotNone(self.hindered(self.access(count=2)))

    def test_one_in_the_line_who_wants_more_than_there_is_is_not_their_fault(self) -> None:
        self.hold(self.parent)
        self.wait(self.other, count=4)
        self.assertFalse(self.lock.isAvailable(self.child, self.access(count=2)))
        self.assertIsNone(self.hindered(self.access(count=2)))

    def test_one_who_does_not_stand_in_the_line_is_behind_all(self) -> None:
        self.hold(self.parent)
        self.wait(self.other, 'exclusive')
        self.assertIsNotNone(self.hindered(self.access()))

    def test_a_lock_in_the_place_of_an_access_is_one_unit(self) -> None:
        self.hold(self.parent, count=3)
        self.assertIsNotNone(self.hindered(MasterLock('host', 3)))


class OfOurs(Cases, SynchronousTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.lockid = WorkerGroupLock('host', 3, workerToGroup={'w1': 'g', 'w2': 'g'})
        self.real = self.make(self.lockid)
        self.lock: Any = self.real.getLockForWorker('w1')

    def make(self, lockid: WorkerGroupLock) -> RealGroupLock:
        real = RealGroupLock('host')
        real.updateFromLockId(lockid, 0)
        return real

    def access(self, mode: str = 'counting', count: int = 1) -> Any:
        return self.lockid.access(mode, count)

    def test_nobody_is_passed_who_stands_earlier_in_the_line(self) -> None:
        self.hold(self.parent)
        self.wait(self.other, count=3)
        self.wait(self.child)
        self.assertFalse(self.lock.isAvailable(self.child, self.access()))
        self.assertIsNotNone(self.hindered(self.access()))

    def test_what_is_held_on_another_worker_of_the_group_counts(self) -> None:
        self.real.getLockForWorker('w2').claim(self.parent, self.access(count=3))
        self.assertIsNotNone(self.hindered(self.access()))
        self.lock = self.real.getLockForWorker('w3')
        self.assertIsNone(self.hindered(self.access()))

    def test_a_request_is_behind_all_that_runs_and_waits(self) -> None:
        self.child = a_request(7)
        self.hold(self.parent)
        self.wait(self.other, 'exclusive')
        self.assertIsNotNone(self.hindered(self.access()))

    def test_no_limit_has_room_beside_all_but_an_exclusive_hold(self) -> None:
        self.lockid = WorkerGroupLock('host', None)
        self.lock = self.make(self.lockid).getLockForWorker('w1')
        self.hold(self.parent, count=100)
        self.assertIsNone(self.hindered(self.access(count=100)))
        self.assertIsNotNone(self.hindered(self.access('exclusive')))


class Lines(SynchronousTestCase):
    """Of requests, which may stand in the line of a lock of ours before they have a worker."""

    def hindered(self, child: Any, other: Any, order: str) -> Any:
        lockid = WorkerGroupLock('host', 3, order=order)
        real = RealGroupLock('host')
        real.updateFromLockId(lockid, 0)
        lock = real.getLockForWorker('w1')
        parent = Someone()
        lock.claim(parent, lockid.access('counting'))
        lock.waitUntilMaybeAvailable(other, lockid.access('exclusive'))
        access = lockid.access('counting')
        available = lock.isAvailable(child, access)
        found = Holders.of(lock, child, access).hindered(access, {id(parent)})
        return found is not None, available

    def test_an_earlier_request_in_the_line_is_a_hindrance_and_a_later_one_is_none(self) -> None:
        self.assertEqual(self.hindered(a_request(7), a_request(3), 'fifo'), (True, False))
        self.assertEqual(self.hindered(a_request(3), a_request(7), 'fifo'), (False, True))

    def test_a_request_that_stands_there_already_is_not_behind_itself(self) -> None:
        again = a_request(7)  # as Buildbot makes it anew
        self.assertEqual(self.hindered(again, a_request(7), 'fifo'), (False, True))

    def test_a_request_of_higher_priority_is_before_an_older_one(self) -> None:
        high, low = a_request(7, priority=5, at=10), a_request(3, priority=1, at=0)
        self.assertEqual(self.hindered(low, high, 'priority'), (True, False))
        self.assertEqual(self.hindered(high, low, 'priority'), (False, True))


class Unknown(SynchronousTestCase):
    def test_nothing_is_said_of_a_lock_of_another_kind(self) -> None:
        self.assertIsNone(Holders.of(SimpleNamespace(), Someone(), None))


COUNTED = MasterLock('host', 9)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(['parent', 'others']),
        st.sampled_from([('counting', 1), ('counting', 2), ('exclusive', 1)]),
    ),
    max_size=4,
)
WANTED = st.sampled_from([('counting', 1), ('counting', 2), ('counting', 3), ('exclusive', 1)])


class Properties(SynchronousTestCase):
    @given(st.integers(1, 4), STEPS, STEPS, WANTED)
    def test_hindered_is_who_has_no_room_when_all_others_are_served_and_let_go(
        self, limit: int, holds: Any, waits: Any, wanted: Any
    ) -> None:
        """The lock itself is played to its end."""
        for kind in ('ours', 'Buildbot'):
            self.play(kind, limit, holds, waits, wanted)

    def play(self, kind: str, limit: int, holds: Any, waits: Any, wanted: Any) -> None:
        lock = self.lock(kind, limit)
        parent, child = Someone(), Someone()
        access = COUNTED.access(*wanted)
        others = {}
        for whose, one in holds:
            owner = parent if whose == 'parent' else Someone()
            if lock.isAvailable(owner, COUNTED.access(*one)):
                lock.claim(owner, COUNTED.access(*one))
                others.update({} if owner is parent else {owner: COUNTED.access(*one)})
        line = {}
        for _, one in waits:
            waiter = Someone()
            if one[1] <= limit and not lock.isAvailable(waiter, COUNTED.access(*one)):
                line[waiter] = COUNTED.access(*one)
                lock.waitUntilMaybeAvailable(waiter, line[waiter])
        if access.count > limit or lock.isAvailable(child, access):
            return
        lock.waitUntilMaybeAvailable(child, access)
        hindered = Holders.of(lock, child, access).hindered(access, {id(parent)})
        self.serve(lock, others, line)
        self.assertEqual(hindered is None, lock.isAvailable(child, access), kind)

    def lock(self, kind: str, limit: int) -> Any:
        if kind == 'Buildbot':
            return BaseLock('host', limit)
        made = RealGroupLock('host')
        made.updateFromLockId(WorkerGroupLock('host', limit), 0)
        return made.getLockForWorker('w1')

    def serve(self, lock: Any, others: dict[Any, Any], line: dict[Any, Any]) -> None:
        """Each lets go, and those in the line get it in their turn, until nobody can."""
        while others:
            for owner, access in others.items():
                lock.release(owner, access)
            others = {one: access for one, access in line.items() if self.got(lock, one, access)}
            line = {one: access for one, access in line.items() if one not in others}

    def got(self, lock: Any, waiter: Any, access: Any) -> bool:
        if not lock.isAvailable(waiter, access):
            return False
        lock.claim(waiter, access)
        return True
