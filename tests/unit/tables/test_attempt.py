# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import sqlalchemy as sa
from support.databases import OnSqlite
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.tables.attempt import Outcome
from buildbot_balancer.tables.attempt import attempt


def execute(connection, statement, *values):
    return [tuple(row) for row in connection.exec_driver_sql(statement, values)]


def change(connection, *statements):
    for statement in statements:
        connection.exec_driver_sql(statement)


class Attempt(OnSqlite, SynchronousTestCase):
    def setUp(self):
        super().setUp()
        attempt(self.engine, change, 'create table t (a integer not null)')

    def rows(self):
        return attempt(self.engine, execute, 'select a from t')

    def test_work_that_returns_is_committed_and_its_value_is_told(self):
        attempt(self.engine, change, 'insert into t values (1)')
        self.assertEqual(self.rows(), Outcome(value=[(1,)]))

    def test_work_that_fails_changes_nothing_and_its_problem_is_told(self):
        failed = attempt(
            self.engine, change, 'insert into t values (1)', 'insert into u values (2)'
        )
        self.assertEqual(failed, Outcome(problem='no such table: u'))
        self.assertEqual(self.rows(), Outcome(value=[]))

    def test_what_users_typed_is_not_in_the_problem(self):
        failed = attempt(self.engine, execute, 'select ? from u', 'a secret')
        self.assertEqual(failed.problem, 'no such table: u')

    def test_a_database_that_is_not_there_is_a_problem(self):
        engine = sa.create_engine('sqlite:////nowhere/state.sqlite')
        self.assertEqual(attempt(engine, change).problem, 'unable to open database file')

    def test_a_defect_is_no_problem_of_the_database(self):
        with self.assertRaises(ZeroDivisionError):
            attempt(self.engine, lambda _: 1 / 0)
