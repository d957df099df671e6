# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import steps
from buildbot.plugins import util
from buildbot.plugins import worker
from buildbot.util.twisted import async_to_deferred
from support.families import HOST
from support.families import REMEDY
from support.families import FamilyCase
from support.families import trigger
from support.masters import HeldStep

from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.steps.group import StepGroup


class BuildLocks(FamilyCase):
    async def with_lock(self, lock: Any, mode: str = 'exclusive', **child: Any) -> None:
        await self.start_family(
            parent={'locks': [lock.access(mode)], 'steps': [trigger('child')]},
            child={'locks': [lock.access(mode)], **child},
        )
        await self.request('parent')

    @async_to_deferred
    async def test_a_master_lock(self) -> None:
        await self.with_lock(HOST)
        await self.check('parent build parent #1')

    @async_to_deferred
    async def test_a_worker_lock_of_the_only_worker(self) -> None:
        await self.with_lock(WorkerLock('host'), workernames=['parent'])
        await self.check('parent build parent #1')

    @async_to_deferred
    async def test_a_worker_lock_with_another_worker_is_no_deadlock(self) -> None:
        await self.with_lock(WorkerLock('host'), workernames=['parent', 'spare'])
        await self.started(1)
        self.assertEqual(HeldStep.running[0].build.workername, 'spare')
        self.assertEqual([one for one in self.log.ours() if 'holds lock' in one], [])
        await self.end()

    @async_to_deferred
    async def test_a_worker_that_could_take_it_is_no_deadlock_although_it_is_full(self) -> None:
        await self.with_lock(WorkerLock('host'), workernames=['parent', 'spare'])
        await self.started(1)
        builderid = await self.master.data.updates.findBuilderId('child')
        parent = await self.running('parent')
        await self.master.data.updates.addBuildset(
            waited_for=True,
            builderids=[builderid],
            sourcestamps=[{'codebase': '', 'branch': 'main', 'repository': '', 'project': ''}],
            parent_buildid=parent.buildid,
            parent_relationship='Triggered from',
        )
        self.assertIsNotNone(await self.deadlock(workers=['parent']))
        await self.check_not_deadlocked()

    @async_to_deferred
    async def test_a_worker_group_lock_on_another_worker_of_the_group(self) -> None:
        groups = {'parent': 'esx1', 'child': 'esx1'}
        await self.with_lock(WorkerGroupLock('host', workerToGroup=groups))
        await self.check('parent build parent #1')

    @async_to_deferred
    async def test_a_worker_group_lock_whose_group_is_rendered(self) -> None:
        lock = WorkerGroupLock('host')
        access = lock.access('counting', group=util.Interpolate('%(prop:branch)s'))
        await self.start_family(
            parent={'locks': [access], 'steps': [trigger('child')]}, child={'locks': [access]}
        )
        await self.request('parent')
        await self.check('parent build parent #1')

    @async_to_deferred
    async def test_a_branch_lock(self) -> None:
        await self.with_lock(BranchLock('host'))
        await self.check('parent build parent #1')

    @async_to_deferred
    async def test_one_unit_of_two_is_no_deadlock_when_a_stranger_has_the_other(self) -> None:
        lock = MasterLock('host', 2)
        await self.start_family(
            parent={'locks': [lock.access('counting')], 'steps': [trigger('child')]},
            child={'locks': [lock.access('counting')]},
            other={'locks': [lock.access('counting')]},
        )
        await self.request('other')
        await self.started(1)
        await self.request('parent')
        (breq,) = await self.pending()
        await self.until(lambda: breq.id in self.balancer.engine.decisions)
        self.assertIsNone(await self.deadlock())
        HeldStep.running[0].let_go()  # and the child starts
        await self.until(lambda: [one.build.builder.name for one in HeldStep.running] == ['child'])
        self.assertEqual([one for one in self.log.ours() if 'holds lock' in one], [])
        await self.end()

    @async_to_deferred
    async def test_a_lock_that_a_stranger_holds_is_no_deadlock(self) -> None:
        await self.start_family(
            parent={'locks': [MasterLock('mine').access('counting')], 'steps': [trigger('child')]},
            child={'locks': [HOST.access('counting')]},
            other={'locks': [HOST.access('counting')]},
        )
        await self.request('other')
        await self.started(1)
        await self.request('parent')
        await self.pending()
        await self.check_not_deadlocked()

    @async_to_deferred
    async def test_a_parent_that_does_not_wait_is_no_deadlock(self) -> None:
        access = HOST.access('exclusive')
        await self.start_family(
            parent={
                'locks': [access],
                'steps': [trigger('child', waitForFinish=False), HeldStep()],
            },
            child={'locks': [access]},
        )
        await self.request('parent')
        await self.started(1)
        await self.pending()
        await self.check_not_deadlocked()

    @async_to_deferred
    async def test_a_parent_that_has_ended_is_no_deadlock(self) -> None:
        await self.with_lock(HOST)
        (breq,) = await self.pending()
        parent = await self.running('parent')
        self.assertIsNotNone(await self.deadlock())
        await parent.stopBuild('test')
        await self.until(lambda: parent.finished)
        self.assertIsNone(await self.parents.deadlock(self.builder(), breq))

    @async_to_deferred
    async def test_one_that_waits_for_all_of_the_lock_comes_between(self) -> None:
        """Buildbot #2916: all would have room, but for the one in the line."""
        lock = MasterLock('host', 3)
        await self.start_family(
            parent={
                'locks': [lock.access('counting')],
                'steps': [HeldStep(), trigger('child')],
            },
            child={'locks': [lock.access('counting')]},
            other={'steps': [HeldStep(locks=[lock.access('exclusive')])]},
        )
        await self.request('parent')
        await self.started(1)
        await self.request('other')
        other = await self.running('other')
        await self.until(lambda: other.currentStep._waitingForLocks)
        self.let_all_go()
        (breq,) = await self.pending()
        expected = (
            f"its parent build parent #1 holds lock 'host' and waits for request {breq.id}, which"
            f" stands in line behind step 'held' of other #1: none of them {REMEDY}"
        )
        found = await self.parents.deadlock(self.builder(), breq)
        self.assertEqual(found.sentence, expected)
        await self.check_said(breq, expected)
        await self.end()


