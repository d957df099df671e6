# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

from buildbot.config import ConfigErrors
from buildbot.locks import MasterLock
from buildbot.process.build import Build
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.buildstep import BuildStep
from buildbot.process.buildstep import create_step_from_step_or_factory
from buildbot.process.results import FAILURE
from buildbot.util.eventual import flushEventualQueue
from buildbot.util.twisted import async_to_deferred
from buildbot.worker import Worker
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet import task
from twisted.trial.unittest import SynchronousTestCase
from twisted.trial.unittest import TestCase

from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.realbranch import BranchDoor
from buildbot_balancer.locks.realbranch import RealBranchLock


def source(branch: str | None, codebase: str = '') -> Any:
    return SimpleNamespace(branch=branch, codebase=codebase)


def a_request(*sources: Any) -> BuildRequest:
    request = BuildRequest()
    request.id, request.priority = 1, 0
    request.sources = {one.codebase: one for one in sources}
    return request


class StoppedBuild(Build):
    """Knows its sources; says why it was stopped."""

    def __init__(self, *sources: Any) -> None:
        self.requests = [a_request(*sources)]
        self.sources = list(sources)
        self.builder, self.number, self.results = SimpleNamespace(name='b'), 1, None
        self.why: tuple[str, int] | None = None

    def stopBuild(self, reason: str, results: int) -> defer.Deferred[None]:
        self.why = (reason, results)
        return defer.succeed(None)


def a_build(*sources: Any) -> StoppedBuild:
    return StoppedBuild(*sources)


def a_step(build: Any) -> BuildStep:
    step = create_step_from_step_or_factory(BuildStep(name='s'))
    step.build = build
    return step


def real(lockid: BranchLock) -> RealBranchLock:
    lock = RealBranchLock(lockid.name)
    lock.updateFromLockId(lockid, 0)
    return lock


def a_door(*args: Any, **kwargs: Any) -> BranchDoor:
    return real(BranchLock('version', *args, **kwargs)).getLockForWorker('any')


class Config(SynchronousTestCase):
    def test_what_no_lock_could_mean_is_one_sentence(self) -> None:
        for said, arguments in {
            'name': {'name': None},
            'maxCount must be': {'maxCount': 1.5},
            'maxCountForBranch must be a dict': {'maxCountForBranch': 3},
            "maxCountForBranch['main'] must": {'maxCountForBranch': {'main': -2}},
            'maxCountForBranch: 5': {'maxCountForBranch': {5: 1}},
            'codebase must be': {'codebase': ['a']},
            'order must be': {'order': None},
            'ageing must be': {'ageing': float('nan')},
        }.items():
            with self.assertRaises(ConfigErrors) as caught:
                BranchLock(**{'name': 'version', **arguments})
            (error,) = caught.exception.errors
            self.assertIn(said, error)
            self.assertNotIn('\n', error)

    def test_it_is_accepted_where_a_master_lock_is_and_compares_by_what_it_means(self) -> None:
        lock = BranchLock('version', maxCountForBranch={'a': 1, None: 2})
        self.assertIsInstance(lock, MasterLock)
        self.assertEqual(lock, BranchLock('version', maxCountForBranch={None: 2, 'a': 1}))
        self.assertEqual(
            hash(lock), hash(BranchLock('version', maxCountForBranch=lock.maxCountForBranch))
        )
        self.assertNotEqual(lock, BranchLock('version'))
        with self.assertRaises(ConfigErrors):
            lock.access('counting', 3)

    def test_limits_are_by_name_and_then_by_glob(self) -> None:
        lock = BranchLock('version', 1, {'release/*': 2, 'release/1': 3, '*': None, None: 0})
        found = [lock.limit_of(branch) for branch in ('release/1', 'release/2', 'main', None)]
        self.assertEqual(found, [3, 2, None, 0])


