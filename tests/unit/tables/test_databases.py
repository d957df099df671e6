# SPDX-License-Identifier: GPL-2.0-or-later
"""One line for each database on which nothing of the tables' tests is run."""

from __future__ import annotations

from support.databases import OnMariadb
from support.databases import OnPostgres
from support.servers import demand
from twisted.trial.unittest import SynchronousTestCase


class Databases(SynchronousTestCase):
    def test_the_tables_are_tested_on_postgresql(self):
        demand('PostgreSQL', OnPostgres.problem())

    def test_the_tables_are_tested_on_mariadb(self):
        demand('MariaDB', OnMariadb.problem())
