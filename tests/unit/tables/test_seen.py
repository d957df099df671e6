# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import sqlalchemy as sa
from support.databases import on_each

from buildbot_balancer.tables import seen
from buildbot_balancer.tables.seen import SEEN

MASTERS = sa.Table(
    'masters',  # what of Buildbot's is looked at
    sa.MetaData(),
    sa.Column('id', sa.Integer, primary_key=True),
    sa.Column('name', sa.Text, nullable=False),
    sa.Column('active', sa.Integer, nullable=False),
)


class Seen:
    def setUp(self):
        super().setUp()
        self.make_tables()
        MASTERS.metadata.create_all(self.engine)
        rows = [{'id': one, 'name': f'm{one}', 'active': int(one != 3)} for one in (1, 2, 3)]
        self.do(lambda connection: connection.execute(sa.insert(MASTERS), rows) and None)

    def publish(self, masterid, changed, same=()):
        return self.do(seen.publish, masterid, changed, same)

    def load(self, but=1, known=()):
        return self.do(seen.load, MASTERS, but, dict(known))

    def age(self, seconds):
        older = {name: SEEN.c[name] - seconds for name in ('changed_at', 'seen_at')}
        self.do(lambda connection: connection.execute(sa.update(SEEN).values(older)) and None)

    def test_others_read_what_a_master_says_and_how_old_it_is(self):
        self.assertTrue(self.publish(2, {'workers': 'x' * 200_000}))
        self.publish(3, {'workers': 'y'})
        self.publish(1, {'workers': 'own'})
        self.age(40)
        found = [(row.name, row.active, row.content[:1], round(row.age)) for row in self.load()]
        self.assertEqual([one[:3] for one in found], [('m2', True, 'x'), ('m3', False, 'y')])
        self.assertTrue(all(40 <= one[3] < 100 for one in found), found)

    def test_what_is_known_already_is_not_read_again(self):
        self.publish(2, {'workers': 'a', 'requests': 'b'})
        known = {(row.masterid, row.kind): row.changed_at for row in self.load()}
        self.age(0)
        self.assertEqual([row.content for row in self.load(known=known)], [None, None])
        self.age(1)
        self.publish(2, {'workers': 'c'}, ['requests'])
        found = {row.kind: row.content for row in self.load(known=known)}
        self.assertEqual(found, {'workers': 'c', 'requests': 'b'})  # of which the time was moved

    def test_a_beat_makes_it_young_and_changes_nothing_else(self):
        self.publish(2, {'workers': 'a'})
        self.age(500)
        (before,) = self.load()
        self.assertTrue(self.publish(2, {}, ['workers']))
        (after,) = self.load()
        self.assertEqual(before.changed_at, after.changed_at)
        self.assertGreater(before.age, 400)
        self.assertLess(after.age, 400)

    def test_a_beat_of_what_somebody_has_deleted_says_so(self):
        self.publish(2, {'workers': 'a'})
        self.do(seen.delete, 2)
        self.assertFalse(self.publish(2, {}, ['workers']))

    def test_a_master_lives_that_has_said_something_lately(self):
        self.publish(2, {'workers': 'a'})
        self.age(90)
        self.publish(3, {'workers': 'a'})
        self.assertEqual(self.do(seen.alive, 60.0), {3})

    def test_what_is_very_old_is_deleted(self):
        self.publish(2, {'workers': 'a'})
        self.age(seen.FORGOTTEN_AFTER + 60)
        self.publish(3, {'workers': 'a'})
        self.do(seen.delete_old)
        self.assertEqual([row.masterid for row in self.load()], [3])


globals().update(on_each(Seen))
