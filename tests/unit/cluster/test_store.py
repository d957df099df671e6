# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import sqlalchemy as sa
from support.databases import on_each
from support.shared_stores import LEASE
from support.shared_stores import Member
from support.shared_stores import let_pass

from buildbot_balancer.cluster.lost import LostLeaseError
from buildbot_balancer.cluster.protocol import STALE
from buildbot_balancer.cluster.want import EXCLUSIVE
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.cluster.want import Refused
from buildbot_balancer.cluster.want import Taken
from buildbot_balancer.cluster.want import Want
from buildbot_balancer.tables import shared_waiters
from buildbot_balancer.tables.schema import LOCK
from buildbot_balancer.tables.schema import UNIT
from buildbot_balancer.tables.schema import WAITER

HOST = Want('host', 'esx1', limit=2)
BRANCH = Want('version', 'feature/\u00e4 \U0001f600', limit=1, mode=EXCLUSIVE)


class OnTables:
    def setUp(self):
        super().setUp()
        self.make_tables()
        self.a = Member(self.engine, 'a', 1).begin()
        self.b = Member(self.engine, 'b', 2).begin()

    def count(self, table):
        query = sa.select(sa.func.count()).select_from(table)
        return self.do(lambda connection: connection.execute(query).scalar_one())

    def let_pass(self, seconds):
        let_pass(self.engine, seconds)

    def kill(self, dead, *alive):
        """Its lease is over, and those of the others hold, since long ago."""
        for _ in range(4):
            self.let_pass(LEASE / 3 + 1)
            for member in alive:
                self.assertTrue(member.beat())

    def assertTaken(self, answer, *tokens):
        self.assertIsInstance(answer, Taken, str(answer))
        if tokens:
            self.assertEqual(tuple(answer.tokens.values()), tokens)

    def assertRefused(self, answer, because):
        self.assertIsInstance(answer, Refused)
        self.assertEqual(answer.because, because)


class Taking(OnTables):
    def test_units_are_counted_over_all_masters(self):
        self.assertTaken(self.a.take('x', HOST), 1)
        self.assertTaken(self.b.take('y', HOST), 2)
        self.assertRefused(self.a.take('z', HOST), 'taken by x on a, y on b')

    def test_what_is_given_back_can_be_taken_again_with_a_higher_token(self):
        self.a.take('x', BRANCH)
        self.assertEqual(self.a.give_back('x'), [BRANCH.key])
        self.assertEqual(self.a.freed, [BRANCH.key])
        self.assertTaken(self.b.take('y', BRANCH), 2)

    def test_it_takes_all_or_nothing(self):
        self.a.take('x', BRANCH)
        answer = self.b.take('y', HOST, BRANCH, wait=False)
        self.assertEqual((answer.lock, answer.because), (BRANCH.key, 'taken by x on a'))
        self.assertEqual(self.count(UNIT), 1)
        self.a.give_back('x')
        answer = self.b.take('y', HOST, BRANCH)
        self.assertEqual(answer, Taken({HOST.key: 1, BRANCH.key: 2}))

    def test_asked_again_it_is_the_same_grant(self):
        first = self.a.take('x', HOST, BRANCH)
        self.assertEqual(self.a.take('x', BRANCH, HOST), first)
        self.assertEqual(self.count(UNIT), 2)

    def test_asked_for_more_of_a_lock_it_is_another_grant_in_the_place_of_the_first(self):
        self.a.take('x', HOST)
        two = Want('host', 'esx1', limit=2, count=2)
        self.assertTaken(self.a.take('x', two), 2)
        self.assertRefused(self.b.take('y', HOST), 'taken by x on a')

    def test_giving_back_twice_is_giving_back_once(self):
        self.a.take('x', HOST)
        self.a.give_back('x')
        self.a.freed.clear()
        self.assertEqual((self.a.give_back('x'), self.a.freed), ([], []))

    def test_a_master_gives_back_what_is_its_own_only(self):
        self.a.take('x', BRANCH)
        self.assertEqual(self.b.give_back('x'), [])
        self.assertRefused(self.b.take('y', BRANCH), 'taken by x on a')

    def test_one_request_is_not_given_units_on_two_masters(self):
        self.a.take('request:1', HOST)
        said = self.b.take('request:1', HOST)
        self.assertRefused(said, 'taken by request:1 itself on a')
        self.a.give_back('request:1')
        self.assertTaken(self.b.take('request:1', HOST))

    def test_what_a_request_had_is_its_builds(self):
        self.a.take('request:1', HOST, BRANCH)
        for _ in range(2):  # the first answer may have been lost
            self.assertEqual(self.a.hand_over('request:1', 'build:7'), 2)
        self.assertEqual(self.a.give_back('request:1'), [])
        self.assertEqual(self.a.give_back('build:7'), sorted([HOST.key, BRANCH.key]))

    def test_nothing_is_handed_over_where_nothing_is_held(self):
        self.assertEqual(self.a.hand_over('request:1', 'build:7'), 0)

    def test_locks_of_any_name_are_told_apart(self):
        names = ['a', 'A', 'a ', '\\', '\\x61', '\udc80', 'n' * 3000, 'n' * 3001, '\n', '%s', '\0']
        for number, name in enumerate(names):
            self.assertTaken(self.a.take(f'o{number}', Want(name, '%(a)s')))
        found = {lock.key for lock in self.b.picture()}
        self.assertEqual(found, {LockKey(name, '%(a)s') for name in names})

    def test_nothing_wanted_is_nothing_taken(self):
        self.assertEqual(self.a.take('x', Want('a', count=0)), Taken({}))
        self.assertEqual(self.count(LOCK), 0)


