# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import sqlalchemy as sa
from support.databases import OnMariadb
from support.databases import OnPostgres
from support.databases import on_each
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.tables.attempt import attempt
from buildbot_balancer.tables.schema import WORD
from buildbot_balancer.tables.shared_transaction import Again
from buildbot_balancer.tables.shared_transaction import alone
from buildbot_balancer.tables.shared_transaction import is_contention

STRICT = {
    'postgresql': "alter database {} set default_transaction_isolation = 'serializable'",
    'mysql': 'set global transaction isolation level serializable',
}


class DriverError(Exception):
    def __init__(self, *args, pgcode=None):
        super().__init__(*args)
        self.pgcode = pgcode


def failed(original, **how):
    return sa.exc.OperationalError('select', {}, original, **how)


class Contention(SynchronousTestCase):
    def test_what_another_try_may_mend_is_told_from_what_it_cannot(self):
        for error in (
            DriverError(pgcode='40P01'),
            DriverError(pgcode='55P03'),
            DriverError(1213, 'Deadlock found'),
            DriverError(1205, 'Lock wait timeout exceeded'),
            DriverError('database is locked'),
        ):
            self.assertTrue(is_contention(failed(error)), error)
        for error in (
            DriverError(pgcode='23505'),
            DriverError(1062, 'Duplicate entry'),
            DriverError('disk I/O error'),
            DriverError(),
        ):
            self.assertFalse(is_contention(failed(error)), error)

    def test_a_connection_that_is_lost_is_no_contention(self):
        lost = failed(DriverError(pgcode='40P01'), connection_invalidated=True)
        self.assertFalse(is_contention(lost))


class OnWords:
    def setUp(self):
        super().setUp()
        self.make_tables()

    def insert(self, connection, worker='w'):
        connection.execute(sa.insert(WORD).values(worker=worker, mood='eager', said_at=0.0))

    def count(self, connection):
        return connection.execute(sa.select(sa.func.count()).select_from(WORD)).scalar_one()


class Failing(OnWords):
    def test_nothing_is_left_of_what_is_to_be_tried_again(self):
        def work(connection):
            self.insert(connection)
            raise failed(DriverError('database is locked'))

        self.assertEqual(attempt(self.engine, alone, work).value, Again.TRY)
        self.assertEqual(self.do(self.count), 0)

    def test_nothing_is_left_of_what_failed(self):
        def work(connection):
            self.insert(connection)
            self.insert(connection)

        self.assertNotEqual(attempt(self.engine, alone, work).problem, '')
        self.assertEqual(self.do(self.count), 0)

    def test_what_was_done_is_kept(self):
        attempt(self.engine, alone, self.insert)
        self.assertEqual(self.do(self.count), 1)


globals().update(on_each(Failing))


class Isolation(OnWords):
    def make_lenient(self):
        """The server is that of other tests, too."""
        if self.engine.dialect.name == 'mysql':
            statement = STRICT['mysql'].replace('serializable', 'repeatable read')
            self.do(lambda connection: connection.exec_driver_sql(statement) and None)

    def test_what_others_commit_is_seen_whatever_the_servers_default_is(self):
        statement = STRICT[self.engine.dialect.name].format(self.engine.url.database)
        self.do(lambda connection: connection.exec_driver_sql(statement) and None)
        self.addCleanup(self.make_lenient)
        strict = self.make_engine()

        def work(connection):
            first = self.count(connection)
            self.do(self.insert)
            return first, self.count(connection)

        with strict.connect() as connection:
            seen = alone(connection, work)
        self.assertEqual(seen, (0, 1))


globals().update(on_each(Isolation, OnPostgres, OnMariadb))
