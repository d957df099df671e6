# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from support.lock_ledger import ABuild
from support.lock_ledger import ARequest
from support.lock_ledger import Site
from support.lock_ledger import SiteCase
from support.lock_ledger import alone
from support.lock_ledger import units

from buildbot_balancer.explain.sights import LockSight
from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.policy.decision import Decision

LICENCE = MasterLock('licence', 2)
JTAG = WorkerLock('jtag', 1, {'w2': 3})
HOST = WorkerGroupLock('host', 2, {'esx2': 4}, {'w1': 'esx1', 'w2': 'esx2'})
VERSION = BranchLock('version', 1, {'stable*': 2, None: 3})


def whats(shares: Any) -> list[str]:
    return [one.what for one in shares]


def build(number: int, branch: str = 'x') -> ABuild:
    return ABuild(ARequest(number, branch), 40 + number)


class Case(SiteCase):
    def setUp(self) -> None:
        super().setUp()
        accesses = [units(one) for one in (LICENCE, JTAG, HOST, VERSION)]
        self.at: Site = self.site(*accesses)
        self.sights = self.at.sights

    def decide(self, request: int, *keys: tuple[str, str]) -> None:
        made = Decision(request=request, builder='b', at=1, locks=keys)
        self.at.ledger.decided(request, made)

    def one(self, name: str, group: str | None = None) -> LockSight:
        (found,) = self.sights.named(name, group)
        return found


class Idle(Case):
    def test_what_nobody_uses_has_one_row_as_long_as_the_config_names_it(self) -> None:
        for name in ('w1', 'w2', 'w3'):
            self.at.lock(JTAG, name)
        said = [(one.name, one.group, one.max, one.held, one.summary) for one in self.sights.all()]
        self.assertEqual(
            said,
            [
                ('host', '', 2, 0, 'host: free in every group'),
                ('jtag', '', 1, 0, 'jtag: free on every worker'),
                ('licence', '', 2, 0, 'licence: free (2 units)'),
                ('version', '', 1, 0, 'version: free on every branch'),
            ],
        )
        self.at.master.config = type(self.at.master.config)([])
        self.at.master.config_version = 1
        self.assertEqual(self.sights.all(), [])

    def test_a_lock_that_a_renderable_gave_is_known_for_this_config(self) -> None:
        for lockid in (MasterLock('given', 3), WorkerLock('given too'), BranchLock('ours')):
            self.at.lock(lockid)
        self.assertEqual(self.one('given').max, 3)
        said = self.one('given too').summary
        self.assertEqual(said, 'given too: free on every worker (1 unit each)')
        self.assertIn('on every branch', self.one('ours').summary)
        self.at.master.config_version = 1
        self.assertEqual(self.sights.named('given'), [])

    def test_a_part_can_be_asked_for_by_name(self) -> None:
        self.at.lock(HOST)
        for name, group, limit in (
            ('licence', '', 2),
            ('jtag', 'w1', 1),
            ('jtag', 'w2', 3),
            ('host', 'esx1', 2),
            ('host', 'esx2', 4),
            ('host', 'w3', 2),
            ('version', 'main', 1),
            ('version', 'stable-2', 2),
            ('version', '(no branch)', 3),
        ):
            found = self.one(name, group)
            self.assertEqual((found.group, found.max, found.held), (group, limit, 0), name)

    def test_what_there_is_not_is_not_there(self) -> None:
        for name, group in (('no', None), ('licence', 'w1'), ('jtag', 'w9'), ('host', 'esx9')):
            self.assertEqual(self.sights.named(name, group), [], (name, group))
        self.at.lock(HOST)
        self.assertEqual(self.sights.named('host', 'w1'), [])  # which is in a group

    def test_beside_parts_in_use_the_idle_ones_have_no_row(self) -> None:
        self.at.lock(JTAG, 'w2').claim(build(1), alone(JTAG))
        self.assertEqual([one.group for one in self.sights.named('jtag')], ['w2'])
        self.assertEqual(self.sights.named('jtag', ''), [])
        self.assertEqual(self.one('jtag', 'w1').held, 0)


