# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from buildbot.locks import LockAccess
from buildbot.locks import MasterLock
from buildbot.process.build import Build
from buildbot.process.buildrequest import BuildRequest
from buildbot.util import eventual
from support.lock_actors import settle
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.master.locks.guards import Guards
from buildbot_balancer.master.locks.reservations import SWEEP
from buildbot_balancer.master.locks.reservations import Reservations


def a_request(number: int) -> BuildRequest:
    made = BuildRequest()
    made.id, made.priority, made.submittedAt = number, 0, number
    made.sources = {'': SimpleNamespace(branch='x', codebase='')}
    return made


class OneBuild(Build):
    def __init__(self, request: BuildRequest) -> None:
        self.requests, self.sources = [request], list(request.sources.values())
        self.builder, self.number, self.results = SimpleNamespace(name='b', building=[]), 1, None
        self.finished = False


class OneWorker:
    def __init__(self, *locks: Any) -> None:
        self.workername, self.locks = 'w', list(locks)

    def acquireLocks(self) -> bool:
        if not all(lock.isAvailable(self, access) for lock, access in self.locks):
            return False
        for lock, access in self.locks:
            lock.claim(self, access)
        return True


def real(lockid: Any) -> Any:
    made = lockid.lockClass(lockid.name)
    made.updateFromLockId(lockid, 0)
    return made.getLockForWorker('w')


def units(lockid: Any, count: int = 1) -> LockAccess:
    return LockAccess(lockid, 'counting', count)


