# SPDX-License-Identifier: GPL-2.0-or-later
"""Masters at the same rows: threads that are stopped at one statement while another goes on."""

from __future__ import annotations

import random
import time
from unittest import mock

import sqlalchemy as sa
from support.databases import OnMariadb
from support.databases import OnPostgres
from support.databases import OnSqlite
from support.databases import on_each
from support.shared_stores import LEASE
from support.shared_stores import PATIENCE
from support.shared_stores import Aside
from support.shared_stores import Gate
from support.shared_stores import Member
from support.shared_stores import let_pass

from buildbot_balancer.cluster.want import Refused
from buildbot_balancer.cluster.want import Taken
from buildbot_balancer.cluster.want import Want
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.tables import schema
from buildbot_balancer.tables import shared_transaction
from buildbot_balancer.tables.schema import INCARNATION
from buildbot_balancer.tables.schema import UNIT

LOCK = Want('host', 'esx1', limit=1)
OTHER = Want('other', limit=1)


def at(number):
    """Stops at the statement of that number, the first one is 1."""
    seen = []
    return lambda statement: seen.append(statement) or len(seen) == number


def with_text(text):
    return lambda statement: text in statement


def is_commit(statement):
    return statement == 'COMMIT'


class Racing:
    def setUp(self):
        super().setUp()
        self.make_tables()
        # an engine each, so that a gate stops one of them
        self.engines = [self.make_engine() for _ in range(2)]
        self.a, self.b = (Member(engine, name).begin() for engine, name in zip(self.engines, 'ab'))
        self.free(self.a.take('first', LOCK, OTHER))

    def free(self, *_):
        for member in (self.a, self.b):
            member.sweep()

    def gate(self, stops, which=0, **how):
        gate = Gate(self.engines[which], stops, **how)
        self.addCleanup(gate.open)
        return gate

    def wait(self, happened):
        end = time.monotonic() + PATIENCE
        while not happened():
            self.assertLess(time.monotonic(), end)
            # MariaDB's list of transactions is made anew only when it was not read for 0.1 s
            time.sleep(0.15 if self.engine.dialect.name == 'mysql' else 0.005)

    def wait_until_stuck(self, aside):
        """Until it is over, or waits for a row in the database."""
        self.wait(lambda: aside.is_over or self.waiting_in_database())

    def waiting_in_database(self):
        queries = {
            'postgresql': "select count(*) from pg_stat_activity where wait_event_type = 'Lock'",
            'mysql': 'select count(*) from information_schema.innodb_trx'
            " where trx_state = 'LOCK WAIT'",
        }
        query = queries.get(self.engine.dialect.name)
        if query is None:
            return self.begun.reached.is_set()
        return self.do(lambda connection: connection.exec_driver_sql(query).scalar()) > 0

    def stopped(self, gate, work, *args):
        aside = Aside(work, *args)
        self.wait(lambda: gate.reached.is_set() or aside.is_over)
        return aside

    def rows(self, table):
        query = sa.select(table)
        return self.do(lambda c: [dict(row) for row in c.execute(query).mappings()])


class Takers(Racing):
    def test_two_at_once_wherever_one_of_them_is_stopped(self):
        winners = set()
        for number in range(1, 12):
            gate = self.gate(at(number))
            self.begun = self.gate(with_text('BEGIN'), which=1, held=False)
            one = self.stopped(gate, self.a.take, 'x', LOCK)
            if not gate.reached.is_set():
                break
            two = Aside(self.b.take, 'y', LOCK)
            self.wait_until_stuck(two)
            gate.open()
            answers = [one.result(), two.result()]
            self.assertEqual({type(one) for one in answers}, {Taken, Refused}, number)
            self.assertEqual(len(self.rows(UNIT)), 1)
            winners.add(self.rows(UNIT)[0]['owner'])
            self.free()
        self.assertGreater(number, 6)
        self.assertEqual(winners, {'x', 'y'})

    def test_many_at_once_never_have_more_than_there_is(self):
        having, most = [], []
        limit = 2

        def work(number):
            member = Member(self.make_engine(), f'm{number}').begin()
            lot = random.Random(number)
            for turn in range(8):
                owner = f'{number}:{turn}'
                wants = [Want('host', 'esx1', limit=limit), Want('other', limit=limit)]
                wants = wants[: lot.choice((1, 2))]
                lot.shuffle(wants)
                while not isinstance(self.patiently(member.take, owner, *wants), Taken):
                    pass
                having.append(owner)
                most.append(len(having))
                having.remove(owner)
                self.patiently(member.give_back, owner)

        masters = [Aside(work, number) for number in range(4)]
        for master in masters:
            master.result()
        self.assertLessEqual(max(most), limit)
        self.assertEqual(self.rows(UNIT), [])

    @staticmethod
    def patiently(work, *args):
        while True:
            try:
                return work(*args)
            except BalancerError as e:
                if 'in the way' not in str(e):
                    raise


