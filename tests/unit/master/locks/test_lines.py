# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from buildbot.locks import LockAccess
from buildbot.locks import MasterLock
from buildbot.locks import RealMasterLock
from buildbot.process.buildrequest import BuildRequest
from buildbot.util import eventual
from support.lock_actors import settle
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.locks.realgroup import RealGroupLock
from buildbot_balancer.master.locks.lines import Lines


class Step:
    """Holds what the requests wait for."""


def a_request(number: int) -> BuildRequest:
    made = BuildRequest()
    made.id, made.priority, made.submittedAt = number, 0, number
    return made


class Case(SynchronousTestCase):
    """Two groups of three units, all of which are held by steps."""

    def setUp(self) -> None:
        self.clock = Clock()
        settle()
        eventual._setReactor(self.clock)
        self.addCleanup(eventual._setReactor)
        self.addCleanup(settle)
        self.lines = Lines(self.clock)
        self.real = RealGroupLock('host')
        self.configure(w1='a', w2='b')
        self.held: dict[str, tuple[Step, LockAccess]] = {}
        for name in ('w1', 'w2'):
            self.hold(name, 3)

    def configure(self, **groups: str) -> None:
        self.lockid = WorkerGroupLock('host', 3, workerToGroup=groups)
        self.real.updateFromLockId(self.lockid, 0)

    def door(self, name: str) -> Any:
        return self.real.getLockForWorker(name)

    def units(self, count: int = 1) -> LockAccess:
        return LockAccess(self.lockid, 'counting', count)

    def wait(self, request: Any, *workers: str, count: int = 1) -> None:
        pairs = [(self.door(name), self.units(count)) for name in workers]
        self.lines.wait(request, f'b{request.id}', pairs)

    def hold(self, name: str, count: int) -> None:
        self.held[name] = Step(), self.units(count)
        self.door(name).claim(*self.held[name])

    def let_go(self, name: str) -> None:
        self.door(name).release(*self.held[name])

    def semaphore(self, name: str) -> Any:
        return self.door(name).known_for(None, None)

    def in_line(self, name: str) -> list[int]:
        picture = self.semaphore(name).picture()
        return [share.requester.id for share in (*picture.offered, *picture.waiting)]

    def taken(self, name: str) -> int:
        return int(self.semaphore(name).picture().taken)


class Waiting(Case):
    def test_a_heavy_request_is_not_overtaken_by_lighter_ones(self) -> None:
        heavy, light = a_request(1), a_request(2)
        self.wait(heavy, 'w1', count=3)
        self.wait(light, 'w1')
        self.let_go('w1')
        self.assertFalse(self.door('w1').isAvailable(light, self.units()))
        self.assertFalse(self.door('w1').isAvailable(a_request(3), self.units()))
        self.assertTrue(self.door('w1').isAvailable(heavy, self.units(3)))

    def test_who_came_first_is_first_however_late_it_lines_up(self) -> None:
        for number in (5, 3, 4):
            self.wait(a_request(number), 'w1')
        self.assertEqual(self.in_line('w1'), [3, 4, 5])

    def test_a_running_build_comes_before_all_requests(self) -> None:
        self.wait(a_request(1), 'w1', count=3)
        build = Step()
        woken = self.door('w1').waitUntilMaybeAvailable(build, self.units(1))
        self.let_go('w1')
        self.clock.advance(0)
        self.assertTrue(woken.called)
        self.assertTrue(self.door('w1').isAvailable(build, self.units(1)))

    def test_it_waits_in_all_lines_and_leaves_them_all(self) -> None:
        self.wait(a_request(1), 'w1', 'w2')
        self.assertEqual((self.in_line('w1'), self.in_line('w2')), ([1], [1]))
        self.lines.leave(1)
        self.assertEqual((self.in_line('w1'), self.in_line('w2')), ([], []))
        self.assertEqual(len(self.lines), 0)

    def test_where_it_does_not_wait_any_more_others_have_their_turn(self) -> None:
        first, second = a_request(1), a_request(2)
        self.wait(first, 'w1', 'w2', count=3)
        self.wait(second, 'w1')
        self.let_go('w1')
        self.wait(first, 'w2', count=3)
        self.assertTrue(self.door('w1').isAvailable(second, self.units()))
        self.assertEqual(self.in_line('w2'), [1])

    def test_who_waits_for_none_is_in_no_line(self) -> None:
        self.wait(a_request(1), 'w1')
        self.wait(a_request(1))
        self.assertEqual((self.in_line('w1'), len(self.lines)), ([], 0))
        self.wait(a_request(2))
        self.assertEqual(len(self.lines), 0)

    def test_a_new_object_of_a_request_has_the_place_of_the_first(self) -> None:
        first, again = a_request(1), a_request(1)
        self.wait(first, 'w1')
        self.assertIs(self.lines.requester(again), first)
        self.wait(again, 'w1')
        self.assertEqual(self.in_line('w1'), [1])
        self.let_go('w1')
        self.assertTrue(self.semaphore('w1').is_offered(first))
        self.lines.leave(1)
        self.assertIs(self.lines.requester(again), again)

    def test_a_lock_of_buildbots_own_has_no_line_for_requests(self) -> None:
        lock = RealMasterLock('m')
        lock.updateFromLockId(lockid := MasterLock('m'), 0)
        self.lines.wait(a_request(1), 'b', [(lock, LockAccess(lockid, 'counting'))])
        self.assertEqual((len(self.lines), lock.waiting), (0, []))

    def test_a_reservation_outlasts_the_wait(self) -> None:
        request = a_request(1)
        self.wait(request, 'w1', 'w2')
        self.let_go('w1')
        self.assertTrue(self.door('w1').reserve(request, self.units()))
        self.lines.leave(1)
        self.assertEqual((self.taken('w1'), self.in_line('w2')), (1, []))

    # DEFECT 4: line_up leaves a waiter as it is, whatever is wanted now.
    def test_a_request_that_wants_more_since_a_reconfig_waits_for_that(self) -> None:
        request = a_request(1)
        self.wait(request, 'w1', count=1)
        self.wait(request, 'w1', count=3)
        self.let_go('w1')
        self.assertEqual(self.taken('w1'), 3)


