# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from buildbot.config import BuilderConfig
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import util
from buildbot.process.factory import BuildFactory
from buildbot.steps.shell import ShellCommand
from buildbot.worker import Worker
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.locks import checks
from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.steps.group import StepGroup


class Special(MasterLock):
    """Of another package: nobody knows what its numbers mean."""


def a_config(
    locks: Any = (),
    step_locks: Any = (),
    worker_locks: Any = (),
    workers: Any = ('w1', 'w2'),
    steps: Any = None,
) -> Any:
    if steps is None:
        steps = [ShellCommand(name='make', command=['make'], locks=list(step_locks))]
    return SimpleNamespace(
        builders=[
            BuilderConfig(
                name='b', workernames=list(workers), factory=BuildFactory(steps), locks=locks
            )
        ],
        workers=[Worker(name, 'pw', locks=list(worker_locks)) for name in workers],
    )


class Checks(SynchronousTestCase):
    def problems(self, **kwargs: Any) -> list[str]:
        return list(checks.problems(a_config(**kwargs)))

    def test_a_good_config_has_no_problems(self) -> None:
        host, version = WorkerGroupLock('host'), BranchLock('version')
        group = host.access('counting', group=util.Property('rack'))
        self.assertEqual(
            self.problems(
                locks=[host.access('counting'), version.access('exclusive')],
                step_locks=[
                    WorkerGroupLock('jtag').access('counting'),
                    MasterLock('m').access('counting'),
                ],
                worker_locks=[WorkerGroupLock('other').access('counting')],
            ),
            [],
        )
        self.assertEqual(self.problems(locks=[group, group]), [])
        self.assertEqual(self.problems(locks=util.Property('locks')), [])

    def test_a_branch_lock_on_a_worker_is_one(self) -> None:
        (problem, _) = self.problems(worker_locks=[BranchLock('version').access('counting')])
        self.assertIn("worker 'w1': a worker has no branch", problem)

    def test_a_group_named_at_use_on_a_worker_is_one(self) -> None:
        access = WorkerGroupLock('host').access('counting', group='x')
        (problem, _) = self.problems(worker_locks=[access])
        self.assertIn('group= of', problem)

    def test_two_definitions_of_one_name_are_one(self) -> None:
        one, other = (WorkerGroupLock('host', n).access('counting') for n in (1, 2))
        (problem,) = self.problems(step_locks=[one], worker_locks=[other])
        self.assertIn("used by step 'make' of builder 'b', the other by worker 'w1'", problem)
        self.assertEqual(
            self.problems(
                locks=[WorkerGroupLock('host').access('counting')],
                worker_locks=[WorkerGroupLock('host').access('counting')],
            ),
            [],
        )

    def test_two_definitions_of_a_stock_lock_are_one_too(self) -> None:
        for make in (MasterLock, WorkerLock):
            one, other = (make('host', n).access('counting') for n in (1, 2))
            (problem,) = self.problems(step_locks=[one], worker_locks=[other])
            self.assertIn("the lock 'host' is defined in two ways", problem)

    def test_a_master_lock_and_a_worker_lock_may_have_one_name(self) -> None:
        one, other = MasterLock('x').access('counting'), WorkerLock('x').access('counting')
        self.assertEqual(self.problems(step_locks=[one], worker_locks=[other]), [])

    def test_what_stands_between_two_definitions_does_not_hide_them(self) -> None:
        locks = [MasterLock('x', 1), WorkerLock('x'), MasterLock('x', 2)]
        (problem,) = self.problems(step_locks=[one.access('counting') for one in locks])
        self.assertIn("the lock 'x' is defined in two ways", problem)

    def test_a_kind_of_lock_that_is_not_known_may_have_two_definitions(self) -> None:
        one, other = (Special('x', n).access('counting') for n in (1, 2))
        self.assertEqual(self.problems(step_locks=[one], worker_locks=[other]), [])

    def test_a_lock_with_many_definitions_is_told_of_once(self) -> None:
        locks = [BranchLock('x', n).access('counting') for n in (1, 2, 3)]
        self.assertEqual(len(self.problems(step_locks=locks)), 1)

    def test_a_step_that_takes_a_lock_of_its_builder_is_one(self) -> None:
        lock = WorkerGroupLock('host', 4)
        for mine, its in (
            (lock.access('counting'), lock.access('counting')),
            (lock.access('counting'), lock.access('counting', group=util.Property('rack'))),
            (MasterLock('host').access('exclusive'), MasterLock('host').access('counting')),
            (MasterLock('host'), MasterLock('host').access('counting')),
        ):
            self.assertEqual(
                self.problems(locks=[mine], step_locks=[its]),
                ["step 'make' takes the lock 'host', which the builder 'b' holds already"],
            )

    def test_a_step_in_a_group_that_takes_a_lock_of_the_builder_is_one(self) -> None:
        hold = BranchLock('version').access('exclusive')
        for depth in range(3):
            step = ShellCommand(name='make', command=['make'], locks=[hold])
            for n in range(depth):
                step = StepGroup(f'group {n}', [step])
            self.assertEqual(
                self.problems(locks=[hold], steps=[step]),
                ["step 'make' takes the lock 'version', which the builder 'b' holds already"],
            )

    def test_a_count_that_no_worker_of_the_builder_ever_has_is_one(self) -> None:
        lock = WorkerGroupLock(
            'host', 1, maxCountForGroup={'big': 4}, workerToGroup={'w1': 'small', 'w9': 'big'}
        )
        (problem,) = self.problems(step_locks=[lock.access('counting', 2)])
        self.assertIn('wants 2 units', problem)
        self.assertEqual(
            self.problems(locks=[lock.access('counting', 2)], workers=('w1', 'w9')), []
        )

    def test_a_count_that_a_stock_lock_never_has_is_one(self) -> None:
        lock = WorkerLock('jtag', 1, maxCountForWorker={'w9': 4})
        (problem,) = self.problems(locks=[lock.access('counting', 2)])
        self.assertIn('no worker of the builder ever has more than 1', problem)
        access = lock.access('counting', 2)
        self.assertEqual(self.problems(locks=[access], workers=('w1', 'w9')), [])
        self.assertEqual(len(self.problems(step_locks=[MasterLock('m').access('counting', 2)])), 1)

    def test_a_count_that_the_worker_itself_never_has_is_one(self) -> None:
        lock = WorkerGroupLock('host', 4, {'small': 1}, {'w1': 'small'})
        (problem,) = self.problems(worker_locks=[lock.access('counting', 2)])
        self.assertEqual(
            problem, "worker 'w1' wants 2 units of the lock 'host', and never has more than 1"
        )

    def test_a_count_is_no_problem_where_the_limit_is_not_known_or_closed_on_purpose(self) -> None:
        for lock in (
            WorkerGroupLock('l', 1, {'big': 4}, groupProperty='rack'),
            WorkerGroupLock('l', 4, {'w1': 0, 'w2': 0}),
            WorkerGroupLock('l', None),
            Special('l', 1),
            MasterLock('l', 0),
            MasterLock('l', None),
            MasterLock('l', 'many'),
        ):
            self.assertEqual(self.problems(locks=[lock.access('counting', 2)]), [], lock)
        group = WorkerGroupLock('l', 1, {'big': 4}).access('counting', 2, group='big')
        self.assertEqual(self.problems(locks=[group]), [])

    def test_a_config_and_the_dict_that_it_is_made_of_have_the_same_problems(self) -> None:
        config = a_config(worker_locks=[BranchLock('version').access('counting')])
        found = list(checks.problems(vars(config)))
        self.assertEqual(len(found), 2)
        self.assertEqual(list(checks.problems(config)), found)