class Case(SynchronousTestCase):
    """`m` is a lock of Buildbot's own, `b` one of ours; both have two units."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        settle()
        eventual._setReactor(self.clock)
        self.addCleanup(eventual._setReactor)
        self.addCleanup(settle)
        self.guards = Guards()
        self.at_rest: list[Any] = []
        self.reservations = Reservations(self.clock, self.guards.keeper, self.at_rest.append)
        self.m_id, self.b_id = MasterLock('m', 2), BranchLock('b', 2)
        self.m, self.b = real(self.m_id), real(self.b_id)
        self.worker = OneWorker()
        self.opened: list[str] = []
        for name, lock in (('m', self.m), ('b', self.b)):
            lock.subscribeToReleases(lambda name=name: self.opened.append(name))

    def pairs(self, m: int = 1, b: int = 1) -> list[Any]:
        return [(self.m, units(self.m_id, m)), (self.b, units(self.b_id, b))]

    def reserve(self, request: Any, pairs: Any = None, worker: Any = None) -> list[Any]:
        wanted = self.pairs() if pairs is None else pairs
        return self.reservations.reserve(request, 'b', worker or self.worker, wanted)

    def start(self, request: Any, worker: Any = None) -> tuple[Any, OneBuild]:
        """As far as Build.startBuild."""
        reservation = self.reservations.begin('b', worker or self.worker, [request])
        assert reservation is not None
        self.reservations.bind(reservation, build := OneBuild(request))
        return reservation, build

    def room(self, lock: Any) -> int:
        """The units that a build which has reserved nothing could have."""
        stranger, lockid = OneBuild(a_request(99)), self.m_id if lock is self.m else self.b_id
        return max(n for n in range(9) if lock.isAvailable(stranger, units(lockid, n)))

    def rooms(self) -> tuple[int, int]:
        return self.room(self.m), self.room(self.b)


class Reserving(Case):
    def test_all_is_reserved_for_the_request_and_then_its_build_has_it(self) -> None:
        request = a_request(1)
        self.assertEqual(self.reserve(request, self.pairs(2, 2)), [])
        self.assertEqual(self.rooms(), (0, 0))
        _, build = self.start(request)
        for lock, access in self.pairs(2, 2):
            self.assertFalse(lock.isAvailable(request, access))
            self.assertTrue(lock.isAvailable(build, access))
            lock.claim(build, access)
        self.reservations.end(request)
        self.assertEqual((self.rooms(), len(self.reservations)), ((0, 0), 0))

    def test_if_one_is_missing_nothing_is_kept_and_nobody_is_woken(self) -> None:
        self.b.claim(OneBuild(a_request(9)), units(self.b_id, 2))
        missing = self.reserve(a_request(1))
        self.assertEqual([lock for lock, _ in missing], [self.b])
        self.assertEqual((self.rooms(), len(self.reservations)), ((2, 0), 0))
        self.clock.advance(0)
        self.assertEqual((self.opened, self.clock.getDelayedCalls()), ([], []))

    def test_all_that_are_missing_are_named(self) -> None:
        holder = OneBuild(a_request(9))
        for lock, access in self.pairs(2, 2):
            lock.claim(holder, access)
        self.assertEqual([lock for lock, _ in self.reserve(a_request(1))], [self.m, self.b])

    def test_one_that_is_wanted_twice_and_free_once_is_missing(self) -> None:
        pair = (self.m, units(self.m_id, 2))
        self.assertEqual(self.reserve(a_request(1), [pair, pair]), [pair])
        self.assertEqual((self.rooms(), len(self.reservations)), ((2, 2), 0))

    def test_one_that_is_wanted_twice_and_free_twice_is_reserved_twice(self) -> None:
        pair = (self.m, units(self.m_id))
        self.assertEqual(self.reserve(a_request(1), [pair, pair]), [])
        self.assertEqual(self.room(self.m), 0)

    # DEFECT 5: the second reserve of one requester puts the smaller access over the larger.
    def test_of_two_accesses_to_a_lock_of_ours_the_larger_is_kept(self) -> None:
        alone = (self.b, LockAccess(self.b_id, 'exclusive'))
        self.assertEqual(self.reserve(a_request(1), [alone, (self.b, units(self.b_id))]), [])
        self.assertEqual(self.room(self.b), 0)

    def test_a_count_of_zero_keeps_nothing_and_is_never_missing(self) -> None:
        self.reserve(a_request(1), self.pairs(2, 2))
        self.assertEqual(self.reserve(a_request(2), self.pairs(0, 0)), [])
        self.reservations.end(a_request(2))
        self.assertEqual(self.opened, [])

    # DEFECT 3: WorkerDoor.claim marks a door as busy for a claim that there is not.
    def test_a_claim_of_nothing_does_not_make_a_group_lock_busy_for_ever(self) -> None:
        door = real(lockid := WorkerGroupLock('g', 1))
        door.claim(build := OneBuild(a_request(1)), access := units(lockid, 0))
        self.assertFalse(door.isOwner(build, access))
        self.assertFalse(door._lock.busy)

    def test_who_is_alone_is_alone_from_the_decision_on(self) -> None:
        pairs = [(lock, LockAccess(access.lockid, 'exclusive')) for lock, access in self.pairs()]
        self.assertEqual(self.reserve(a_request(1), pairs), [])
        self.assertEqual(self.rooms(), (0, 0))
        self.assertEqual(len(self.reserve(a_request(2))), 2)

    def test_a_lock_with_reserve_false_is_asked_for_and_not_kept(self) -> None:
        group = WorkerGroupLock('g', 1, workerToGroup={'w': 'a'}, reserve=False)
        for lockid in (group, BranchLock('c', 1, reserve=False)):
            pair = (real(lockid), units(lockid))
            self.assertEqual(self.reserve(a_request(1), [pair]), [])
            self.assertTrue(pair[0].isAvailable(OneBuild(a_request(9)), pair[1]))
            pair[0].claim(holder := OneBuild(a_request(9)), pair[1])
            self.assertEqual(self.reserve(a_request(2), [pair]), [pair])
            self.reservations.end(a_request(1))
            self.assertTrue(pair[0].isOwner(holder, pair[1]))

    def test_a_second_choice_takes_the_place_of_the_first(self) -> None:
        request = a_request(1)
        self.reserve(request, self.pairs(2, 0))
        self.assertEqual(self.reserve(request, self.pairs(1, 2)), [])
        self.assertEqual((self.rooms(), len(self.reservations)), ((1, 0), 1))

    def test_a_second_choice_that_fails_leaves_nothing_of_the_first(self) -> None:
        request = a_request(1)
        self.reserve(request, self.pairs(2, 0))
        self.b.claim(OneBuild(a_request(9)), units(self.b_id, 2))
        self.assertEqual(len(self.reserve(request)), 1)
        self.assertEqual((self.room(self.m), len(self.reservations)), (2, 0))


class Ending(Case):
    def test_whom_it_lets_in_is_woken_in_the_order_of_the_locks(self) -> None:
        self.reserve(request := a_request(1), self.pairs(2, 2))
        step = OneBuild(a_request(9))
        waits = [lock.waitUntilMaybeAvailable(step, access) for lock, access in self.pairs()]
        self.reservations.end(request)
        self.clock.advance(0)
        self.assertTrue(all(d.called for d in waits))
        self.assertEqual(self.opened[:2], ['m', 'b'])

    def test_a_second_end_is_quiet(self) -> None:
        self.reserve(request := a_request(1))
        self.reservations.end(request)
        before = list(self.opened)
        self.reservations.end(request)
        self.assertEqual(self.opened, before)

    def test_a_start_that_failed_after_the_build_was_made_gives_back_what_the_build_had(
        self,
    ) -> None:
        self.reserve(request := a_request(1), self.pairs(2, 2))
        self.start(request)
        self.reservations.end(request)
        self.assertEqual(self.rooms(), (2, 2))

    def test_choices_that_came_to_nothing_end_and_starts_go_on(self) -> None:
        for number in (1, 2):
            self.assertEqual(self.reserve(a_request(number)), [])
        self.start(a_request(2))
        self.reservations.end_unbegun('another builder')
        self.assertEqual(len(self.reservations), 2)
        self.reservations.end_unbegun('b')
        self.assertEqual((self.rooms(), len(self.reservations)), ((1, 1), 1))

    def test_stopped_all_is_free_and_no_timer_is_left(self) -> None:
        self.reserve(a_request(1))
        self.reserve(request := a_request(2))
        self.start(request)
        self.reservations.stop()
        self.assertEqual((self.rooms(), self.clock.getDelayedCalls()), ((2, 2), []))


class Sweeping(Case):
    def test_a_choice_that_was_forgotten_ends_when_no_choice_is_under_way(self) -> None:
        self.reserve(a_request(1))
        self.clock.advance(SWEEP)
        self.assertEqual(len(self.reservations), 1)
        (end,) = self.at_rest
        end()
        self.assertEqual(self.rooms(), (2, 2))

    def test_a_choice_of_this_moment_is_left_alone(self) -> None:
        self.reserve(a_request(1))
        self.clock.advance(SWEEP / 2)
        self.reserve(request := a_request(2))
        self.start(a_request(1))
        self.clock.advance(SWEEP / 2)
        self.assertEqual((self.at_rest, request.id in self.reservations._all), ([], True))

    def test_a_build_that_never_says_that_it_finished_is_seen_twice_and_ended(self) -> None:
        lockid = MasterLock('box', 1)
        worker = OneWorker((box := real(lockid), units(lockid)))
        self.reserve(request := a_request(1), worker=worker)
        reservation, build = self.start(request, worker)
        self.reservations.claim_worker_locks(reservation, worker.acquireLocks)
        build.finished = True
        self.clock.advance(SWEEP)
        self.assertEqual(len(self.reservations), 1)  # Buildbot may be about to say so
        self.clock.advance(SWEEP)
        self.assertEqual((self.rooms(), len(self.reservations)), ((2, 2), 0))
        self.assertEqual((box.owners, self.clock.getDelayedCalls()), ([], []))

    def test_one_whose_end_is_not_written_has_nothing_and_is_still_known(self) -> None:
        """Else the locks of its worker would be released once more, in another build's name."""
        lockid = MasterLock('box', 2)
        worker = OneWorker((box := real(lockid), units(lockid)))
        for number in (1, 2):
            self.reserve(request := a_request(number), worker=worker)
            reservation, build = self.start(request, worker)
            self.reservations.claim_worker_locks(reservation, worker.acquireLocks)
            if number == 1:
                first, over = reservation, build
        over.finished = True
        over.builder.building.append(over)
        self.clock.pump([SWEEP] * 3)
        self.assertIs(self.reservations.of(over), first)
        self.assertEqual((len(box.owners), first.claimed), (1, []))
        over.builder.building.remove(over)
        self.clock.advance(SWEEP)
        self.assertIsNone(self.reservations.of(over))
        self.assertEqual(len(box.owners), 1)

    def test_a_build_that_goes_on_is_never_swept(self) -> None:
        self.reserve(request := a_request(1))
        _, build = self.start(request)
        self.clock.pump([SWEEP] * 9)
        self.assertIs(self.reservations.of(build), self.reservations._all[1])
        self.assertEqual(self.rooms(), (1, 1))


