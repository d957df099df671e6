# SPDX-License-Identifier: GPL-2.0-or-later
"""Locks, whatever they are called."""

from __future__ import annotations

from urllib.parse import quote

from parameterized import parameterized
from support.facades import Api
from support.facades import lock_sight
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.www.locks import number_of

STRANGE = ['a/b', 'a.b', '..', 'history', '100%', 'ü ✓', '<b>', 'a+b', 'a?b#c', '7']


class Locks(SynchronousTestCase):
    def setUp(self):
        self.api = Api()
        self.sight = self.api.facade.sight
        self.sight.all_locks = [
            lock_sight('host', 'esx1'),
            lock_sight('host', 'a/b'),
            lock_sight('host', ''),
            *(lock_sight(name, name) for name in STRANGE),
        ]

    def groups(self, path, query=''):
        found = self.successResultOf(self.api.get(path, query))
        return [(one['name'], one['group']) for one in found]

    def test_all_of_them(self):
        self.assertEqual(len(self.groups('locks')), 3 + len(STRANGE))

    def test_all_groups_of_one(self):
        self.assertEqual(
            self.groups('locks/host'), [('host', 'esx1'), ('host', 'a/b'), ('host', '')]
        )

    @parameterized.expand([('group=a%2Fb', 'a/b'), ('group=', ''), ('group=esx1', 'esx1')])
    def test_one_group(self, query, group):
        self.assertEqual(self.groups('locks/host', query), [('host', group)])

    @parameterized.expand([(str(at), name) for at, name in enumerate(STRANGE)])
    def test_any_name_can_be_asked_for(self, at, name):
        self.assertEqual(self.groups(f'locks/{quote(name, safe="")}'), [(name, name)])

    def test_holders_and_waiters_are_lists_of_objects(self):
        found = self.successResultOf(self.api.get('locks/host', 'group=esx1'))
        self.assertEqual(found[0]['holders'][0]['what'], 'win #41')
        self.assertEqual(found[0]['waiters'][0]['buildrequestid'], 7)


class Numbers(SynchronousTestCase):
    def test_a_lock_keeps_its_number(self):
        self.assertEqual(number_of('host', 'esx1'), number_of('host', 'esx1'))

    def test_each_has_its_own(self):
        pairs = [('host', 'esx1'), ('hoste', 'sx1'), ('host', ''), ('1:a', ''), ('a', '1:a')]
        self.assertEqual(len({number_of(*pair) for pair in pairs}), len(pairs))

    def test_a_browser_can_hold_it(self):
        self.assertLess(number_of('host', 'esx1'), 2**53)
