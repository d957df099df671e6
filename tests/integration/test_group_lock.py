# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from buildbot.plugins import util
from buildbot.plugins import worker
from buildbot.process.buildstep import BuildStep
from buildbot.process.factory import BuildFactory
from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.masters import MasterCase
from twisted.internet import reactor
from twisted.internet import task

from buildbot_balancer.locks import asking
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.locks.realgroup import RealGroupLock
from buildbot_balancer.master.balancer import Balancer

PARTNERS = {'w1': 'esx1', 'w2': 'esx1'}


class Short(BuildStep):
    """Counts how many run at once, by the group of its worker."""

    name = 'short'
    groups: dict[str, str] = {}  # noqa: RUF012
    running: dict[str, int] = {}  # noqa: RUF012
    peaks: dict[str, int] = {}  # noqa: RUF012

    async def run(self) -> int:
        group = Short.groups[self.build.workername]
        Short.running[group] = Short.running.get(group, 0) + 1
        Short.peaks[group] = max(Short.peaks.get(group, 0), Short.running[group])
        await task.deferLater(reactor, 0.1)
        Short.running[group] -= 1
        return SUCCESS


class LockCase(MasterCase):
    proto = 'null'

    async def with_locks(
        self,
        builder_locks: Any = (),
        step_locks: Any = (),
        names: tuple[str, ...] = ('w1', 'w2', 'w3'),
        builders: dict[str, tuple[str, ...]] | None = None,
        **more: Any,
    ) -> None:
        """A builder for each worker, called as it is, unless told otherwise."""
        await self.start(
            names=names,
            steps=lambda: [HeldStep(locks=list(step_locks))],
            builders=builders or {name: (name,) for name in names},
            builder={'locks': builder_locks},
            **more,
        )

    async def reconfig_locks(self, builder_locks: Any = (), step_locks: Any = ()) -> None:
        for one in self.config['builders']:
            one.locks = builder_locks
            one.factory = BuildFactory([HeldStep(locks=list(step_locks))])
        self.master.config_loader.config_dict = self.config
        await self.master.reconfig()

    def real(self, kind: Any = RealGroupLock) -> Any:
        (found,) = [one for one in self.master.botmaster if isinstance(one, kind)]
        return found

    def on(self) -> list[str]:
        return sorted(step.build.workerforbuilder.worker.workername for step in HeldStep.running)

    async def ended(self, count: int) -> list[dict[str, Any]]:
        async def complete() -> list[dict[str, Any]]:
            return [one for one in await self.builds() if one['complete']]

        for _ in range(500):
            found = await complete()
            if len(found) >= count:
                return found
            await task.deferLater(reactor, 0.02)
        raise AssertionError(f'only {len(found)} builds ended')

    async def finish_all(self, count: int) -> list[dict[str, Any]]:
        for _ in range(1000):
            self.let_all_go()
            found = [one for one in await self.builds() if one['complete']]
            if len(found) >= count:
                return found
            await task.deferLater(reactor, 0.02)
        raise AssertionError('not all builds ended')


class Builders(LockCase):
    """Buildbot's own chooser and ours."""

    services: Any = ()

    async def start_all(self, lock: WorkerGroupLock, **more: Any) -> None:
        await self.with_locks([lock.access('counting')], services=list(self.services), **more)

    @async_to_deferred
    async def test_workers_that_share_hardware_share_the_units(self) -> None:
        await self.start_all(WorkerGroupLock('host', workerToGroup=PARTNERS))
        for name in ('w1', 'w2', 'w3'):
            await self.request(name)
        await self.started(2)
        await self.stays(lambda: len(HeldStep.running) == 2)
        self.assertEqual(len({*self.on()} - {'w3'}), 1)
        self.assertIn('w3', self.on())
        self.let_all_go()
        await self.started(1)
        ended = await self.finish_all(3)
        self.assertEqual({one['results'] for one in ended}, {SUCCESS})

    @async_to_deferred
    async def test_with_no_groups_each_worker_has_its_own_units(self) -> None:
        await self.start_all(WorkerGroupLock('host'))
        for name in ('w1', 'w2', 'w3', 'w3'):
            await self.request(name)
        await self.started(3)
        await self.stays(lambda: self.on() == ['w1', 'w2', 'w3'])
        await self.finish_all(4)

    @async_to_deferred
    async def test_a_worker_of_a_free_group_is_taken_when_the_other_group_is_full(self) -> None:
        lock = WorkerGroupLock('host', workerToGroup=PARTNERS)
        builders = {'any': ('w1', 'w2', 'w3')}
        await self.start_all(lock, builders=builders)
        for _ in range(3):
            await self.request('any')
        await self.started(2)
        await self.stays(lambda: len(HeldStep.running) == 2)
        self.assertIn('w3', self.on())
        await self.finish_all(3)

    @async_to_deferred
    async def test_a_raised_limit_starts_who_waits_and_a_lowered_one_stops_nobody(self) -> None:
        def access(limit: int) -> Any:
            return [WorkerGroupLock('host', limit, workerToGroup=PARTNERS).access('counting')]

        await self.start_all(WorkerGroupLock('host', 1, workerToGroup=PARTNERS))
        await self.request('w1')
        await self.started(1)
        await self.request('w2')
        await self.stays(lambda: len(HeldStep.running) == 1)
        await self.reconfig_locks(access(2))
        await self.started(2)
        await self.reconfig_locks(access(1))
        await self.request('w1')
        await self.stays(lambda: len(HeldStep.running) == 2)
        next(s for s in HeldStep.running if s.build.workername == 'w2').let_go()
        await self.stays(lambda: len(HeldStep.running) == 1)
        await self.finish_all(3)


