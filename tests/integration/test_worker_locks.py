# SPDX-License-Identifier: GPL-2.0-or-later
"""Worker(locks=[...]) with several builds at once: what Buildbot alone gets wrong."""

from __future__ import annotations

from typing import Any

from buildbot.plugins import util
from buildbot.plugins import worker
from buildbot.process.results import CANCELLED
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.masters import MasterCase
from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet import task


class WorkerLockCase(MasterCase):
    """Two builders, so that two builds may be chosen for one worker before either claims."""

    proto = 'null'
    NAMES = ('w1', 'w2')

    async def with_locks(self, *locks: Any, names: tuple[str, ...] = NAMES, **more: Any) -> None:
        workers = [
            worker.LocalWorker(name, missing_timeout=0, max_builds=2, locks=list(locks))
            for name in names
        ]
        await self.start(
            names=names,
            builders={'b': names, 'c': names},
            workers=workers,
            services=[util.Balancer()],
            **more,
        )
        self.quarantined: list[str] = []
        for name in names:
            self.patch(self.buildbot_worker(name), 'putInQuarantine', self.quarantine(name))

    def quarantine(self, name: str) -> Any:
        return lambda: self.quarantined.append(name)

    def hold_starts(self) -> list[defer.Deferred[None]]:
        """Every build stops before it claims what its worker takes, until the test lets it go."""
        held: list[defer.Deferred[None]] = []
        self.addCleanup(lambda: [one.callback(None) for one in held if not one.called])
        stock = self.master.data.updates.generateNewBuildEvent

        @async_to_deferred
        async def held_up(buildid: int) -> Any:
            held.append(defer.Deferred())
            await held[-1]
            return await stock(buildid)

        self.patch(self.master.data.updates, 'generateNewBuildEvent', held_up)
        return held

    async def real(self, lock: Any, name: str = 'w1') -> Any:
        found = await self.master.botmaster.getLockByID(lock, self.master.config_version)
        return found.getLockForWorker(name)

    async def complete(self, *brids: int) -> list[dict[str, Any]]:
        """The builds, when every request has one that is complete; whoever comes is let go."""
        for _ in range(1500):
            self.let_all_go()
            rows = await self.builds()
            done = [row for row in rows if row['complete'] and row['results'] != RETRY]
            if {row['buildrequestid'] for row in done} >= set(brids):
                return rows
            await task.deferLater(reactor, 0.02)
        raise AssertionError(f'not all requests ended: {rows}')

    async def all_went_well(self, *brids: int) -> None:
        """Each build succeeded at the first try, and no worker was blamed."""
        rows = await self.complete(*brids)
        self.assertEqual([row['results'] for row in rows], [SUCCESS] * len(brids))
        self.assertEqual(self.quarantined, [])

    async def until_free(self, lock: Any, name: str = 'w1') -> None:
        """A stranger could have all of it."""
        real = await self.real(lock, name)
        access = lock.access('exclusive')
        await self.until(lambda: real.isAvailable(None, access), seconds=40)
        self.assertEqual((real.owners, real.waiting), ([], []))


class SeveralBuilds(WorkerLockCase):
    async def one_at_a_time(self, lock: Any, names: tuple[str, ...]) -> None:
        await self.with_locks(lock.access('counting'), names=names)
        held = self.hold_starts()
        brids = [await self.request(builder) for builder in ('b', 'c', 'b', 'c')]
        await self.until(lambda: held)
        # the lock is not claimed yet, and nobody else is sent after it
        await self.stays(lambda: len(held) == 1)
        for number in range(len(brids)):
            await self.until(lambda number=number: len(held) > number)
            await self.stays(lambda number=number: len(held) == number + 1, 0.2)
            held[number].callback(None)
            await self.started(1)
            await self.stays(lambda number=number: len(held) == number + 1, 0.2)
            self.assertEqual(len(HeldStep.running), 1)
            self.let_all_go()
        await self.all_went_well(*brids)
        for name in names:
            await self.until_free(lock, name)

    @async_to_deferred
    async def test_two_builds_for_one_worker_follow_each_other_where_its_lock_has_one_unit(
        self,
    ) -> None:
        await self.one_at_a_time(util.WorkerLock('tool', maxCount=1), ('w1',))

    @async_to_deferred
    async def test_two_workers_that_share_a_master_lock_build_in_turn(self) -> None:
        await self.one_at_a_time(util.MasterLock('box', maxCount=1), ('w1', 'w2'))

    @async_to_deferred
    async def test_two_workers_of_a_group_build_in_turn(self) -> None:
        lock = util.WorkerGroupLock('host', workerToGroup={'w1': 'esx1', 'w2': 'esx1'})
        await self.with_locks(lock.access('counting'))
        held = self.hold_starts()
        brids = [await self.request(builder) for builder in ('b', 'c')]
        await self.until(lambda: held)
        await self.stays(lambda: len(held) == 1)
        held[0].callback(None)
        await self.started(1)
        await self.stays(lambda: len(held) == 1)
        self.let_all_go()
        await self.until(lambda: len(held) == 2)
        held[1].callback(None)
        await self.all_went_well(*brids)

    @async_to_deferred
    async def test_a_lock_with_two_units_lets_two_builds_run_on_a_worker(self) -> None:
        lock = util.WorkerLock('tool', maxCount=2)
        await self.with_locks(lock.access('counting'), names=('w1',))
        brids = [await self.request(builder) for builder in ('b', 'c', 'b')]
        await self.started(2)
        await self.stays(lambda: len(HeldStep.running) == 2, 0.3)
        self.assertEqual((await self.real(lock))._claimed_counting, 2)
        await self.all_went_well(*brids)
        await self.until_free(lock)

    @async_to_deferred
    async def test_a_worker_that_takes_two_units_at_a_build_is_used_for_one(self) -> None:
        lock = util.WorkerLock('tool', maxCount=3)
        await self.with_locks(lock.access('counting', count=2), names=('w1',))
        brids = [await self.request(builder) for builder in ('b', 'c')]
        await self.started(1)
        await self.stays(lambda: len(HeldStep.running) == 1)
        await self.all_went_well(*brids)
        await self.until_free(lock)