class Warnings(SynchronousTestCase):
    def warnings(self, *locks: Any, **more: Any) -> list[str]:
        return list(checks.warnings(a_config(locks=list(locks), **more)))

    def test_a_good_config_has_none(self) -> None:
        lock = WorkerGroupLock('host', 1, {'a': 2, 'w2': 3}, {'w1': 'a', 'w*': 'b'})
        self.assertEqual(self.warnings(lock.access('counting')), [])

    def test_a_lock_of_ours_twice_in_a_list_is_one(self) -> None:
        hold = BranchLock('version', 2).access('counting')
        self.assertEqual(
            self.warnings(hold, hold),
            ["the lock 'version' stands twice in the locks of builder 'b'"],
        )
        self.assertEqual(list(checks.problems(a_config(locks=[hold, hold]))), [])

    def test_two_groups_of_one_lock_in_a_list_are_none(self) -> None:
        lock = WorkerGroupLock('host')
        groups = [lock.access('counting', group=util.Property(name)) for name in ('a', 'b')]
        self.assertEqual(self.warnings(*groups), [])

    def test_a_key_that_matches_no_worker_is_one(self) -> None:
        lock = WorkerGroupLock('host', workerToGroup={'w1': 'a', 'w*': 'a', 'v': 'a', 'v*': 'b'})
        self.assertEqual(
            [w.rpartition(': ')[2] for w in self.warnings(lock.access('counting'))],
            ["'v' matches no worker", "'v*' matches no worker"],
        )

    def test_a_group_that_no_worker_is_in_is_one(self) -> None:
        lock = WorkerGroupLock('host', 1, {'a': 2, 'c': 3}, {'w1': 'a'})
        self.assertEqual(
            self.warnings(lock.access('counting')),
            ["WorkerGroupLock 'host': maxCountForGroup: no worker is in 'c'"],
        )

    def test_a_config_without_workers_has_none_of_them(self) -> None:
        config = a_config([WorkerGroupLock('host', 1, {'c': 3}, {'v': 'a'}).access('counting')])
        config.workers = []
        self.assertEqual(list(checks.warnings(config)), [])

    def test_a_group_that_a_property_may_name_is_none(self) -> None:
        lock = WorkerGroupLock('host', 1, {'c': 3})
        self.assertEqual(self.warnings(lock.access('counting', group=util.Property('rack'))), [])
        lock = WorkerGroupLock('host', 1, {'c': 3}, groupProperty='rack')
        self.assertEqual(self.warnings(lock.access('counting')), [])
