# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.distribution.barriers import Barriers
from buildbot_balancer.master.distribution.barriers import in_the_way


def real(lockid: Any) -> Any:
    made = lockid.lockClass(lockid.name)
    made.updateFromLockId(lockid, 0)
    return made


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.opened: list[tuple[str, str | None]] = []
        self.barriers = Barriers(lambda *where: self.opened.append(where))
        self.addCleanup(self.barriers.stop)


class OfTheMaster(Case):
    def setUp(self) -> None:
        super().setUp()
        lockid = MasterLock('m')
        self.lock, self.access = real(lockid), lockid.access('exclusive')

    def hold(self) -> None:
        self.lock.claim(self, self.access)

    def let_go(self) -> None:
        self.lock.release(self, self.access)

    def test_a_builder_of_which_nothing_is_known_may_start(self) -> None:
        self.hold()
        self.assertTrue(self.barriers.may_start('a'))

    def test_while_it_is_held_nothing_starts_and_its_release_is_told_once(self) -> None:
        self.barriers.learn('a', [(self.lock, self.access)])
        self.hold()
        self.assertEqual([self.barriers.may_start('a') for _ in '12'], [False, False])
        self.let_go()
        self.assertTrue(self.barriers.may_start('a'))
        self.hold()
        self.let_go()
        self.assertEqual(self.opened, [('a', None)])

    def test_who_is_shut_is_not_asked_again_but_at_the_beat(self) -> None:
        self.barriers.learn('a', [(self.lock, self.access)])
        self.hold()
        self.barriers.may_start('a')
        self.lock._removeOwner(self, self.access)  # unheard
        self.assertFalse(self.barriers.may_start('a'))
        self.barriers.look_again()
        self.assertTrue(self.barriers.may_start('a'))

    def test_another_config_may_want_other_locks(self) -> None:
        self.barriers.learn('a', [(self.lock, self.access)])
        self.hold()
        self.barriers.may_start('a')
        self.barriers.forget()
        self.assertTrue(self.barriers.may_start('a'))

    def test_stopped_nothing_is_left_at_the_lock(self) -> None:
        self.barriers.learn('a', [(self.lock, self.access)])
        self.hold()
        self.barriers.may_start('a')
        self.barriers.stop()
        self.assertFalse(self.lock.release_subs.subscriptions)

    def test_a_lock_without_an_access_is_meant_with_its_default_one(self) -> None:
        self.barriers.learn('a', [(self.lock, MasterLock('m'))])
        self.hold()
        self.assertFalse(self.barriers.may_start('a'))

    def test_it_is_in_the_way_on_all_workers_or_on_none(self) -> None:
        self.assertEqual(in_the_way(self.lock, self.access, ['w1', 'w2']), set())
        self.hold()
        self.assertEqual(in_the_way(self.lock, self.access, ['w1', 'w2']), {'w1', 'w2'})


class OfWorkers(Case):
    def setUp(self) -> None:
        super().setUp()
        lockid = WorkerLock('jtag')
        self.lock, self.access = real(lockid), lockid.access('exclusive')
        self.lock.getLockForWorker('w1').claim(self, self.access)
        self.barriers.learn('a', [(self.lock, self.access)])

    def test_the_others_may_be_used_meanwhile(self) -> None:
        self.assertTrue(self.barriers.may_start('a'))
        self.assertFalse(self.barriers.may_start_on('a', 'w1'))
        self.assertTrue(self.barriers.may_start_on('a', 'w2'))
        self.assertEqual(in_the_way(self.lock, self.access, ['w1', 'w2']), {'w1'})

    def test_the_release_tells_of_its_worker_alone(self) -> None:
        self.barriers.may_start_on('a', 'w1')
        self.lock.getLockForWorker('w1').release(self, self.access)
        self.assertEqual(self.opened, [('a', 'w1')])
        self.assertTrue(self.barriers.may_start_on('a', 'w1'))