class Waiting(OnTables):
    def test_the_one_that_waits_longest_is_first_whichever_master_it_waits_on(self):
        self.a.take('x', BRANCH)
        self.b.take('old', BRANCH)
        self.a.take('new', BRANCH)
        self.a.give_back('x')
        self.assertRefused(self.a.take('new', BRANCH), 'taken by old on b, who comes first')
        self.assertTaken(self.b.take('old', BRANCH))
        self.b.give_back('old')
        self.assertTaken(self.a.take('new', BRANCH))
        self.assertEqual(self.count(WAITER), 0)

    def test_its_place_is_kept_while_it_asks_again_and_when_its_wants_change(self):
        self.a.take('x', BRANCH)
        self.b.take('old', BRANCH)
        self.let_pass(2)
        self.a.take('new', BRANCH)
        self.let_pass(STALE - 1)
        self.b.take('old', BRANCH, HOST)
        self.let_pass(2)
        self.a.take('new', BRANCH)
        self.a.give_back('x')
        self.assertRefused(self.a.take('new', BRANCH), 'taken by old on b, who comes first')

    def test_others_pass_one_that_does_not_ask_any_more_until_it_asks_again(self):
        self.a.take('x', BRANCH)
        self.b.take('old', BRANCH)
        self.a.give_back('x')
        self.let_pass(STALE + 1)
        self.assertTaken(self.a.take('new', BRANCH))
        self.b.take('old', BRANCH)
        self.a.take('third', BRANCH)
        self.a.give_back('new')
        self.assertRefused(self.a.take('third', BRANCH), 'taken by old on b, who comes first')

    def test_who_does_not_want_to_wait_has_no_place(self):
        self.a.take('x', BRANCH)
        self.b.take('y', BRANCH, wait=False)
        self.assertEqual(self.count(WAITER), 0)

    def test_who_stops_waiting_opens_the_way_for_those_behind(self):
        self.a.take('x', HOST)
        self.b.take('heavy', Want('host', 'esx1', limit=2, count=2))
        self.assertRefused(self.a.take('y', HOST), 'heavy on b waits for it and comes first')
        self.b.stop_waiting('heavy', 'nobody')
        self.assertEqual(self.b.freed, [HOST.key])
        self.assertTaken(self.a.take('y', HOST))
        self.b.freed.clear()
        self.b.stop_waiting('heavy')
        self.assertEqual(self.b.freed, [])

    def test_it_stops_also_while_its_masters_lease_is_over(self):
        self.a.take('x', BRANCH)
        self.b.take('y', BRANCH)
        self.let_pass(LEASE + 1)
        self.b.stop_waiting('y')
        self.assertEqual(self.count(WAITER), 0)

    def test_priority_and_holding_something_come_before_age(self):
        self.a.take('x', BRANCH)
        self.b.take('old', BRANCH)
        self.a.take('urgent', BRANCH, priority=1)
        self.b.take('step', BRANCH, running=True)
        waiters = [one.owner for one in self.a.picture()[0].waiters]
        self.assertEqual(waiters, ['step', 'urgent', 'old'])
        self.a.give_back('x')
        for owner in waiters:
            others = [one for one in waiters if one != owner]
            for other in others:
                self.assertIsInstance(self.ask(other), Refused)
            self.assertTaken(self.ask(owner))
            self.a.give_back(owner), self.b.give_back(owner)
            waiters = others

    def ask(self, owner):
        member = self.a if owner == 'urgent' else self.b
        how = {'urgent': {'priority': 1}, 'step': {'running': True}}.get(owner, {})
        return member.take(owner, BRANCH, wait=False, **how)

    def test_a_request_that_waits_on_two_masters_leaves_both_lines_at_once(self):
        self.a.take('x', BRANCH)
        self.a.take('request:1', BRANCH)
        self.b.take('request:1', BRANCH)
        self.assertEqual(self.count(WAITER), 2)
        self.a.give_back('x')
        self.assertTaken(self.b.take('request:1', BRANCH))
        self.assertEqual(self.count(WAITER), 0)

    def test_of_a_long_line_the_front_is_served(self):
        many = Want('host', 'esx1', limit=500)
        self.a.take('x', Want('host', 'esx1', limit=500, mode=EXCLUSIVE))
        owners = [f'{number:03}' for number in range(shared_waiters.FRONT + 2)]
        for owner in owners:
            self.a.take(owner, many)
        self.a.give_back('x')
        self.assertRefused(self.b.take('late', many), f'{shared_waiters.FRONT} or more come first')
        for owner in owners:
            self.assertTaken(self.a.take(owner, many))
        self.assertTaken(self.b.take('late', many))