class BuildersUnderTheBalancer(Builders):
    @property
    def services(self) -> Any:
        return [Balancer()]


class Steps(LockCase):
    @async_to_deferred
    async def test_steps_on_workers_of_a_group_wait_for_each_other(self) -> None:
        lock = WorkerGroupLock('jtag', workerToGroup=PARTNERS)
        await self.with_locks(step_locks=[lock.access('exclusive')])
        for name in ('w1', 'w2', 'w3'):
            await self.request(name)
        await self.started(2)
        await self.stays(lambda: len(HeldStep.running) == 2)
        self.assertIn('w3', self.on())
        await self.finish_all(3)
        self.assertEqual(self.real().table._busy, {})

    @async_to_deferred
    async def test_a_step_that_is_stopped_while_it_waits_gives_its_place_up(self) -> None:
        lock = WorkerGroupLock('jtag', workerToGroup=PARTNERS)
        await self.with_locks(step_locks=[lock.access('exclusive')])
        await self.request('w1')
        await self.started(1)
        await self.request('w2')
        await self.until(lambda: self.waiting('esx1') == 1)
        build = self.master.botmaster.builders['w2'].building[0]
        await build.stopBuild('test')
        await self.until(lambda: self.waiting('esx1') == 0)
        await self.request('w2')
        await self.finish_all(3)
        self.assertEqual(self.real().table._busy, {})

    def waiting(self, group: str) -> int:
        return len(self.real().semaphore_named(group).picture().waiting)

    @async_to_deferred
    async def test_a_raised_limit_wakes_a_waiting_step_although_nobody_asks_again(self) -> None:
        await self.with_locks(
            step_locks=[WorkerGroupLock('jtag', workerToGroup=PARTNERS).access('counting')]
        )
        await self.request('w1')
        await self.started(1)
        await self.request('w2')
        await self.until(lambda: self.waiting('esx1') == 1)
        raised = WorkerGroupLock('jtag', workerToGroup=PARTNERS, maxCountForGroup={'esx1': 2})
        await self.reconfig_locks(step_locks=[raised.access('counting')])
        await self.started(2)
        await self.finish_all(2)

    @async_to_deferred
    async def test_a_step_whose_worker_changes_its_group_is_not_stranded(self) -> None:
        await self.with_locks(
            step_locks=[WorkerGroupLock('jtag', workerToGroup=PARTNERS).access('counting')]
        )
        await self.request('w1')
        await self.started(1)
        await self.request('w2')
        await self.until(lambda: self.waiting('esx1') == 1)
        moved = WorkerGroupLock('jtag', workerToGroup={'w1': 'esx1', 'w2': 'esx2'})
        await self.reconfig_locks(step_locks=[moved.access('counting')])
        await self.started(2)
        await self.finish_all(2)
        self.assertEqual(self.real().table._busy, {})


