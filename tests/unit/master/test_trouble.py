# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import sqlite3
from types import SimpleNamespace

import sqlalchemy as sa
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.trouble import Trouble


class WithAnEngine(SynchronousTestCase):
    def setUp(self):
        self.told = []
        self.calls = []
        self.engine = sa.create_engine('sqlite://', poolclass=sa.pool.NullPool)
        master = SimpleNamespace(db=SimpleNamespace(pool=SimpleNamespace(engine=self.engine)))
        reactor = SimpleNamespace(callFromThread=self.calls.append)
        self.trouble = Trouble(master, reactor, lambda: self.told.append('told'))
        self.trouble.start()

    def fails(self, problem):
        def connect(*args):
            raise sqlite3.OperationalError(problem)

        sa.event.listen(self.engine, 'do_connect', connect)
        self.assertRaises(sa.exc.OperationalError, self.engine.connect)
        sa.event.remove(self.engine, 'do_connect', connect)

    def in_the_reactor(self):
        calls, self.calls[:] = list(self.calls), []
        for call in calls:
            call()

    def test_a_database_that_cannot_be_reached_is_told_of_once_until_that_is_heard(self):
        self.fails('unable to open database file')
        self.fails('unable to open database file')
        self.assertEqual(self.told, [])  # it is a thread that asked
        self.in_the_reactor()
        self.assertEqual(self.told, ['told'])
        self.fails('unable to open database file')
        self.in_the_reactor()
        self.assertEqual(self.told, ['told', 'told'])

    def test_who_was_only_in_the_way_of_others_is_not_told_of(self):
        self.fails('database is locked')
        self.in_the_reactor()
        self.assertEqual(self.told, [])

    def test_a_statement_that_is_wrong_is_no_trouble_of_the_database(self):
        with self.engine.connect() as connection:
            connection.exec_driver_sql('create table one (id integer primary key)')
            connection.exec_driver_sql('insert into one values (1)')
            query = 'insert into one values (1)'
            self.assertRaises(sa.exc.IntegrityError, connection.exec_driver_sql, query)
        self.in_the_reactor()
        self.assertEqual(self.told, [])

    def test_nothing_is_told_after_the_stop(self):
        self.fails('unable to open database file')
        self.trouble.stop()
        self.in_the_reactor()
        self.fails('unable to open database file')
        self.assertEqual((self.told, self.calls), ([], []))