globals().update(on_each(Takers))


class FirstUse(Racing):
    def test_two_masters_that_use_a_lock_first_use_the_same(self):
        new = Want('new', limit=1)
        gate = self.gate(with_text('INSERT INTO balancer_lock'))
        one = self.stopped(gate, self.a.take, 'x', new)
        self.assertIsInstance(self.b.take('y', new), Taken)
        gate.open()
        self.assertIsInstance(one.result(), Refused)


globals().update(on_each(FirstUse, OnPostgres, OnMariadb))


class LeasesInRaces(Racing):
    def pass_lease_of_a(self):
        """It is over since long ago, by a clock that b is heard by all the time."""
        for _ in range(4):
            let_pass(self.engine, LEASE / 3 + 1)
            self.b.beat()


class Leases(LeasesInRaces):
    def test_a_beat_that_is_about_to_be_committed_saves_the_lease(self):
        self.a.take('x', LOCK)
        self.pass_lease_of_a()
        gate = self.gate(is_commit)
        one = self.stopped(gate, self.a.beat)
        two = Aside(self.b.take, 'y', LOCK)
        self.wait_until_stuck(two)
        gate.open()
        self.assertTrue(one.result())
        self.assertIsInstance(two.result(), Refused)
        self.assertEqual([row['owner'] for row in self.rows(UNIT)], ['x'])

    def test_a_beat_that_comes_while_the_lease_is_ended_is_told_so(self):
        self.a.take('x', LOCK)
        self.pass_lease_of_a()
        gate = self.gate(is_commit, which=1)
        one = self.stopped(gate, self.b.end_dead)
        two = Aside(self.a.beat)
        self.wait_until_stuck(two)
        gate.open()
        self.assertEqual(one.result(), ['a'])
        self.assertFalse(two.result())
        self.assertEqual([row['name'] for row in self.rows(INCARNATION)], ['b'])

    def test_two_that_end_the_same_master_give_its_units_back_once(self):
        self.a.take('x', LOCK)
        self.pass_lease_of_a()
        c = Member(self.engine, 'c').begin()
        let_pass(self.engine, LEASE / 3 + 1)
        self.b.beat(), c.beat()
        gate = self.gate(with_text('DELETE FROM balancer_unit'), which=1)
        one = self.stopped(gate, self.b.end_dead)
        two = Aside(c.end_dead)
        self.wait_until_stuck(two)
        gate.open()
        self.assertEqual((one.result(), two.result()), (['a'], []))
        self.assertEqual((self.b.freed, c.freed), ([LOCK.key], []))


globals().update(on_each(Leases, OnPostgres, OnMariadb))


class Taking(LeasesInRaces):  # on others a beat waits while its master takes
    def test_a_lease_that_ends_while_its_master_takes(self):
        gate = self.gate(with_text('INSERT INTO balancer_unit'))
        one = self.stopped(gate, self.a.take, 'x', OTHER)
        self.pass_lease_of_a()
        two = Aside(self.b.end_dead)
        self.wait_until_stuck(two)
        gate.open()
        self.assertIsInstance(one.result(), Taken)
        self.assertEqual(two.result(), ['a'])
        self.assertEqual(self.rows(UNIT), [])
        self.assertFalse(self.a.beat())