class LinesOfRequests(FamilyCase):
    """Requests that wait for a lock of ours have turns, which must make no deadlock."""

    async def only_runs(self, builder: str) -> None:
        def alone() -> bool:
            return [one.build.builder.name for one in HeldStep.running] == [builder]

        await self.until(alone, seconds=10)
        await self.end()

    @async_to_deferred
    async def test_a_request_that_wants_all_of_the_lock_does_not_come_before_a_child(self) -> None:
        lock = WorkerGroupLock('host', 3, workerToGroup={'*': 'g'})
        await self.start_family(
            parent={'locks': [lock.access('counting')], 'steps': [HeldStep(), trigger('child')]},
            child={'locks': [lock.access('counting')]},
            other={'locks': [lock.access('exclusive')]},
        )
        await self.request('parent')
        await self.started(1)
        other = await self.request('other')
        await self.until(lambda: other in self.balancer.engine.decisions)
        self.let_all_go()
        await self.only_runs('child')

    @async_to_deferred
    async def test_a_child_that_can_never_have_it_does_not_stand_before_others(self) -> None:
        lock = WorkerGroupLock('host', 3, workerToGroup={'*': 'g'})
        await self.start_family(
            parent={'locks': [lock.access('counting', 2)], 'steps': [trigger('child')]},
            child={'locks': [lock.access('counting', 2)]},
            other={'locks': [lock.access('counting')]},
        )
        await self.request('parent')
        (breq,) = await self.pending()
        await self.until(lambda: breq.id in self.balancer.engine.decisions)
        await self.request('other')
        await self.only_runs('other')


class StepLocks(FamilyCase):
    @async_to_deferred
    async def test_a_lock_of_the_step_that_triggers(self) -> None:
        await self.start_family(
            parent={'steps': [trigger('child', locks=[HOST.access('counting')])]},
            child={'locks': [HOST.access('counting')]},
        )
        await self.request('parent')
        await self.check("parent build parent #1 (step 'go')")

    @async_to_deferred
    async def test_a_lock_of_the_group_in_which_it_triggers(self) -> None:
        lock = WorkerGroupLock('host')
        group = StepGroup(
            name='test',
            locks=[lock.access('exclusive')],
            steps=[StepGroup(name='inner', steps=[trigger('child')])],
        )
        await self.start_family(
            parent={'steps': [group]},
            child={'locks': [lock.access('counting')], 'workernames': ['parent']},
        )
        await self.request('parent')
        await self.check("parent build parent #1 (step 'test')")

    @async_to_deferred
    async def test_a_lock_of_a_step_before_it_is_no_deadlock(self) -> None:
        await self.start_family(
            parent={
                'locks': [MasterLock('mine').access('counting')],
                'steps': [
                    steps.SetProperty(property='a', value='b', locks=[HOST.access('exclusive')]),
                    trigger('child'),
                ],
            },
            child={'locks': [HOST.access('exclusive')]},
        )
        await self.request('parent')
        await self.started(1)
        self.assertEqual(HeldStep.running[0].build.builder.name, 'child')
        await self.end()