class Used(Case):
    def test_holders_come_in_their_order_with_times_and_ids(self) -> None:
        lock = self.at.lock(LICENCE)
        lock.claim(build(1), units(LICENCE))
        self.clock.advance(60)
        lock.claim(build(2), units(LICENCE))
        found = self.one('licence')
        self.assertEqual(whats(found.holders), ['b #41', 'b #42'])
        self.assertEqual([one.since for one in found.holders], [1000, 1060])
        first = found.holders[0]
        ids = (first.builderid, first.buildid, first.number, first.buildrequestid, first.worker)
        self.assertEqual(ids, (5, 141, 41, 1, 'w1'))
        said = 'licence: 2 of 2 held by b #41 (for 1 min), b #42 (for 0 s)'
        self.assertEqual(found.summary, said)

    def test_who_has_it_alone_has_all_of_it(self) -> None:
        for lockid in (LICENCE, HOST, MasterLock('none', 0), WorkerGroupLock('any', None)):
            self.at.lock(lockid).claim(build(1), alone(lockid))
        held = {one.name: (one.held, one.max) for one in self.sights.all() if one.holders}
        self.assertEqual(
            held, {'licence': (2, 2), 'host': (2, 2), 'none': (1, 0), 'any': (1, None)}
        )

    def test_branches_are_told_apart_also_none(self) -> None:
        lock = self.at.lock(VERSION)
        for number, branch in enumerate(('main', None, '')):
            lock.claim(build(number, branch), units(VERSION))
        groups = [one.group for one in self.sights.named('version')]
        self.assertEqual(groups, ['(empty)', '(no branch)', 'main'])

    def test_a_worker_that_is_called_as_a_group_is_told_apart(self) -> None:
        odd = WorkerGroupLock('odd', workerToGroup={'w1': 'w3'})
        for worker in ('w1', 'w3'):
            self.at.lock(odd, worker).claim(build(1), units(odd))
        self.assertEqual([one.group for one in self.sights.named('odd')], ['w3', 'worker w3'])

    def test_who_runs_waits_before_pending_requests_in_the_order_of_the_line(self) -> None:
        for lockid in (LICENCE, VERSION):
            lock = self.at.lock(lockid)
            lock.claim(build(1), alone(lockid))
            self.decide(9, (lockid.name, 'x' if lockid is VERSION else ''))
            self.clock.advance(1)
            for number in (3, 2):
                lock.waitUntilMaybeAvailable(build(number), units(lockid))
                self.clock.advance(1)
            self.decide(8, (lockid.name, 'x' if lockid is VERSION else ''))
            self.assertEqual(
                whats(self.one(lockid.name).waiters),
                ['b #43', 'b #42', 'request 8 of b', 'request 9 of b'],
                lockid,
            )
            first, *_, last = self.one(lockid.name).waiters
            self.assertEqual((last.builderid, last.buildrequestid), (5, 9))
            self.assertEqual(first.since - last.since, 1)

    def test_a_request_in_the_line_stands_there_once(self) -> None:
        lock = self.at.lock(VERSION)
        lock.claim(build(1), alone(VERSION))
        requests = [ARequest(7), ARequest(8)]
        for request in requests:
            self.decide(request.id, ('version', 'x'))
            lock.line_up(request, units(VERSION))
        expected = ['request 7 of b', 'request 8 of b']
        self.assertEqual(whats(self.one('version').waiters), expected)

    def test_it_says_for_whom_units_are_kept(self) -> None:
        lock = self.at.lock(VERSION)
        lock.claim(holder := build(1), alone(VERSION))
        lock.line_up(request := ARequest(7), units(VERSION))
        self.decide(7, ('version', 'x'))
        lock.release(holder, alone(VERSION))
        found = self.one('version')
        self.assertEqual((whats(found.holders), found.held), (['request 7 of b (its turn)'], 1))
        self.assertEqual(found.waiters, ())
        self.clock.advance(5)
        worker = self.at.workers['w1']
        self.at.reservations.reserve(request, 'b', worker, [(lock, units(VERSION))])
        (kept,) = self.one('version').holders
        self.assertEqual((kept.what, kept.since), ('request 7 of b (about to start)', 1005))

    def test_what_a_build_has_let_go_of_is_free_also_while_the_build_ends(self) -> None:
        lock, access = self.at.lock(LICENCE), units(LICENCE)
        request, worker = ARequest(1), self.at.workers['w1']
        self.at.reservations.reserve(request, 'b', worker, [(lock, access)])
        lock.claim(request, access)
        lock.release(request, access)
        self.assertEqual(self.one('licence').summary, 'licence: free (2 units)')

    def test_a_request_that_could_have_it_by_now_does_not_wait_for_it(self) -> None:
        lock = self.at.lock(LICENCE)
        lock.claim(first := build(1), units(LICENCE))
        lock.claim(build(2), units(LICENCE))
        self.decide(9, ('licence', ''))
        self.assertEqual(whats(self.one('licence').waiters), ['request 9 of b'])
        lock.release(first, units(LICENCE))
        self.assertEqual(whats(self.one('licence').waiters), [])
        lock.waitUntilMaybeAvailable(build(3), alone(LICENCE))
        self.assertEqual(whats(self.one('licence').waiters), ['b #43', 'request 9 of b'])

    def test_what_a_request_wants_is_read_from_the_config(self) -> None:
        self.at.builder.config.locks = [units(LICENCE, 2), alone(VERSION), HOST]
        for lockid, group, wanted in (
            (LICENCE, '', ('counting', 2)),
            (VERSION, 'x', ('exclusive', 1)),
            (HOST, 'esx1', ('counting', 1)),
        ):
            lock = self.at.lock(lockid)
            lock.claim(build(1), units(lockid) if lockid is LICENCE else alone(lockid))
            self.decide(9, (lockid.name, group))
            (waiter,) = self.one(lockid.name).waiters
            self.assertEqual((waiter.mode, waiter.count), wanted)

    def test_one_who_wants_more_than_there_is_comes_after_those_in_the_line(self) -> None:
        for lockid in (LICENCE, VERSION):
            lock = self.at.lock(lockid)
            lock.claim(build(1), alone(lockid))
            lock.waitUntilMaybeAvailable(build(2), units(lockid, 9))
            lock.waitUntilMaybeAvailable(build(3), units(lockid))
            self.assertEqual(whats(self.one(lockid.name).waiters), ['b #43', 'b #42'])