class FailedStarts(WorkerLockCase):
    """Two units, two builds: the end of the one that never claimed must free nothing."""

    async def one_runs_and_one_starts(self) -> tuple[Any, int, int, Any]:
        lock = util.WorkerLock('tool', maxCount=2)
        await self.with_locks(lock.access('counting'), names=('w1',))
        first = await self.request('b')
        await self.started(1)
        held = self.hold_starts()
        second = await self.request('c')
        await self.until(lambda: held)
        real = await self.real(lock)
        self.assertEqual(real._claimed_counting, 1)
        return lock, first, second, held[0]

    async def the_first_one_still_has_its_unit(self, lock: Any) -> None:
        real = await self.real(lock)
        self.assertEqual(real._claimed_counting, 1)
        await self.stays(lambda: real._claimed_counting == 1, 0.3)

    @async_to_deferred
    async def test_a_build_that_fails_before_it_claims_frees_nothing_of_another(self) -> None:
        lock, first, second, held = await self.one_runs_and_one_starts()
        self.make_setup_fail('c')
        held.callback(None)
        await self.until_build_of(second)
        await self.the_first_one_still_has_its_unit(lock)
        self.let_all_go()
        await self.complete(first)
        await self.until_free(lock)
        self.assertTrue(self.flushLoggedErrors(RuntimeError))

    def make_setup_fail(self, builder: str) -> None:
        (build,) = self.master.botmaster.builders[builder].building

        def fail() -> None:
            raise RuntimeError('a step that cannot be made')

        self.patch(build, 'setupBuild', fail)

    async def until_build_of(self, brid: int) -> None:
        for _ in range(500):
            if any(b['complete'] for b in await self.builds() if b['buildrequestid'] == brid):
                return
            await task.deferLater(reactor, 0.02)
        raise AssertionError(f'the build of request {brid} did not end')

    @async_to_deferred
    async def test_a_build_that_is_skipped_frees_nothing_of_another(self) -> None:
        lock = util.WorkerLock('tool', maxCount=2)
        builder = {'do_build_if': lambda build: 'skipped' not in build.getProperties()}
        await self.with_locks(lock.access('counting'), names=('w1',), builder=builder)
        first = await self.request('b')
        await self.started(1)
        second = await self.request('c', skipped=True)
        await self.until_build_of(second)
        await self.the_first_one_still_has_its_unit(lock)
        self.let_all_go()
        await self.complete(first)
        await self.until_free(lock)

    @async_to_deferred
    async def test_a_build_that_is_stopped_while_it_starts_gives_back_its_own_unit_only(
        self,
    ) -> None:
        lock, first, second, held = await self.one_runs_and_one_starts()
        (build,) = self.master.botmaster.builders['c'].building
        await self.master.data.control('stop', {'reason': 'test'}, ('builds', str(build.buildid)))
        await self.until(lambda: build.stopped)
        held.callback(None)
        await self.until_build_of(second)
        rows = [b for b in await self.builds() if b['buildrequestid'] == second]
        self.assertEqual([row['results'] for row in rows], [CANCELLED])
        await self.the_first_one_still_has_its_unit(lock)
        self.let_all_go()
        await self.complete(first)
        await self.until_free(lock)

    @async_to_deferred
    async def test_a_unit_that_is_kept_for_a_start_is_nobody_elses(self) -> None:
        lock, first, second, held = await self.one_runs_and_one_starts()
        real = await self.real(lock)
        self.assertFalse(real.isAvailable(None, lock.access('counting')))
        held.callback(None)
        await self.started(2)
        await self.all_went_well(first, second)
        await self.until_free(lock)
