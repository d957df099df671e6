# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from unittest import mock

from support.databases import on_each

from buildbot_balancer.tables import kept
from buildbot_balancer.tables.schema import PAUSE


def row(builder='b', **more):
    return {
        'builder': builder,
        'reason': None,
        'until_at': None,
        'actor': None,
        'said_at': 1.5,
        **more,
    }


class Rows:
    def setUp(self):
        super().setUp()
        self.make_tables()

    def load(self):
        return sorted(self.do(kept.load, PAUSE), key=lambda one: one['builder'])

    def save(self, one):
        self.do(kept.save, PAUSE, one)

    def test_a_row_is_loaded_as_it_was_saved(self):
        full = row(reason='grüße', until_at=1_800_000_000.25, actor='ann')
        self.save(full)
        self.save(row('c'))
        self.assertEqual(self.load(), [full, row('c')])

    def test_a_new_row_takes_the_place_of_the_one_of_that_name(self):
        self.save(row(reason='old', actor='ann'))
        self.save(row('B'))
        self.save(row(reason='new'))
        self.assertEqual(self.load(), [row('B'), row(reason='new')])
        self.save(row(reason='new'))  # the same again
        self.assertEqual(self.load(), [row('B'), row(reason='new')])

    def test_a_name_is_loaded_as_it_is_in_the_config(self):
        names = ['a b', 'a  b', ' a b', 'a\u200eb', 'a\\u200eb', 'a\\b', 'grün', '\U0001f680']
        names += ['half \ud800', 'x' * 255]
        for name in names:
            self.save(row(name, reason=name[:3]))
        self.assertEqual([one['builder'] for one in self.load()], sorted(names))
        for name in names:
            self.do(kept.delete, PAUSE, name)
        self.assertEqual(self.load(), [])

    def test_who_was_first_elsewhere_is_overwritten(self):
        updated, seen = kept._updated, []

        def late(connection, table, values):
            """Another master saves between our look and our row."""
            if not seen:
                seen.append(updated(connection, table, values))
                connection.execute(table.insert().values(row(reason='theirs')))
                return seen[0]
            return updated(connection, table, values)

        with mock.patch.object(kept, '_updated', late):
            self.save(row(reason='ours'))
        self.assertEqual((seen, self.load()), ([False], [row(reason='ours')]))

    def test_a_row_that_was_deleted_is_gone_and_so_is_one_that_never_was(self):
        self.save(row())
        self.save(row('c'))
        self.do(kept.delete, PAUSE, 'b')
        self.do(kept.delete, PAUSE, 'never')
        self.assertEqual(self.load(), [row('c')])

    def test_what_people_typed_is_cut_to_fit(self):
        long = 'x' * 1000
        self.save(row(reason=f'\U0001f600\x1b {long}', actor=long))
        (found,) = self.load()
        self.assertEqual((len(found['reason']), len(found['actor'])), (200, 255))

    def test_a_name_that_is_not_written_as_ours_are_is_loaded_as_it_is(self):
        for name in ('a\\x', 'ü\\n'):
            self.do(lambda connection, name=name: connection.execute(PAUSE.insert(), row(name)))
        self.assertEqual([one['builder'] for one in self.load()], ['a\\x', 'ü\\n'])


globals().update(on_each(Rows))