class Workers(LockCase):
    @async_to_deferred
    async def test_a_lock_of_the_workers_is_shared_in_the_group(self) -> None:
        lock = WorkerGroupLock('host', workerToGroup=PARTNERS)
        names = ('w1', 'w2', 'w3')
        await self.start(
            names=names,
            builders={name: (name,) for name in names},
            workers=[
                worker.LocalWorker(n, missing_timeout=0, locks=[lock.access('counting')])
                for n in names
            ],
        )
        for name in names:
            await self.request(name)
        await self.started(2)
        await self.stays(lambda: len(HeldStep.running) == 2)
        self.assertIn('w3', self.on())
        self.let_all_go()
        await self.started(1)
        await self.finish_all(3)


class GroupsByProperty(LockCase):
    @async_to_deferred
    async def test_a_property_of_the_workers_makes_the_groups(self) -> None:
        lock = WorkerGroupLock('host', groupProperty='rack')
        racks = {'w1': 'a', 'w2': 'a', 'w3': 'b'}
        await self.start(
            names=tuple(racks),
            builders={name: (name,) for name in racks},
            builder={'locks': [lock.access('counting')]},
            workers=[
                worker.LocalWorker(n, missing_timeout=0, properties={'rack': r})
                for n, r in racks.items()
            ],
        )
        for name in racks:
            await self.request(name)
        await self.started(2)
        await self.stays(lambda: len(HeldStep.running) == 2)
        self.assertIn('w3', self.on())
        await self.finish_all(3)

    @async_to_deferred
    async def test_a_group_named_at_use_is_the_same_when_it_is_asked_for_and_claimed(self) -> None:
        lock = WorkerGroupLock('licence')
        access = lock.access('counting', group=util.Interpolate('%(prop:tool)s-%(prop:branch)s'))
        await self.with_locks([access])
        await self.request('w1', tool='icc')
        await self.started(1)
        builder = self.master.botmaster.builders['w2']
        place = builder.getAvailableWorkers()[0]
        await self.request('w2', tool='gcc')
        await self.started(2)
        asked = {}
        for tool in ('icc', 'gcc', 'msvc'):
            request = await self.request_object('w3', tool)
            pairs = await asking.real_locks(builder, place, request)
            asked[tool] = [one.isAvailable(request, access) for one, access in pairs]
        self.assertEqual(asked, {'icc': [False], 'gcc': [False], 'msvc': [True]})
        await self.finish_all(2)

    async def request_object(self, builder: str, tool: str) -> Any:
        from buildbot.process.buildrequest import BuildRequest
        from buildbot.process.properties import Properties

        request = BuildRequest()
        request.id, request.master = 99, self.master
        request.properties = Properties(tool=tool)
        source = SimpleNamespace(
            branch='main', revision=None, repository='', codebase='', project='', changes=[]
        )
        request.sources = {'': source}
        return request

    @async_to_deferred
    async def test_a_group_that_cannot_be_rendered_fails_the_build_and_frees_the_worker(
        self,
    ) -> None:
        def broken(props: Any) -> str:
            raise ValueError('defect')

        lock = WorkerGroupLock('licence')
        await self.with_locks([lock.access('counting', group=util.renderer(broken))])
        await self.request('w1')
        (build,) = await self.ended(1)
        self.assertEqual(build['results'], FAILURE)
        self.assertIn('ValueError: defect', build['state_string'])
        self.assertTrue(self.master.botmaster.builders['w1'].getAvailableWorkers())


class Load(LockCase):
    @async_to_deferred
    async def test_no_group_is_ever_above_its_limit_and_all_builds_end(self) -> None:
        names = tuple(f'w{n}' for n in range(8))
        Short.groups = {name: f'g{n // 4}' for n, name in enumerate(names)}
        Short.running, Short.peaks = {}, {}
        lock = WorkerGroupLock('host', 2, workerToGroup=Short.groups)
        step_lock = WorkerGroupLock('disk', 2, workerToGroup=Short.groups)
        await self.start(
            names=names,
            steps=lambda: [Short(locks=[step_lock.access('counting')])],
            builders={f'b{n}': names for n in range(3)},
            builder={'locks': [lock.access('counting')]},
            services=[Balancer()],
        )
        for number in range(30):
            await self.request(f'b{number % 3}')
        ended = await self.finish_all(30)
        self.assertEqual({one['results'] for one in ended}, {SUCCESS})
        self.assertEqual(Short.peaks, {'g0': 2, 'g1': 2})
        for one in self.master.botmaster:
            if isinstance(one, RealGroupLock):
                self.assertEqual(one.table._busy, {})
