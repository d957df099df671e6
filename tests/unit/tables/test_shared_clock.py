# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import time

import sqlalchemy as sa
from support.databases import on_each

from buildbot_balancer.tables.clock import now

ZONE = {'postgresql': "SET TIME ZONE '-05:30'", 'mysql': "SET time_zone = '-05:30'"}
HALF_AN_HOUR = 1800.0  # what zones differ by, at least


class Clocks:
    def read(self, connection):
        return float(connection.execute(sa.select(now(connection))).scalar_one())

    def test_it_counts_from_1970_whatever_zone_the_session_is_in(self):
        before = time.time()

        def work(connection):
            statement = ZONE.get(connection.dialect.name)
            if statement:
                connection.exec_driver_sql(statement)
            return self.read(connection)

        self.assertLess(abs(self.do(work) - before), HALF_AN_HOUR / 2)

    def test_it_goes_on_within_a_transaction(self):
        def work(connection):
            first = self.read(connection)
            time.sleep(0.02)
            return first, self.read(connection)

        first, second = self.do(work)
        self.assertGreater(second, first)
        self.assertNotEqual(second - first, int(second - first))


globals().update(on_each(Clocks))
