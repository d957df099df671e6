# SPDX-License-Identifier: GPL-2.0-or-later
"""What a config may say of locks that all masters share."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from buildbot.config import BuilderConfig
from buildbot.config import ConfigErrors
from buildbot.locks import MasterLock
from buildbot.process.factory import BuildFactory
from buildbot.worker import Worker
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.locks import checks
from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.locks.realbranch import RealBranchLock
from buildbot_balancer.locks.realgroup import Group
from buildbot_balancer.locks.realgroup import RealGroupLock
from buildbot_balancer.locks.realshared import REAL
from buildbot_balancer.locks.shared import SharedMasterLock

MAKERS: list[Any] = [
    SharedMasterLock,
    lambda name, *args: BranchLock(name, *args, shared=True),
    lambda name, *args: WorkerGroupLock(name, *args, shared=True),
]


def keys(real: Any, *parts: Any) -> list[Any]:
    return [real.table.of(part).key for part in parts]


class Arguments(SynchronousTestCase):
    def test_one_that_is_shared_is_another_real_lock_than_one_that_is_not(self) -> None:
        for make in MAKERS:
            self.assertTrue(issubclass(make('x').lockClass, REAL))
            self.assertEqual(make('x'), make('x'))
            self.assertEqual(hash(make('x')), hash(make('x')))
        self.assertIs(BranchLock('x').lockClass, RealBranchLock)
        self.assertIs(WorkerGroupLock('x').lockClass, RealGroupLock)
        self.assertNotEqual(BranchLock('x'), BranchLock('x', shared=True))
        self.assertNotEqual(WorkerGroupLock('x'), WorkerGroupLock('x', shared=True))

    def test_what_cannot_be_meant_is_refused(self) -> None:
        for make in (BranchLock, WorkerGroupLock):
            with self.assertRaisesRegex(ConfigErrors, "shared must be True or False, not 'yes'"):
                make('x', shared='yes')  # type: ignore[arg-type]
            with self.assertRaisesRegex(ConfigErrors, 'reserve=False has no meaning with shared'):
                make('x', shared=True, reserve=False)
            make('x', reserve=False)
        with self.assertRaisesRegex(ConfigErrors, "SharedMasterLock 'x': maxCount must be"):
            SharedMasterLock('x', -1)
        with self.assertRaisesRegex(ConfigErrors, 'order must be'):
            SharedMasterLock('x', order='lifo')
        with self.assertRaisesRegex(ConfigErrors, 'count=3 is more than the lock ever has'):
            SharedMasterLock('x', 2).access('counting', 3)


class Checks(SynchronousTestCase):
    def problems(self, locks: Any = (), worker_locks: Any = ()) -> list[str]:
        config = SimpleNamespace(
            builders=[
                BuilderConfig(
                    name='b', workernames=['w1'], factory=BuildFactory(), locks=list(locks)
                )
            ],
            workers=[Worker('w1', 'pw', locks=list(worker_locks))],
        )
        return list(checks.problems(config))

    def test_builders_may_have_all_of_them(self) -> None:
        locks = [make(f'x{n}').access('exclusive') for n, make in enumerate(MAKERS)]
        self.assertEqual(self.problems(locks), [])

    def test_workers_may_have_none(self) -> None:
        for make in MAKERS:
            (problem,) = self.problems(worker_locks=[make('x').access('counting')])
            self.assertEqual(
                problem,
                "worker 'w1': the lock 'x' is shared with other masters, so it can stand in the"
                ' locks of builders and steps only',
            )

    def test_one_name_is_shared_or_it_is_not(self) -> None:
        for shared, own in [
            (SharedMasterLock('x'), MasterLock('x')),
            (SharedMasterLock('x'), BranchLock('x', shared=True)),
            (BranchLock('x', shared=True), BranchLock('x')),
        ]:
            (problem,) = self.problems([shared.access('counting'), own.access('counting')])
            self.assertIn("the lock 'x' is defined in two ways", problem)


class Names(SynchronousTestCase):
    """Two locks are one in the database where their names are the same, and nowhere else."""

    def real(self, lockid: Any) -> Any:
        real = lockid.lockClass(lockid.name)
        real.updateFromLockId(lockid, 1)
        return real

    def test_a_worker_and_a_group_of_one_name_are_two(self) -> None:
        real = self.real(WorkerGroupLock('host', shared=True))
        one, other = keys(real, Group('esx'), Group('esx', own=True))
        self.assertEqual(tuple(one), ('host', 'esx'))
        self.assertEqual(tuple(other), ('host', '(worker esx)'))

    def test_no_branch_is_not_the_empty_one(self) -> None:
        found = keys(self.real(BranchLock('v', shared=True)), None, '', 'main')
        self.assertEqual([one.group for one in found], ['(no branch)', '(empty)', 'main'])

    def test_a_long_name_keeps_its_own(self) -> None:
        real = self.real(BranchLock('v', shared=True))
        one, other = keys(real, 'x' * 500, 'x' * 501)
        self.assertNotEqual(one, other)
        self.assertLessEqual(len(one.group), 255)

    def test_a_lock_for_all_is_one(self) -> None:
        real = self.real(SharedMasterLock('licence', 2))
        (key,) = keys(real, '')
        self.assertEqual(tuple(key), ('licence', ''))
        self.assertEqual(repr(real), '<SharedMasterLock(licence, 2)>')
        self.assertEqual(real.table.of('').group, '')

    def test_nobody_gets_one_where_no_balancer_runs(self) -> None:
        real = self.real(SharedMasterLock('licence'))
        access = real.lockid.access('counting')
        self.assertFalse(real.getLockForWorker('w').isAvailable(None, access))