globals().update(on_each(Taking, OnPostgres))


class Trouble(Racing):
    def test_a_deadlock_with_somebody_else_is_tried_again(self):
        first, second = sorted([LOCK.key.id, OTHER.key.id])
        query = 'select * from balancer_lock where id = {} for update'
        with self.make_engine().begin() as stranger:
            stranger.exec_driver_sql("set local deadlock_timeout = '1h'")  # the other is the victim
            stranger.exec_driver_sql(query.format(second))
            one = Aside(self.a.take, 'x', LOCK, OTHER)
            self.wait(self.waiting_in_database)
            stranger.exec_driver_sql(query.format(first))
        self.assertIsInstance(one.result(), Taken)
        self.assertTrue(self.a.reactor.pauses)  # a machine that is busy may make it wait again

    def test_many_that_name_the_locks_in_any_order_never_deadlock(self):
        query = 'select deadlocks from pg_stat_database where datname = current_database()'
        one = Aside(self.take_often, self.a, [LOCK, OTHER])
        two = Aside(self.take_often, self.b, [OTHER, LOCK])
        one.result(), two.result()
        self.assertEqual(self.a.reactor.pauses + self.b.reactor.pauses, [])
        self.assertEqual(self.do(lambda c: c.exec_driver_sql(query).scalar()), 0)

    def take_often(self, member, wants):
        for number in range(40):
            member.take(f'{member.name}{number}', *wants, wait=False)
            member.give_back(f'{member.name}{number}')

    def test_a_master_that_is_stopped_in_the_middle_does_not_stop_the_others(self):
        short = shared_transaction._POSTGRES.replace(
            f"idle_in_transaction_session_timeout = '{shared_transaction.IDLE_PATIENCE}s'",
            "idle_in_transaction_session_timeout = '200ms'",
        )
        self.assertIn('200ms', short)
        gate = self.gate(with_text('INSERT INTO balancer_unit'))
        with mock.patch.object(shared_transaction, '_POSTGRES', short):
            one = self.stopped(gate, self.a.take, 'x', LOCK)
        self.assertIsInstance(self.b.take('y', LOCK), Taken)
        gate.open()
        self.assertRaises(BalancerError, one.result)
        self.assertEqual([row['owner'] for row in self.rows(UNIT)], ['y'])
        self.assertTrue(self.a.beat())

    def test_one_that_waits_too_long_for_a_row_says_so(self):
        short = shared_transaction._POSTGRES.replace(
            f"lock_timeout = '{shared_transaction.ROW_PATIENCE}s'", "lock_timeout = '10ms'"
        )
        self.assertIn('10ms', short)
        query = sa.select(schema.LOCK).where(schema.LOCK.c.id == LOCK.key.id).with_for_update()
        with self.make_engine().begin() as stranger:
            stranger.execute(query)
            with mock.patch.object(shared_transaction, '_POSTGRES', short):
                self.assertRaises(BalancerError, self.a.take, 'x', LOCK)
        self.assertEqual(self.a.reactor.pauses, sorted(self.a.reactor.pauses))
        self.assertGreater(len(self.a.reactor.pauses), 3)
        self.assertIsInstance(self.a.take('x', LOCK), Taken)


globals().update(on_each(Trouble, OnPostgres))


class Busy(Racing):
    def test_where_another_writes_for_long_it_is_tried_again_and_said(self):
        impatient = sa.create_engine(self.engine.url, connect_args={'timeout': 0})
        self.addCleanup(impatient.dispose)
        member = Member(impatient, 'c').begin()
        with self.engine.connect() as stranger:
            stranger.exec_driver_sql('BEGIN IMMEDIATE')
            error = self.assertRaises(BalancerError, member.take, 'x', LOCK)
            stranger.rollback()
        self.assertIn('others were in the way', str(error))
        self.assertGreater(len(member.reactor.pauses), 3)
        self.assertIsInstance(member.take('x', LOCK), Taken)


globals().update(on_each(Busy, OnSqlite))