class Leases(OnTables):
    def test_a_run_is_not_the_one_before_under_its_name(self):
        again = Member(self.engine, 'a', 1).begin()
        self.assertNotEqual(again.id, self.a.id)
        self.a.take('x', BRANCH)
        self.assertEqual(again.give_back('x'), [])
        self.assertRefused(again.take('y', BRANCH), 'taken by x on a')

    def test_the_units_of_a_dead_master_are_free_after_its_lease(self):
        self.a.take('x', BRANCH)
        self.let_pass(LEASE / 3)
        self.b.beat()
        self.assertRefused(self.b.take('y', BRANCH), 'taken by x on a')
        self.kill(self.a, self.b)
        self.assertTaken(self.b.take('y', BRANCH), 2)
        self.assertEqual(self.b.freed, [BRANCH.key])

    def test_they_are_given_back_also_where_nobody_asks_for_them(self):
        self.a.take('x', BRANCH)
        self.a.take('y', HOST)
        self.b.take('z', HOST)
        self.kill(self.a, self.b)
        self.assertEqual(self.b.end_dead(), ['a'])
        self.assertEqual(self.b.freed, sorted([BRANCH.key, HOST.key]))
        self.assertEqual([one.owner for lock in self.b.picture() for one in lock.holders], ['z'])
        self.assertEqual(self.b.end_dead(), [])

    def test_one_that_was_ended_finds_out_at_its_next_word(self):
        self.a.take('x', BRANCH)
        self.kill(self.a, self.b)
        self.b.end_dead()
        self.assertFalse(self.a.beat())
        self.assertRaises(LostLeaseError, self.a.take, 'x', BRANCH)
        self.assertEqual(self.a.hand_over('x', 'build:1'), 0)
        self.assertEqual(self.a.give_back('x'), [])
        self.assertEqual(self.a.sweep(), [])
        self.a.begin()
        self.assertTaken(self.a.take('x', BRANCH), 2)

    def test_one_whose_lease_is_over_takes_nothing_until_it_has_beaten(self):
        self.let_pass(LEASE + 1)
        self.assertRaises(LostLeaseError, self.a.take, 'x', BRANCH)
        self.assertEqual(self.count(UNIT), 0)
        self.assertTrue(self.a.beat())
        self.assertTaken(self.a.take('x', BRANCH))

    def test_a_late_beat_saves_what_nobody_has_given_away(self):
        self.a.take('x', BRANCH)
        self.let_pass(LEASE + 1)
        self.assertTrue(self.a.beat())
        self.b.beat()
        self.assertRefused(self.b.take('y', BRANCH), 'taken by x on a')

    def test_after_an_outage_all_have_the_time_of_a_heartbeat_to_come_back(self):
        self.a.take('x', BRANCH)
        self.let_pass(10 * LEASE)
        self.b.beat()
        self.assertRefused(self.b.take('y', BRANCH), 'taken by x on a')
        self.assertEqual(self.b.end_dead(), [])
        self.let_pass(LEASE / 3 - 1)
        self.assertEqual(self.b.end_dead(), [])
        self.let_pass(2)
        self.assertEqual(self.b.end_dead(), ['a'])

    def test_a_lease_is_as_long_as_its_own_master_says(self):
        short = Member(self.engine, 'short', 3).begin(lease=3.0)
        short.take('x', BRANCH)
        self.let_pass(4)
        self.assertTaken(self.b.take('y', BRANCH))

    def test_the_waiters_of_a_dead_master_hold_up_nobody(self):
        self.a.take('x', BRANCH)
        dead = Member(self.engine, 'dead', 3).begin(lease=1.0)
        dead.take('old', BRANCH)
        self.a.give_back('x')
        self.let_pass(2)
        self.assertTaken(self.b.take('y', BRANCH))

    def test_one_that_ends_gives_all_back_at_once(self):
        self.a.take('x', BRANCH)
        self.b.take('y', BRANCH)
        self.a.end()
        self.a.end()
        self.assertEqual(self.a.freed, [BRANCH.key])
        self.assertFalse(self.a.beat())
        self.assertTaken(self.b.take('y', BRANCH))