class OfWorkers(Case):
    def setUp(self) -> None:
        super().setUp()
        self.box_id = MasterLock('box', 1)
        self.box = real(self.box_id)
        self.worker = OneWorker((self.box, units(self.box_id)))

    def test_two_builds_are_not_chosen_for_a_worker_that_can_have_one(self) -> None:
        self.assertEqual(self.reserve(a_request(1)), [])
        self.assertEqual(self.reserve(a_request(2)), [(self.box, units(self.box_id))])
        self.assertEqual((self.rooms(), len(self.reservations)), ((1, 1), 1))

    def test_a_builder_that_is_not_served_begins_only_if_the_worker_can(self) -> None:
        self.assertEqual(self.reserve(a_request(1)), [])
        self.assertIsNone(self.reservations.begin('c', self.worker, [a_request(2)]))
        self.reservations.end(a_request(1))
        self.assertIsNotNone(self.reservations.begin('c', self.worker, [a_request(2)]))
        self.assertEqual(self.rooms(), (2, 2))
        self.assertEqual(len(self.reserve(a_request(3))), 1)

    def test_each_build_gives_back_what_it_has_claimed(self) -> None:
        self.box.setMaxCount(2)
        starts = []
        for number in (1, 2):
            self.assertEqual(self.reserve(a_request(number)), [])
        for number in (1, 2):
            reservation, _ = self.start(a_request(number), self.worker)
            self.assertTrue(
                self.reservations.claim_worker_locks(reservation, self.worker.acquireLocks)
            )
            starts.append(reservation)
        self.reservations.release_worker_locks(starts[0])
        self.reservations.release_worker_locks(starts[0])
        self.assertEqual(len(self.box.owners), 1)

    def test_what_a_reconfig_took_from_the_worker_is_given_up_at_the_claim(self) -> None:
        self.reserve(request := a_request(1))
        reservation, _ = self.start(request, self.worker)
        self.worker.locks = []
        self.assertTrue(self.reservations.claim_worker_locks(reservation, self.worker.acquireLocks))
        self.assertEqual((self.guards.keeper(self.box).reserved, reservation.claimed), ([], []))

    def test_it_is_released_though_the_worker_has_other_locks_by_then(self) -> None:
        self.reserve(request := a_request(1))
        reservation, _ = self.start(request, self.worker)
        self.reservations.claim_worker_locks(reservation, self.worker.acquireLocks)
        self.worker.locks = []
        self.reservations.release_worker_locks(reservation)
        self.assertEqual(self.box.owners, [])
