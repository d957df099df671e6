# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.process.buildstep import BuildStep
from support.lock_ledger import ABuild
from support.lock_ledger import ARequest
from support.lock_ledger import SiteCase
from support.lock_ledger import alone
from support.lock_ledger import units

from buildbot_balancer.locks.branch import BranchLock

MASTER, WORKER, BRANCH = MasterLock('m'), WorkerLock('w'), BranchLock('b')
METHODS = {'claim', 'release', 'waitUntilMaybeAvailable', 'stopWaitingUntilAvailable'}


class Finding(SiteCase):
    def busy(self, site: object) -> list[tuple[str, str]]:
        return sorted((one.lockName, one.group) for one in site.ledger.locks.busy())

    def test_locks_that_there_were_before_are_found(self) -> None:
        site = self.site(start=False)
        build = ABuild(ARequest(1), 1)
        for lockid in (MASTER, WORKER, BRANCH):
            site.lock(lockid).claim(build, alone(lockid))
        site.start()
        self.addCleanup(site.stop)
        self.assertEqual(self.busy(site), [('b', 'x'), ('m', ''), ('w', 'w1')])

    def test_locks_that_are_made_later_are_found(self) -> None:
        site = self.site()
        build = ABuild(ARequest(1), 1)
        for lockid in (MASTER, WORKER, BRANCH):
            site.lock(lockid).claim(build, alone(lockid))
        self.assertEqual(self.busy(site), [('b', 'x'), ('m', ''), ('w', 'w1')])

    def test_of_a_worker_lock_each_worker_has_its_own(self) -> None:
        site = self.site()
        for number, worker in enumerate(('w1', 'w2')):
            site.lock(WORKER, worker).claim(ABuild(ARequest(number), number), alone(WORKER))
        site.lock(WORKER, 'w3')
        self.assertEqual(self.busy(site), [('w', 'w1'), ('w', 'w2')])

    def test_a_lock_that_was_let_go_of_is_not_busy(self) -> None:
        site = self.site()
        build = ABuild(ARequest(1), 1)
        for lockid in (MASTER, BRANCH):
            site.lock(lockid).claim(build, alone(lockid))
            site.lock(lockid).release(build, alone(lockid))
        self.assertEqual(self.busy(site), [])

    def test_a_reconfig_finds_nothing_twice(self) -> None:
        site = self.site()
        lock = site.lock(MASTER)
        lock.claim(ABuild(ARequest(1), 1), alone(MASTER))
        site.start()
        (row,) = site.sights.all()
        self.assertEqual(len(row.holders), 1)
        self.assertEqual(len(site.heard), 3)
        self.assertEqual(len(self.stays(site, lock)), 1)

    def test_who_holds_a_lock_already_is_known_and_nobody_knows_since_when(self) -> None:
        site = self.site(start=False)
        build = ABuild(ARequest(1), 4)
        build.workerforbuilder = object()
        site.builder.building.append(build)
        lock = site.lock(MASTER)
        lock.claim(build, alone(MASTER))
        lock.claim(stranger := ABuild(ARequest(2), 5), units(MASTER, 0))
        site.start()
        self.addCleanup(site.stop)
        (row,) = site.sights.all()
        self.assertEqual([(one.what, one.since) for one in row.holders], [('b #4', None)])
        lock.release(build, alone(MASTER))
        lock.release(stranger, units(MASTER, 0))
        self.assertEqual(site.events, [])
        self.assertEqual(site.ledger.locks._witnesses[id(lock)]._holds, {})

    def stays(self, site: Any, lock: Any) -> list[Any]:
        holds = site.ledger.locks._witnesses[id(lock)]._holds
        return [stay for stays in holds.values() for stay in stays]

    def test_who_has_nothing_is_not_kept_in_mind(self) -> None:
        site = self.site()
        lock = site.lock(MASTER)
        lock.claim(ABuild(ARequest(1), 1), units(MASTER, 0))
        self.assertEqual(self.stays(site, lock), [])

    def test_who_waits_already_is_known_also_a_step(self) -> None:
        site = self.site(start=False)
        build, step = ABuild(ARequest(1), 4), BuildStep(name='s').get_step_factory().buildStep()
        build.workerforbuilder, step.build = object(), build
        build.executedSteps.append(step)
        site.builder.building.append(build)
        lock = site.lock(MASTER)
        lock.claim(build, alone(MASTER))
        lock.waitUntilMaybeAvailable(step, alone(MASTER))
        site.start()
        self.addCleanup(site.stop)
        (waiter,) = site.sights.all()[0].waiters
        self.assertEqual((waiter.what, waiter.since), ("step 's' of b #4", None))
        lock.release(build, alone(MASTER))
        lock.claim(step, alone(MASTER))
        self.assertEqual(site.events, [])  # nobody knows for how long

    def test_one_that_buildbot_knows_no_more_is_somebody(self) -> None:
        site = self.site(start=False)
        site.lock(MASTER).claim(ABuild(ARequest(1), 4), alone(MASTER))
        site.start()
        self.addCleanup(site.stop)
        self.assertEqual([one.what for one in site.sights.all()[0].holders], ['another build'])


class Leaving(SiteCase):
    def test_stopped_all_is_as_it_was(self) -> None:
        site = self.site(start=False)
        site.start()
        build, other = ABuild(ARequest(1), 1), ABuild(ARequest(2), 2)
        locks = [site.lock(one) for one in (MASTER, WORKER, BRANCH)]
        for lock, lockid in zip(locks, (MASTER, WORKER, BRANCH)):
            lock.claim(build, alone(lockid))
        waited = [one.waitUntilMaybeAvailable(other, alone(MASTER)) for one in locks[:2]]
        site.stop()
        self.assertEqual((site.heard, site.reservations.watch), ([], None))
        self.assertNotIn('getLockByID', vars(site.master.botmaster))
        self.assertNotIn('getLockForWorker', vars(site.real(WORKER)))
        for lock in locks[:2]:
            self.assertFalse(METHODS & vars(lock).keys())
        for lock, lockid in zip(locks, (MASTER, WORKER, BRANCH)):
            lock.release(build, alone(lockid))
        self.clock.advance(0)
        self.assertTrue(all(one.called for one in waited))
        self.assertEqual(site.events, [])
