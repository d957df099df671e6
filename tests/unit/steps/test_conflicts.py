# SPDX-License-Identifier: GPL-2.0-or-later
"""More of what a config tells; the plain cases are in test_group.py, the builds' in integration."""

from __future__ import annotations

from typing import Any

from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import util
from buildbot.process.buildstep import BuildStep
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.steps import conflicts

JTAG = WorkerLock('jtag')


class HasLocks(BuildStep):
    name = 'has'
    locks = (JTAG.access('exclusive'),)


def found(held: Any, taken: Any) -> list[str]:
    return [str(one) for one in conflicts.find([held], [BuildStep(name='1', locks=[taken])], 'x')]


class Find(SynchronousTestCase):
    def test_one_lock_for_two_groups_of_workers_is_a_conflict(self) -> None:
        lock = WorkerGroupLock('host', 4)
        ways = [
            lock.access('counting'),
            lock.access('exclusive'),
            lock.access('counting', group='a'),
            lock.access('counting', group=util.Property('rack')),
        ]
        for held in ways:
            for taken in ways:
                self.assertEqual(
                    found(held, taken), ["step '1' takes the lock 'host', which x holds already"]
                )

    def test_a_bare_lock_is_taken_too(self) -> None:
        for lock in (JTAG, MasterLock('m'), WorkerGroupLock('g'), BranchLock('b')):
            self.assertEqual(len(found(lock, lock.access('exclusive'))), 1)
            self.assertEqual(len(found(lock.access('exclusive'), lock)), 1)

    def test_locks_of_other_kinds_and_names_are_none(self) -> None:
        kinds = [kind(name) for kind in (MasterLock, WorkerLock, BranchLock) for name in 'ab']
        for one in kinds:
            others = [other for other in kinds if other is not one]
            for other in others:
                self.assertEqual(found(one.access('counting'), other.access('counting')), [])

    def test_locks_that_the_class_of_a_step_has_count_too(self) -> None:
        held = [JTAG.access('counting')]
        (one,) = conflicts.find(held, [HasLocks()], 'x')
        self.assertEqual((one.lock, one.step), ('jtag', 'has'))


class Twice(SynchronousTestCase):
    def test_two_groups_of_one_lock_stand_beside_each_other(self) -> None:
        lock = WorkerGroupLock('host', 4)
        groups = [lock.access('counting', group=name) for name in 'ab']
        self.assertEqual(list(conflicts.twice(groups)), [])
        self.assertEqual(list(conflicts.twice([groups[0], *groups])), ['host'])
