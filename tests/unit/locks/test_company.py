# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from support.logs import LogLines
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.locks.shared import SharedMasterLock


class Master:
    def __init__(self, *services: str) -> None:
        self.config_version = 1
        self.config = SimpleNamespace(services=dict.fromkeys(services))
        self.reactor = SimpleNamespace(seconds=lambda: 0.0)


class WithoutABalancer(SynchronousTestCase):
    def setUp(self) -> None:
        self.log = LogLines(self)

    def use(self, master: Any, *lockids: Any) -> list[str]:
        """As Buildbot makes and updates real locks; what was said since the last look."""
        before = len(self.log.ours())
        for lockid in lockids:
            lock = lockid.lockClass(lockid.name)
            lock.parent = SimpleNamespace(master=master)
            lock.updateFromLockId(lockid, 1)
        return self.log.ours()[before:]

    def test_the_first_lock_of_a_config_says_so(self) -> None:
        (said,) = self.use(Master('other'), WorkerGroupLock('host'), BranchLock('version'))
        self.assertIn('<WorkerGroupLock(host, 1, {})> is in use and there is no util.Bal', said)

    def test_either_kind_does(self) -> None:
        (said,) = self.use(Master(), BranchLock('version'))
        self.assertIn('<BranchLock(version, 1)> is in use', said)

    def test_each_config_is_told_of_once(self) -> None:
        master = Master()
        self.assertEqual(len(self.use(master, BranchLock('version'))), 1)
        self.assertEqual(self.use(master, BranchLock('version')), [])
        master.config_version = 2
        self.assertEqual(len(self.use(master, BranchLock('version'), BranchLock('b'))), 1)

    def test_each_master_says_it_for_itself(self) -> None:
        for _ in range(2):
            self.assertEqual(len(self.use(Master(), BranchLock('version'))), 1)

    def test_beside_a_balancer_nothing_is_said(self) -> None:
        self.assertEqual(self.use(Master('balancer'), BranchLock('version')), [])

    def test_a_lock_without_a_master_says_nothing(self) -> None:
        self.assertEqual(self.use(None, BranchLock('version'), WorkerGroupLock('host')), [])

    def test_one_that_is_shared_is_nobodys_and_each_kind_is_told_of(self) -> None:
        master = Master()
        (said,) = self.use(master, SharedMasterLock('licence'), BranchLock('v', shared=True))
        self.assertIn('<SharedMasterLock(licence, 1)> is shared and there is no', said)
        self.assertEqual(len(self.use(master, BranchLock('version'))), 1)
