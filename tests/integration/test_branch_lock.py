# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from buildbot.locks import MasterLock
from buildbot.plugins import util
from buildbot.process.factory import BuildFactory
from buildbot.process.results import CANCELLED
from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.masters import MasterCase
from twisted.internet import reactor
from twisted.internet import task

from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.realbranch import RealBranchLock


class BranchLocks(MasterCase):
    proto = 'null'
    NAMES = ('w1', 'w2', 'w3', 'w4')

    async def with_locks(self, locks: Any = (), step_locks: Any = (), **more: Any) -> None:
        await self.start(
            names=self.NAMES,
            steps=lambda: [HeldStep(locks=list(step_locks))],
            builder={'locks': locks},
            **more,
        )

    async def push(self, *branches: str | None, codebases: dict[str, str] | None = None) -> int:
        """One request; `codebases`: branches by codebase."""
        builderid = await self.master.data.updates.findBuilderId('b')
        by_codebase = codebases or {'': branches[0]}
        _, brids = await self.master.data.updates.addBuildset(
            waited_for=False,
            builderids=[builderid],
            sourcestamps=[
                {'codebase': codebase, 'branch': branch, 'repository': '', 'project': ''}
                for codebase, branch in by_codebase.items()
            ],
        )
        return int(brids[builderid])

    def running(self) -> list[Any]:
        return [step.build.sources[0].branch for step in HeldStep.running]

    async def finish_all(self, count: int) -> list[dict[str, Any]]:
        for _ in range(1000):
            self.let_all_go()
            found = [one for one in await self.builds() if one['complete']]
            if len(found) >= count:
                return found
            await task.deferLater(reactor, 0.02)
        raise AssertionError('not all builds ended')

    def real(self) -> Any:
        (found,) = [one for one in self.master.botmaster if isinstance(one, RealBranchLock)]
        return found

    async def one_at_a_time_on_each_branch(self) -> None:
        for branch in ('main', 'main', None, None):
            await self.push(branch)
        await self.started(2)
        await self.stays(lambda: len(HeldStep.running) == 2)
        self.assertEqual(set(self.running()), {'main', None})
        ended = await self.finish_all(4)
        self.assertEqual({one['results'] for one in ended}, {SUCCESS})
        self.assertEqual(self.real().table._busy, {})

    @async_to_deferred
    async def test_builds_of_one_branch_run_one_after_another(self) -> None:
        await self.with_locks([BranchLock('version').access('exclusive')])
        await self.one_at_a_time_on_each_branch()

    @async_to_deferred
    async def test_it_stands_beside_other_locks(self) -> None:
        many = MasterLock('many', maxCount=9)
        version = BranchLock('version')
        await self.with_locks([many.access('counting'), version.access('counting')])
        await self.one_at_a_time_on_each_branch()

    @async_to_deferred
    async def test_a_renderable_may_give_it(self) -> None:
        version = BranchLock('version')

        @util.renderer
        def locks(props: Any) -> Any:
            return [version.access('exclusive')]

        await self.with_locks(locks)
        await self.one_at_a_time_on_each_branch()

    @async_to_deferred
    async def test_steps_of_one_branch_wait_for_each_other(self) -> None:
        await self.with_locks(step_locks=[BranchLock('version').access('exclusive')])
        await self.one_at_a_time_on_each_branch()

    @async_to_deferred
    async def test_limits_by_branch(self) -> None:
        lock = BranchLock('version', maxCountForBranch={'feature/*': 2})
        await self.with_locks([lock.access('counting')])
        for branch in ('feature/a', 'feature/a', 'main', 'main'):
            await self.push(branch)
        await self.started(3)
        await self.stays(lambda: len(HeldStep.running) == 3)
        self.assertEqual(sorted(self.running()), ['feature/a', 'feature/a', 'main'])
        await self.finish_all(4)

    @async_to_deferred
    async def test_the_branch_of_the_named_codebase_counts(self) -> None:
        lock = BranchLock('version', codebase='app')
        await self.with_locks([lock.access('exclusive')])
        await self.push(codebases={'app': 'main', 'lib': 'x'})
        await self.push(codebases={'app': 'main', 'lib': 'y'})
        await self.push(codebases={'app': 'other', 'lib': 'x'})
        await self.started(2)
        await self.stays(lambda: len(HeldStep.running) == 2)
        await self.finish_all(3)

    @async_to_deferred
    async def test_several_codebases_and_none_named_fail_the_build_and_free_the_worker(
        self,
    ) -> None:
        await self.with_locks([BranchLock('version').access('exclusive')])
        await self.push(codebases={'app': 'main', 'lib': 'x'})
        (build,) = await self.finish_all(1)
        self.assertEqual(build['results'], FAILURE)
        self.assertIn(
            "must say whose branch counts: codebase= is one of 'app', 'lib'", build['state_string']
        )
        await self.until(
            lambda: (
                len(self.master.botmaster.builders['b'].getAvailableWorkers()) == len(self.NAMES)
            )
        )
        self.assertEqual(HeldStep.running, [])

    @async_to_deferred
    async def test_several_codebases_and_none_named_stop_the_step(self) -> None:
        await self.with_locks(step_locks=[BranchLock('version').access('exclusive')])
        await self.push(codebases={'app': 'main', 'lib': 'x'})
        (build,) = await self.finish_all(1)
        self.assertIn('must say whose branch counts', build['state_string'])
        steps = await self.master.data.get(('builds', str(build['buildid']), 'steps'))
        held = next(step for step in steps if step['name'] == 'held')
        self.assertEqual((held['complete'], held['results']), (True, CANCELLED))

    @async_to_deferred
    async def test_a_cancel_while_it_waits_for_the_branch_leaves_nothing(self) -> None:
        lock = BranchLock('version')
        await self.with_locks([lock.access('exclusive')])
        await self.push('main')
        await self.push('main')
        await self.started(1)
        semaphore = self.real().table.of('main')
        await self.until(lambda: semaphore.picture().waiting)
        waiting = semaphore.picture().waiting[0].requester
        await waiting.stopBuild('test')
        self.assertEqual(semaphore.picture().waiting, ())
        await self.push('main')
        await self.finish_all(3)
        self.assertEqual(self.real().table._busy, {})

    @async_to_deferred
    async def test_a_raised_limit_starts_who_waits(self) -> None:
        await self.with_locks([BranchLock('version').access('counting')])
        await self.push('main')
        await self.push('main')
        await self.started(1)
        await self.stays(lambda: len(HeldStep.running) == 1)
        for one in self.config['builders']:
            one.locks = [BranchLock('version', 2).access('counting')]
            one.factory = BuildFactory([HeldStep()])
        self.master.config_loader.config_dict = self.config
        await self.master.reconfig()
        await self.started(2)
        await self.finish_all(2)
