# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from buildbot.config import BuilderConfig
from buildbot.locks import MasterLock
from buildbot.plugins import util
from buildbot.process.factory import BuildFactory
from buildbot.steps.shell import ShellCommand
from buildbot.worker import Worker
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.locks import checks
from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock


def a_config(
    locks: Any = (), step_locks: Any = (), worker_locks: Any = (), workers: Any = ('w1', 'w2')
) -> Any:
    step = ShellCommand(name='make', command=['make'], locks=list(step_locks))
    return SimpleNamespace(
        builders=[
            BuilderConfig(
                name='b', workernames=list(workers), factory=BuildFactory([step]), locks=locks
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
        (problem,) = self.problems(
            locks=[WorkerGroupLock('host', 1).access('counting')],
            step_locks=[WorkerGroupLock('host', 2).access('counting')],
        )
        self.assertIn("used by builder 'b', the other by step 'make' of builder 'b'", problem)
        self.assertEqual(
            self.problems(
                locks=[WorkerGroupLock('host').access('counting')],
                worker_locks=[WorkerGroupLock('host').access('counting')],
            ),
            [],
        )

    def test_the_same_lock_twice_in_a_list_is_one(self) -> None:
        lock = BranchLock('version', 2)
        (problem,) = self.problems(locks=[lock.access('counting'), lock.access('counting')])
        self.assertIn("stands twice in the locks of builder 'b'", problem)

    def test_a_count_that_no_worker_of_the_builder_ever_has_is_one(self) -> None:
        lock = WorkerGroupLock(
            'host', 1, maxCountForGroup={'big': 4}, workerToGroup={'w1': 'small', 'w9': 'big'}
        )
        (problem,) = self.problems(step_locks=[lock.access('counting', 2)])
        self.assertIn('wants 2 units', problem)
        self.assertEqual(
            self.problems(locks=[lock.access('counting', 2)], workers=('w1', 'w9')), []
        )

    def test_a_key_that_matches_no_worker_is_a_warning(self) -> None:
        lock = WorkerGroupLock('host', workerToGroup={'w1': 'a', 'w*': 'a', 'v': 'a', 'v*': 'b'})
        found = list(checks.warnings(a_config(locks=[lock.access('counting')])))
        self.assertEqual(
            [w.rpartition(': ')[2] for w in found],
            ["'v' matches no worker", "'v*' matches no worker"],
        )
