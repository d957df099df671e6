# SPDX-License-Identifier: GPL-2.0-or-later
"""What a real master says in its log about the locks of its config."""

from __future__ import annotations

from typing import Any

from buildbot.process.factory import BuildFactory
from buildbot.util.twisted import async_to_deferred
from support.logs import LogLines
from support.masters import HeldStep
from support.masters import MasterCase

from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.master.balancer import Balancer


class Advice(MasterCase):
    proto = 'null'

    async def start_with(self, *locks: Any, **more: Any) -> LogLines:
        log = LogLines(self)
        builders = {'a': ('w1',), 'b': ('w2',)}
        await self.start(
            builders=builders, builder={'locks': [one.access('counting') for one in locks]}, **more
        )
        return log

    async def reconfig(self, **changes: Any) -> None:
        self.config.update(changes)
        self.master.config_loader.config_dict = self.config
        await self.master.reconfig()

    def alone(self, log: LogLines) -> int:
        return sum('there is no util.Balancer' in line for line in log.ours())

    @async_to_deferred
    async def test_locks_without_a_balancer_are_told_of_once_a_config(self) -> None:
        log = await self.start_with(WorkerGroupLock('host'), BranchLock('version'))
        await self.request('a')
        await self.started(1)
        self.let_all_go()
        self.assertEqual(self.alone(log), 1)
        await self.reconfig()
        self.assertEqual(self.alone(log), 2)
        await self.reconfig(services=[Balancer()])
        self.assertEqual(self.alone(log), 2)
        await self.reconfig(services=[])
        self.assertEqual(self.alone(log), 3)

    @async_to_deferred
    async def test_beside_a_balancer_nothing_is_said(self) -> None:
        log = await self.start_with(WorkerGroupLock('host'), services=[Balancer()])
        self.assertEqual(self.alone(log), 0)

    @async_to_deferred
    async def test_a_lock_that_only_a_step_uses_is_told_of_when_it_is_first_used(self) -> None:
        log = await self.start_with()
        step = HeldStep(locks=[BranchLock('version').access('exclusive')])
        self.config['builders'][0].factory = BuildFactory([step])
        await self.reconfig()
        self.assertEqual(self.alone(log), 0)
        await self.request('a')
        await self.started(1)
        self.assertEqual(self.alone(log), 1)
        self.let_all_go()

    @async_to_deferred
    async def test_the_service_alone_logs_the_problems_and_what_is_odd(self) -> None:
        hold = BranchLock('version')
        host = WorkerGroupLock('host', workerToGroup={'w9': 'a'})
        log = await self.start_with(hold, host, services=[Balancer()])
        step = HeldStep(locks=[hold.access('counting')])
        self.config['builders'][0].factory = BuildFactory([step])
        await self.reconfig()
        said = [line.partition(': ')[2] for line in log.ours()]
        problem = "step 'held' takes the lock 'version', which the builder 'a' holds already"
        odd = "WorkerGroupLock 'host': workerToGroup: 'w9' matches no worker"
        self.assertEqual([line for line in said if line in {problem, odd}], [odd, problem, odd])