class ForARequest(Case):
    def test_who_holds_what_it_wants_is_a_part_of_a_sentence(self) -> None:
        pairs = [(self.at.lock(one), alone(one)) for one in (LICENCE, VERSION)]
        for lock, access in pairs:
            lock.claim(build(1), access)
        request = ARequest(7)
        said = 'lock licence 2 of 2 held by b #41 and lock version[x] 1 of 1 held by b #41'
        self.assertEqual(self.sights.for_pairs(pairs, request), said)
        elsewhere = self.sights.for_pairs(pairs[1:], ARequest(8, 'y'))
        self.assertEqual(elsewhere, '')  # of a branch that nobody uses nothing is known
        self.assertEqual(self.sights.for_pairs([]), '')

    def test_what_it_waits_for_can_be_asked_for(self) -> None:
        self.at.lock(LICENCE).claim(build(1), alone(LICENCE))
        self.decide(7, ('licence', ''))
        (found,) = self.sights.awaited_by(7)
        self.assertEqual(whats(found.waiters), ['request 7 of b'])
        self.assertEqual(self.sights.awaited_by(8), [])


class ManyWorkers(Case):
    def test_a_thousand_idle_workers_cost_nothing(self) -> None:
        for number in range(1000):
            self.at.lock(JTAG, f'w{number}')
        self.at.lock(JTAG, 'w7').claim(build(1), alone(JTAG))
        asked = []
        witness = next(iter(self.at.ledger.locks._witnesses.values()))
        stock = type(witness).picture
        self.patch(type(witness), 'picture', lambda one: asked.append(one) or stock(one))
        self.assertEqual(len(self.sights.all()), 4)
        self.assertEqual(len(asked), 1)