class LongerChains(FamilyCase):
    @async_to_deferred
    async def test_a_grandparent_that_holds_it(self) -> None:
        await self.start_family(
            top={'locks': [HOST.access('counting')], 'steps': [trigger('parent')]},
            parent={'steps': [trigger('child')]},
            child={'locks': [HOST.access('counting')]},
        )
        await self.request('top')
        await self.check('grandparent build top #1')

    @async_to_deferred
    async def test_parent_and_grandparent_that_hold_one_unit_each(self) -> None:
        access = MasterLock('host', 2).access('counting')
        await self.start_family(
            top={'locks': [access], 'steps': [trigger('parent')]},
            parent={'locks': [access], 'steps': [trigger('child')]},
            child={'locks': [access]},
        )
        await self.request('top')
        found = await self.deadlock()
        self.assertEqual(
            found.holders, ('grandparent build top #1', 'parent build parent #1'), found
        )
        self.assertIn("hold lock 'host' and wait for request 3: none of them can", found.sentence)
        await self.end()


class WorkersLocks(FamilyCase):
    @async_to_deferred
    async def test_a_lock_of_the_workers(self) -> None:
        lock = WorkerGroupLock('host', workerToGroup={'parent': 'esx1', 'child': 'esx1'})
        await self.start_family(
            workers=[
                worker.LocalWorker(name, missing_timeout=0, locks=[lock.access('counting')])
                for name in ('parent', 'child')
            ],
            parent={'steps': [trigger('child')]},
            child={},
        )
        await self.request('parent')
        await self.check('parent build parent #1 (worker parent)')


class Queries(FamilyCase):
    @async_to_deferred
    async def test_one_query_for_a_buildset_and_none_for_a_request_that_nobody_waits_for(
        self,
    ) -> None:
        access = HOST.access('exclusive')
        await self.start_family(
            parent={'locks': [access], 'steps': [trigger('child')]}, child={'locks': [access]}
        )
        await self.request('parent')
        (waited_for,) = await self.pending()
        await self.request('child')
        _, alone = await self.pending(count=2)
        asked: list[int] = []
        stock = self.master.db.buildsets.getBuildset

        def get_buildset(bsid: int) -> Any:
            asked.append(bsid)
            return stock(bsid)

        self.patch(self.master.db.buildsets, 'getBuildset', get_buildset)
        for _ in range(3):
            self.assertIsNotNone(await self.parents.deadlock(self.builder(), waited_for))
            self.assertIsNone(await self.parents.deadlock(self.builder(), alone))
        self.assertEqual([one for one in asked if one == alone.bsid], [])
        self.assertLessEqual(len(asked), 2)  # one of ours; the Balancer may ask for itself once
        await self.end()


class StartedBuilds(FamilyCase):
    """The child runs, and its step waits for a lock of the parent."""

    async def look(self) -> list[str]:
        await self.parents.look()
        return [one for one in self.log.ours() if ' waits: its ' in one]

    async def with_step_lock(self, parent: dict[str, Any]) -> Any:
        await self.start_family(
            parent=parent, child={'steps': [HeldStep(locks=[HOST.access('counting')])]}
        )
        await self.request('parent')
        child = await self.running('child')
        await self.until(lambda: child.executedSteps[-1]._waitingForLocks)
        return child

    @async_to_deferred
    async def test_a_step_that_waits_for_a_lock_of_the_parent_is_said_once(self) -> None:
        await self.with_step_lock(
            {'locks': [HOST.access('counting')], 'steps': [trigger('child')]},
        )
        line = (
            "buildbot-balancer: step 'held' of child #1 waits: its parent build parent #1 holds"
            f" lock 'host' and waits for request 2: neither {REMEDY}"
        )
        self.assertEqual(await self.look(), [line])
        self.assertEqual(await self.look(), [line])
        await self.end()
        self.assertEqual(await self.look(), [line])
        self.assertEqual(self.parents._said, set())

    @async_to_deferred
    async def test_a_step_that_waits_for_a_stranger_is_not_said(self) -> None:
        await self.start_family(
            parent={'steps': [trigger('child')]},
            child={'steps': [HeldStep(locks=[HOST.access('counting')])]},
            other={'locks': [HOST.access('counting')]},
        )
        await self.request('other')
        await self.started(1)
        await self.request('parent')
        child = await self.running('child')
        await self.until(lambda: child.executedSteps[-1]._waitingForLocks)
        self.assertEqual(await self.look(), [])
        await self.end()

    @async_to_deferred
    async def test_a_build_that_waits_for_its_own_lock_is_said(self) -> None:
        """Buildbot's own chooser lets it start when the lock is taken only a moment later."""
        access = HOST.access('counting')
        await self.start_family(
            balancer=Balancer(builders=['parent']),
            parent={'steps': [HeldStep(), trigger('child', locks=[access])]},
            child={'locks': [access]},
        )
        await self.request('parent')
        await self.started(1)
        real = await self.master.botmaster.getLockByID(HOST, 0)
        stock = real.isAvailable
        real.isAvailable = lambda who, access: who is None or stock(who, access)
        self.let_all_go()
        await self.until(lambda: self.builder('child').building)
        real.isAvailable = stock
        child = self.builder('child').building[0]
        await self.until(lambda: child._acquiringLock)
        (line,) = await self.look()
        self.assertIn('build child #1 waits: its parent build parent #1', line)
        await self.end()
