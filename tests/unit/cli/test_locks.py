# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json

from support.stage import StageCase
from support.stage import lock
from support.stage import share


class Locks(StageCase):
    def lines(self, *items):
        self.has('locks', 'balancer_locks', list(items))
        return [line.split('  ') for line in self.run_ok('locks').splitlines()]

    def cells(self, *items):
        return [[part.strip() for part in line if part.strip()] for line in self.lines(*items)]

    def test_each_has_a_line_with_holders_and_waiters(self):
        head, one = self.cells(lock())
        self.assertEqual(head, ['lock', 'group', 'held', 'holders', 'waiters'])
        self.assertEqual(one, ['host', 'esx1', '2/2', 'win #41, win #42', 'request 7 of win'])

    def test_one_without_a_limit_shows_what_is_held(self):
        _, one = self.cells(lock(group='', max=None, held=3, holders=[], waiters=[]))
        self.assertEqual(one, ['host', '3'])

    def test_of_many_waiters_the_next_ones_are_named(self):
        waiters = [share(f'request {n} of win') for n in range(9)]
        _, one = self.cells(lock(waiters=waiters))
        self.assertIn('request 0 of win, request 1 of win', one[-1])
        self.assertTrue(one[-1].endswith('5 more'))

    def test_holders_of_a_wrong_kind_are_none(self):
        _, one = self.cells(lock(holders=None, waiters=[1]))
        self.assertEqual(one, ['host', 'esx1', '2/2'])

    def test_json_is_what_the_api_says(self):
        self.has('locks', 'balancer_locks', [lock()])
        self.assertEqual(json.loads(self.run_ok('locks', '--json')), [lock()])

    def test_none_is_said(self):
        self.has('locks', 'balancer_locks', [])
        self.assertEqual(self.run_ok('locks'), 'The master has no locks.\n')
