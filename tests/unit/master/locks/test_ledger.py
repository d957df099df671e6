# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from buildbot.locks import MasterLock
from buildbot.process.buildstep import BuildStep
from support.lock_ledger import ABuild
from support.lock_ledger import ARequest
from support.lock_ledger import SiteCase
from support.lock_ledger import alone
from support.lock_ledger import units

from buildbot_balancer.explain.event import HELD
from buildbot_balancer.explain.event import WAITED
from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.policy.decision import Decision

STOCK, OURS = MasterLock('stock'), BranchLock('ours')


class Case(SiteCase):
    lockid: Any = STOCK
    group: str | None = None

    def setUp(self) -> None:
        super().setUp()
        self.at = self.site()
        self.lock = self.at.lock(self.lockid)
        self.build, self.other = ABuild(ARequest(1), 41), ABuild(ARequest(2), 42)
        self.access = alone(self.lockid)

    @property
    def keys(self) -> list[tuple[str, str]]:
        return [(self.lockid.name, self.group or '')]

    def decide(self, request: int, *keys: tuple[str, str], worker: str | None = None) -> None:
        made = Decision(request=request, builder='b', at=1, locks=keys, worker=worker)
        self.at.ledger.decided(request, made)


class Stock(Case):
    def test_an_end_is_told_with_all_that_is_known(self) -> None:
        self.lock.claim(self.build, self.access)
        self.clock.advance(90)
        self.lock.release(self.build, self.access)
        (event,) = self.at.events
        self.assertEqual(
            (event.kind, event.lock, event.group), (HELD, self.lockid.name, self.group)
        )
        self.assertEqual((event.builder, event.request, event.worker), ('b', 1, 'w1'))
        self.assertEqual((event.at, event.duration), (1090, 90))

    def test_a_wait_ends_with_the_claim(self) -> None:
        self.lock.claim(self.build, self.access)
        self.lock.waitUntilMaybeAvailable(self.other, self.access)
        self.clock.advance(10)
        self.lock.release(self.build, self.access)
        self.clock.advance(2)
        self.assertEqual(self.at.said(), [(HELD, self.group, 10)])
        self.lock.claim(self.other, self.access)
        self.assertEqual(self.at.said()[1:], [(WAITED, self.group, 12)])

    def test_one_that_gives_up_has_waited_for_nothing(self) -> None:
        self.lock.claim(self.build, self.access)
        d = self.lock.waitUntilMaybeAvailable(self.other, self.access)
        self.at.changed.clear()
        self.lock.stopWaitingUntilAvailable(self.other, self.access, d)
        self.assertEqual(set(self.at.changed), set(self.keys))
        self.lock.release(self.build, self.access)
        self.clock.advance(5)
        self.lock.claim(self.other, self.access)
        self.assertEqual(self.at.said(), [(HELD, self.group, 0)])

    def test_each_change_is_told(self) -> None:
        for call in (
            lambda: self.lock.claim(self.build, self.access),
            lambda: self.lock.waitUntilMaybeAvailable(self.other, self.access),
            lambda: self.lock.release(self.build, self.access),
            lambda: self.lock.claim(self.other, self.access),
            lambda: self.lock.release(self.other, self.access),
            lambda: self.reserve(1),
            lambda: (
                self.at.reservations.begin('b', self.at.workers['w1'], [ARequest(1)])
                and self.bind(1)
            ),
            lambda: self.at.reservations.end(ARequest(1)),
            lambda: self.decide(3, *self.keys),
            lambda: self.at.say(3, 'cancel'),
        ):
            self.at.changed.clear()
            call()
            self.assertEqual(set(self.at.changed), set(self.keys))

    def test_a_listener_that_raises_breaks_no_claim(self) -> None:
        def broken(*_: Any) -> None:
            raise ValueError('broken')

        self.at.ledger.record = self.at.ledger.tell = broken
        self.lock.claim(self.build, self.access)
        self.assertTrue(self.lock.isOwner(self.build, self.access))
        self.lock.release(self.build, self.access)
        self.assertTrue(self.lock.isAvailable(None, self.access))
        self.assertGreaterEqual(len(self.flushLoggedErrors(ValueError)), 3)

    # pending requests

    def reserve(self, number: int) -> list[Any]:
        request, worker = ARequest(number), self.at.workers['w1']
        return self.at.reservations.reserve(request, 'b', worker, [(self.lock, self.access)])

    def test_a_request_waits_from_the_first_look_to_the_moment_the_lock_opens(self) -> None:
        self.lock.claim(self.build, self.access)
        self.decide(7, *self.keys)
        self.clock.advance(10)
        self.decide(7, *self.keys)
        self.lock.release(self.build, self.access)
        self.clock.advance(5)
        self.assertEqual(self.reserve(7), [])
        event = self.at.events[-1]
        self.assertEqual((event.kind, event.request, event.builder), (WAITED, 7, 'b'))
        self.assertEqual(event.duration, 10)
        self.assertEqual(len(self.at.ledger.wishes), 0)

    def bind(self, number: int) -> None:
        self.at.changed.clear()
        reservation = self.at.reservations.of_request(number)
        assert reservation is not None
        self.at.reservations.bind(reservation, ABuild(reservation.request))

    def test_one_that_starts_where_another_lock_counts_has_not_waited(self) -> None:
        self.decide(7, ('another', ''))
        self.assertEqual(self.reserve(7), [])
        self.assertEqual((self.at.events, len(self.at.ledger.wishes)), ([], 0))

    def test_a_reservation_that_fails_ends_no_wait(self) -> None:
        self.lock.claim(self.build, self.access)
        self.decide(7, *self.keys)
        self.assertEqual(len(self.reserve(7)), 1)
        self.assertEqual((self.at.events, len(self.at.ledger.wishes)), ([], 1))

    def test_one_that_is_claimed_or_cancelled_waits_no_more(self) -> None:
        for event in ('claimed', 'complete', 'cancel'):
            self.decide(7, *self.keys)
            self.at.say(7, event)
            self.assertEqual(len(self.at.ledger.wishes), 0, event)
        self.decide(7, *self.keys)
        self.decide(7, worker='w1')
        self.assertEqual((self.at.events, len(self.at.ledger.wishes)), ([], 0))