class Sweeping(OnTables):
    def test_what_owners_hold_that_live_no_more_is_given_back_and_said(self):
        self.a.take('build:1', HOST)
        self.a.take('build:2', HOST, BRANCH)
        self.b.take('build:3', BRANCH)
        self.a.take('build:4', BRANCH)
        gone = self.a.sweep('build:1')
        self.assertEqual(sorted(gone), sorted([HOST.key, BRANCH.key]))
        self.assertEqual({*self.a.freed}, {HOST.key, BRANCH.key})
        self.assertEqual(self.a.sweep('build:1'), [])
        (left, branch) = sorted(self.b.picture(), key=lambda lock: lock.key)
        self.assertEqual([one.owner for one in left.holders], ['build:1'])
        self.assertEqual([one.owner for one in branch.waiters], ['build:3'])


class Pictures(OnTables):
    def test_all_masters_see_all_holders_and_waiters(self):
        self.a.take('x', BRANCH)
        self.let_pass(5)
        self.b.beat()
        self.b.take('y', BRANCH)
        (lock,) = self.a.picture()
        self.assertEqual([one.key for one in self.b.picture()], [lock.key])
        (holder,), (waiter,) = lock.holders, lock.waiters
        self.assertEqual((holder.master, holder.masterid, holder.owner), ('a', 1, 'x'))
        self.assertEqual((holder.mode, holder.token, holder.is_over), (EXCLUSIVE, 1, False))
        self.assertEqual((waiter.master, waiter.masterid, waiter.owner), ('b', 2, 'y'))
        self.assertGreaterEqual(holder.seconds, 5)
        self.assertLess(waiter.seconds, holder.seconds)

    def test_a_lease_that_is_over_is_seen(self):
        self.a.take('x', BRANCH)
        self.let_pass(LEASE + 1)
        self.assertTrue(self.b.picture()[0].holders[0].is_over)


for _case in (Taking, Waiting, Leases, Sweeping, Pictures):
    globals().update(on_each(_case))
