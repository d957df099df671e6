# SPDX-License-Identifier: GPL-2.0-or-later
"""The statements on Buildbot's own tables, on each database that a master can have."""

from __future__ import annotations

import sqlalchemy as sa
from buildbot.db.model import Model
from buildbot.process.results import RETRY
from support.databases import on_each

from buildbot_balancer.cluster import leftovers
from buildbot_balancer.tables import seen
from buildbot_balancer.tables import shared_leases
from buildbot_balancer.tables.shared_transaction import alone

OWN, LIVE, DEAD = 1, 2, 3


class Leftovers:
    """Request 10 * n and build n are of master n."""

    def setUp(self):
        super().setUp()
        self.make_tables()
        Model.metadata.create_all(self.engine)
        self.do(self.fill)

    def fill(self, connection):
        def add(table, **row):
            connection.execute(sa.insert(table).values(row))

        add(Model.builders, id=1, name='b', name_hash='b')
        add(Model.workers, id=1, name='w', info={})
        add(Model.buildsets, id=1, submitted_at=1)
        for master in (OWN, LIVE, DEAD):
            add(
                Model.masters,
                id=master,
                name=f'm{master}',
                name_hash=f'{master}',
                active=int(master == LIVE),
                last_active=1,
            )
            request = 10 * master
            add(Model.buildrequests, id=request, buildsetid=1, builderid=1, submitted_at=1)
            add(Model.buildrequest_claims, brid=request, masterid=master, claimed_at=5)
            add(
                Model.builds,
                id=master,
                number=master,
                builderid=1,
                buildrequestid=request,
                workerid=1,
                masterid=master,
                started_at=5,
                state_string='',
                locks_duration_s=0,
            )
            add(
                Model.steps,
                id=master,
                number=0,
                name='s',
                buildid=master,
                state_string='',
                urls_json='[]',
            )
            add(
                Model.logs,
                id=master,
                name='l',
                slug='l',
                stepid=master,
                complete=0,
                num_lines=0,
                type='s',
            )

    def find(self):
        return self.do(leftovers.find, Model, OWN)

    def unclaim(self):
        return self.do(alone, leftovers.unclaim, Model, OWN, DEAD, self.claims)

    def finish(self):
        return self.do(alone, leftovers.finish, Model, OWN, self.build, 1000)

    @property
    def claims(self):
        return [leftovers.Claim(buildrequestid=10 * DEAD, masterid=DEAD, claimed_at=5)]

    @property
    def build(self):
        return leftovers.Unfinished(buildid=DEAD, masterid=DEAD)

    def change(self, table, where, **values):
        update = sa.update(table).where(where).values(values)
        self.do(lambda connection: connection.execute(update) and None)

    def claimed(self):
        query = sa.select(Model.buildrequest_claims.c.brid)
        return set(self.do(lambda connection: list(connection.execute(query).scalars())))

    def test_what_the_dead_have_left_is_found_and_nothing_of_others_or_our_own(self):
        found = self.find()
        self.assertEqual((found.claims, found.builds), ({*self.claims}, {self.build}))
        self.assertEqual(found.names, {DEAD: 'm3'})

    def test_what_an_earlier_run_of_ours_has_left_is_found_and_ended(self):
        found = self.do(leftovers.find_own, Model, OWN)
        self.assertEqual({one.buildrequestid for one in found.claims}, {10 * OWN})
        self.assertEqual({one.buildid for one in found.builds}, {OWN})
        self.assertEqual(found.without({10 * OWN}, {OWN}).claims, frozenset())
        given = self.do(alone, leftovers.unclaim, Model, OWN, OWN, found.claims)
        self.assertEqual((given, self.claimed()), ([10 * OWN], {10 * LIVE, 10 * DEAD}))

    def test_a_request_that_is_complete_is_none(self):
        self.change(Model.buildrequests, Model.buildrequests.c.id == 10 * DEAD, complete=1)
        self.assertEqual(self.find().claims, frozenset())

    def test_one_who_still_says_something_is_not_dead(self):
        self.do(seen.publish, DEAD, {'workers': ''}, ())
        self.assertEqual(self.find(), leftovers.Leftovers())
        self.assertEqual((self.unclaim(), self.finish()), ([], None))

    def test_one_whose_lease_holds_is_not_dead(self):
        self.do(shared_leases.insert, 'i', DEAD, 'm3', 600.0)
        self.assertEqual(self.find(), leftovers.Leftovers())
        self.assertEqual((self.unclaim(), self.finish()), ([], None))

    def test_one_whose_lease_is_over_is(self):
        self.do(shared_leases.insert, 'i', DEAD, 'm3', -1.0)
        self.assertEqual(self.find().names, {DEAD: 'm3'})

    def test_a_claim_is_ended_once(self):
        self.assertEqual([self.unclaim(), self.unclaim()], [[10 * DEAD], []])
        self.assertEqual(self.claimed(), {10 * OWN, 10 * LIVE})

    def test_a_build_is_ended_once_with_its_steps_and_logs(self):
        ended = leftovers.Finished(buildid=DEAD, results=RETRY, steps=(DEAD,), logs=(DEAD,))
        self.assertEqual([self.finish(), self.finish()], [ended, None])

        def read(connection):
            for table, column in (
                (Model.builds, 'results'),
                (Model.steps, 'results'),
                (Model.logs, 'complete'),
            ):
                rows = connection.execute(sa.select(table.c[column]).order_by(table.c.id))
                yield list(rows.scalars())

        read_all = self.do(lambda connection: list(read(connection)))
        self.assertEqual(read_all, [[None, None, RETRY], [None, None, RETRY], [0, 0, 1]])

    def test_who_is_back_keeps_all(self):
        self.change(Model.masters, Model.masters.c.id == DEAD, active=1)
        self.assertEqual((self.unclaim(), self.finish()), ([], None))
        self.assertIn(10 * DEAD, self.claimed())


globals().update(on_each(Leftovers))