class Ours(Stock):
    lockid = OURS
    group = 'x'

    def test_a_second_claim_of_the_same_build_ends_with_the_first(self) -> None:
        for _ in range(2):
            self.lock.claim(self.build, self.access)
        for _ in range(2):
            self.clock.advance(5)
            self.lock.release(self.build, self.access)
        self.assertEqual(self.at.said(), [(HELD, 'x', 10)])

    def test_another_limit_is_a_change(self) -> None:
        self.lock.claim(self.build, self.access)
        for limit in (0, 5):
            self.at.changed.clear()
            self.lock._lock.updateFromLockId(BranchLock('ours', limit), 1)
            self.assertEqual(set(self.at.changed), {('ours', 'x')})


class Grouped(Stock):
    lockid = WorkerGroupLock('host', workerToGroup={'w1': 'esx1', 'w2': 'esx1'})
    group = 'esx1'

    def test_who_moves_with_its_worker_holds_it_since_it_claimed_it(self) -> None:
        self.lock.claim(self.build, self.access)
        self.clock.advance(10)
        moved = WorkerGroupLock('host', workerToGroup={'w1': 'esx2', 'w2': 'esx1'})
        self.lock._lock.updateFromLockId(moved, 1)
        rows = self.at.sights.named('host')
        held = [(row.group, [one.since for one in row.holders]) for row in rows]
        self.assertEqual(held, [('esx1', [1000]), ('esx2', [1000])])
        self.lock.release(self.build, self.access)
        self.assertEqual(self.at.said(), [(HELD, 'esx1', 10), (HELD, 'esx2', 10)])

    def test_who_waits_moves_with_its_worker_and_has_waited_since(self) -> None:
        self.lock.claim(self.build, self.access)
        self.lock.waitUntilMaybeAvailable(self.other, self.access)
        self.clock.advance(10)
        self.lock._lock.updateFromLockId(WorkerGroupLock('host', workerToGroup={'w1': 'esx2'}), 1)
        waiters = {row.group: row.waiters for row in self.at.sights.named('host')}
        self.assertEqual([one.since for one in waiters['esx2']], [1000])


class OfAWorker(SiteCase):
    """``Worker(locks=[...])``: the worker claims, for one build after the other."""

    def test_each_build_has_held_it_since_its_own_claim(self) -> None:
        at = self.site()
        worker = at.workers['w1']
        for lockid in (MasterLock('box', 2), BranchLock('odd', 2), WorkerGroupLock('rack', 2)):
            if not isinstance(lockid, BranchLock):  # which is for builds
                worker.locks.append((at.lock(lockid), units(lockid)))
        reservations, found = at.reservations, []
        for number in (1, 2):
            request = ARequest(number)
            self.assertEqual(reservations.reserve(request, 'b', worker, []), [])
            found.append(reservations.begin('b', worker, [request]))
            reservations.bind(found[-1], ABuild(request, 40 + number))
            self.assertTrue(reservations.claim_worker_locks(found[-1], worker.acquire))
            self.clock.advance(10)
        rows = [(row.name, [(o.what, o.since) for o in row.holders]) for row in at.sights.all()]
        whats = [('worker w1 (b #41)', 1000), ('worker w1 (b #42)', 1010)]
        self.assertEqual(rows, [('box', whats), ('rack', whats)])
        reservations.release_worker_locks(found[1])
        ended = [(one.lock, one.request, one.duration) for one in at.events]
        self.assertEqual(ended, [('box', 2, 10), ('rack', 2, 10)])
        left = [[(one.what, one.since) for one in row.holders] for row in at.sights.all()]
        self.assertEqual(left, [whats[:1]] * 2)
        self.assertIsNone(reservations.releasing)

    def test_before_it_claims_its_locks_are_kept_for_the_request(self) -> None:
        at = self.site()
        worker, lockid = at.workers['w1'], MasterLock('box')
        worker.locks = [(at.lock(lockid), units(lockid))]
        self.assertEqual(at.reservations.reserve(ARequest(7), 'b', worker, []), [])
        (row,) = at.sights.all()
        (holder,) = row.holders
        self.assertEqual(holder.what, 'request 7 of b (about to start)')
        self.assertEqual((row.held, holder.since, holder.buildrequestid), (1, 1000, 7))


class OfAStep(SiteCase):
    def test_a_step_is_named_with_its_build(self) -> None:
        at = self.site()
        step = BuildStep(name='check').get_step_factory().buildStep()
        step.build = ABuild(ARequest(1), 41)
        lock = at.lock(STOCK)
        lock.claim(step, alone(STOCK))
        (holder,) = at.sights.all()[0].holders
        self.assertEqual(holder.what, "step 'check' of b #41")
        self.assertEqual((holder.number, holder.buildid, holder.builderid), (41, 141, 5))
        lock.release(step, alone(STOCK))
        self.assertEqual([(one.builder, one.request) for one in at.events], [('b', 1)])