class Branches(TestCase):
    def setUp(self) -> None:
        self.one = BranchLock('version').access('counting')

    def test_one_branch_does_not_hold_up_another(self) -> None:
        door = a_door()
        door.claim(a_build(source('main')), self.one)
        self.assertFalse(door.isAvailable(a_request(source('main')), self.one))
        self.assertTrue(door.isAvailable(a_request(source('other')), self.one))
        self.assertTrue(door.isAvailable(a_request(source(None)), self.one))

    def test_no_branch_is_a_branch_of_its_own(self) -> None:
        door = a_door()
        door.claim(a_build(source(None)), self.one)
        self.assertFalse(door.isAvailable(a_request(source(None)), self.one))
        for branch in ('', 'None', 'null'):
            self.assertTrue(door.isAvailable(a_request(source(branch)), self.one))

    def test_request_build_and_step_have_the_same_branch(self) -> None:
        door = a_door()
        build = a_build(source('main'))
        request, step = build.requests[0], a_step(build)
        found = [door.semaphore_for(who, self.one) for who in (request, build, step)]
        self.assertIsNotNone(found[0])
        self.assertEqual(found, [found[0]] * 3)

    def test_asked_for_nobody_in_particular_it_may_be_free(self) -> None:
        door = a_door()
        door.claim(a_build(source('main')), self.one)
        self.assertTrue(door.isAvailable(None, self.one))

    def test_the_codebase_that_is_named_counts(self) -> None:
        door = a_door(codebase='app')
        door.claim(a_build(source('main', 'app'), source('x', 'lib')), self.one)
        self.assertFalse(
            door.isAvailable(a_request(source('y', 'lib'), source('main', 'app')), self.one)
        )
        self.assertTrue(
            door.isAvailable(a_request(source('main', 'lib'), source('z', 'app')), self.one)
        )
        self.assertTrue(door.isAvailable(a_request(source('main', 'lib')), self.one))

    @async_to_deferred
    async def test_several_codebases_and_none_named_stop_the_build_with_a_sentence(self) -> None:
        door, build = a_door(), a_build(source('a', 'app'), source('b', 'lib'))
        self.assertTrue(door.isAvailable(build.requests[0], self.one))  # it is to start
        self.assertFalse(door.isAvailable(build, self.one))
        waits = door.waitUntilMaybeAvailable(build, self.one)
        await flushEventualQueue()
        assert build.why is not None
        self.assertIn("codebase= is one of 'app', 'lib'", build.why[0])
        self.assertEqual(build.why[1], FAILURE)
        door.stopWaitingUntilAvailable(build, self.one, waits)
        self.assertTrue(waits.called)

    @async_to_deferred
    async def test_several_codebases_and_none_named_stop_the_build_of_the_step(self) -> None:
        build = a_build(source('a', 'app'), source('b', 'lib'))
        step, door = a_step(build), a_door()
        self.assertFalse(door.isAvailable(step, self.one))
        door.waitUntilMaybeAvailable(step, self.one)
        await flushEventualQueue()
        self.assertIsNotNone(build.why)

    def test_a_worker_has_no_branch_and_never_gets_it(self) -> None:
        door = a_door()
        self.assertFalse(door.isAvailable(Worker('w', 'pw'), self.one))
        self.assertFalse(door.isAvailable(Worker('w', 'pw'), self.one))

    @async_to_deferred
    async def test_a_limit_that_is_raised_wakes_who_waits_on_the_branch(self) -> None:
        lock = real(BranchLock('version'))
        door = lock.getLockForWorker('w')
        holder, waiter = a_build(source('main')), a_build(source('main'))
        door.claim(holder, self.one)
        waits = door.waitUntilMaybeAvailable(waiter, self.one)
        lock.updateFromLockId(BranchLock('version', maxCountForBranch={'main': 2}), 1)
        await flushEventualQueue()
        self.assertTrue(waits.called)

    @async_to_deferred
    async def test_another_codebase_moves_who_holds_and_who_waits(self) -> None:
        lock = real(BranchLock('version', codebase='app'))
        door = lock.getLockForWorker('w')
        holder = a_build(source('a', 'app'), source('x', 'lib'))
        waiter = a_build(source('a', 'app'), source('y', 'lib'))
        door.claim(holder, self.one)
        waits = door.waitUntilMaybeAvailable(waiter, self.one)
        lock.updateFromLockId(BranchLock('version', codebase='lib'), 1)
        await flushEventualQueue()
        self.assertTrue(waits.called)
        door.claim(waiter, self.one)
        self.assertFalse(door.isAvailable(a_request(source('x', 'lib')), self.one))
        door.release(holder, self.one)
        door.release(waiter, self.one)
        self.assertTrue(door.isAvailable(a_request(source('x', 'lib')), self.one))
        self.assertEqual(lock.table._busy, {})


class Memory(TestCase):
    def setUp(self) -> None:
        self.lock = real(BranchLock('version'))
        self.door = self.lock.getLockForWorker('w')
        self.one = self.lock.lockid.access('counting')

    def test_idle_branches_are_forgotten(self) -> None:
        for number in range(5000):
            build = a_build(source(f'branch-{number}'))
            self.assertTrue(self.door.isAvailable(build, self.one))
            self.door.claim(build, self.one)
            self.door.release(build, self.one)
            self.door.isAvailable(a_request(source(f'other-{number}')), self.one)
        self.assertEqual(len(self.lock.table), 0)
        self.assertEqual(self.lock.table._busy, {})

    @async_to_deferred
    async def test_a_branch_is_kept_while_somebody_holds_waits_or_reserved(self) -> None:
        holder, waiter = a_build(source('main')), a_build(source('main'))
        self.door.claim(holder, self.one)
        waits = self.door.waitUntilMaybeAvailable(waiter, self.one)
        self.door.release(holder, self.one)
        gc.collect()
        # woken and not yet claimed: nobody else can have it
        self.assertFalse(self.door.isAvailable(a_build(source('main')), self.one))
        self.door.stopWaitingUntilAvailable(waiter, self.one, waits)
        await task.deferLater(reactor, 0.01)
        del waits  # its result is the semaphore
        request, build = a_request(source('main')), a_build(source('main'))
        self.assertTrue(self.door.reserve(request, self.one))
        gc.collect()
        self.assertFalse(self.door.isAvailable(build, self.one))
        self.door.hand_over(request, build, self.one)
        self.assertTrue(self.door.isAvailable(build, self.one))
        self.door.give_up(build, self.one)
        gc.collect()
        self.assertEqual(len(self.lock.table), 0)

    def test_a_refused_reservation_leaves_nothing(self) -> None:
        self.door.claim(a_build(source('main')), self.one)
        self.assertFalse(self.door.reserve(a_request(source('main')), self.one))
        semaphore = self.door.semaphore_for(a_request(source('main')), self.one)
        assert semaphore is not None
        self.assertEqual(len(semaphore.picture().held), 1)
        self.assertEqual(semaphore.picture().offered, ())

    @given(st.text(max_size=50), st.text(max_size=50))
    def test_any_text_is_a_branch(self, one: str, other: str) -> None:
        door = a_door(1, {'[a-z]*': 1, '*': 1})
        door.claim(a_build(source(one)), self.one)
        free = door.isAvailable(a_request(source(other)), self.one)
        self.assertEqual(free, one != other)
        semaphore = door.semaphore_for(a_request(source(one)), self.one)
        self.assertNotIn('\n', repr(semaphore))