class Moving(Case):
    # DEFECT 2: Semaphore.move takes the request where Lines does not know of it.
    def test_a_request_that_ends_after_its_worker_has_moved_leaves_nothing_behind(self) -> None:
        self.wait(a_request(1), 'w1')
        self.configure(w1='b', w2='b')
        self.lines.leave(1)
        self.let_go('w1')
        self.let_go('w2')
        self.assertEqual((self.in_line('w2'), self.taken('w2')), ([], 0))

    # DEFECT 2, too: its place in the new line was overwritten, and what it was offered there lost.
    def test_a_request_in_both_groups_has_one_place_when_they_become_one(self) -> None:
        self.configure(w1='a', w2='b', w3='a')
        self.let_go('w1')
        self.hold('w3', 3)
        request = a_request(1)
        self.wait(request, 'w1', count=2)
        self.lines.wait(request, 'b1', [(self.door(w), self.units(2)) for w in ('w1', 'w2')])
        self.let_go('w2')
        self.assertTrue(self.semaphore('w2').is_offered(request))
        self.hold('w2', 1)  # or all would be forgotten with the semaphore
        self.configure(w1='b', w2='b', w3='a')
        self.lines.leave(1)
        self.assertEqual((self.in_line('w2'), self.taken('w2')), ([], 1))
        self.assertTrue(self.door('w2').isAvailable(a_request(2), self.units(2)))

    def test_after_a_move_it_stands_in_the_new_line_when_it_looks_again(self) -> None:
        self.wait(a_request(1), 'w1')
        self.configure(w1='b', w2='b')
        self.wait(a_request(1), 'w1')
        self.assertEqual(self.in_line('w1'), [1])
        self.assertEqual(self.real.semaphore_named('a').picture().waiting, ())


class Leaving(Case):
    def test_only_the_other_requests_of_the_builder_leave(self) -> None:
        for number, builder in ((1, 'b'), (2, 'b'), (3, 'c')):
            self.lines.wait(a_request(number), builder, [(self.door('w1'), self.units())])
        self.lines.keep_only('b', [2])
        self.assertEqual(self.in_line('w1'), [2, 3])
        self.lines.keep_only('b')
        self.assertEqual(self.in_line('w1'), [3])

    def test_one_that_is_not_looked_at_when_its_turn_comes_makes_room(self) -> None:
        self.wait(a_request(1), 'w1', count=3)
        self.wait(light := a_request(2), 'w1')
        self.let_go('w1')
        self.clock.pump([1.0] * 9)
        self.assertFalse(self.door('w1').isAvailable(light, self.units()))
        self.wait(light, 'w1')
        self.clock.pump([1.0] * 7)
        self.assertTrue(self.door('w1').isAvailable(light, self.units()))
        self.assertEqual(self.in_line('w1'), [2])

    def test_one_whose_turn_has_not_come_may_be_seen_more_rarely(self) -> None:
        self.wait(a_request(1), 'w1')
        self.clock.pump([1.0] * 99)
        self.assertEqual(self.in_line('w1'), [1])
        self.clock.pump([1.0] * 10)
        self.assertEqual(self.in_line('w1'), [])
        self.assertFalse(self.clock.getDelayedCalls())

    def test_stopped_all_leave_and_no_timer_is_left(self) -> None:
        self.wait(a_request(1), 'w1', 'w2')
        self.lines.stop()
        self.assertEqual((self.in_line('w1'), self.in_line('w2')), ([], []))
        self.assertFalse(self.clock.getDelayedCalls())
