# SPDX-License-Identifier: GPL-2.0-or-later
"""The requests that wait, page by page."""

from __future__ import annotations

from parameterized import parameterized
from support.facades import Api
from support.facades import request_sight
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.explain.sights import BuilderSight


class Requests(SynchronousTestCase):
    def setUp(self):
        self.api = Api()
        self.sight = self.api.facade.sight
        self.sight.all_requests = [request_sight(number) for number in range(1, 101)]
        self.sight.all_builders = [
            BuilderSight(builderid=1, name='b1'),
            BuilderSight(builderid=2, name='b2'),
        ]

    def ask(self, query='', path='requests'):
        return self.successResultOf(self.api.get(path, query))

    def ids(self, query='', path='requests'):
        return [one['buildrequestid'] for one in self.ask(query, path)]

    def test_a_page_is_all_that_is_asked_for(self):
        found = self.ask('limit=3&offset=50')
        self.assertEqual([one['buildrequestid'] for one in found], [51, 52, 53])
        self.assertEqual(found.total, 100)
        self.assertEqual(self.sight.asked, [('requests', 50, 3, None)])

    @parameterized.expand(
        [('order=position',), ('field=reason',), ('order=position&field=position',)]
    )
    def test_so_is_one_in_the_order_as_it_is_or_with_few_fields(self, query):
        found = self.ask(f'{query}&limit=3')
        self.assertEqual(found.total, 100)
        self.assertEqual(self.sight.asked, [('requests', 0, 3, None)])

    def test_the_number_alone_can_be_asked_for(self):
        found = self.ask('limit=0')
        self.assertEqual((list(found), found.total), ([], 100))
        self.assertEqual(self.sight.asked, [('requests', 0, 0, None)])

    def test_only_the_fields_that_were_asked_for_are_sent(self):
        found = self.ask('field=reason&field=position&limit=1')
        self.assertEqual(list(found), [{'reason': '0 of 2 workers: 2 busy', 'position': 1}])

    def test_verdicts_are_lists_of_objects(self):
        (found,) = self.ask('limit=1')
        self.assertEqual(found['verdicts'], [{'code': 'busy', 'count': 2, 'names': ['w1', 'w2']}])

    @parameterized.expand(
        [
            ('priority=2&limit=2', [2, 5], 33),
            ('order=-priority&order=-position&limit=2', [98, 95], 100),
            ('position__le=3', [1, 2, 3], 3),
            ('builderid=2&order=-position&limit=2', [99, 97], 50),
            ('builderid=2&builderid=1&limit=1', [1], 100),
            ('builderid__ne=2&limit=2', [2, 4], 50),
        ]
    )
    def test_filters_and_orders_count_all(self, query, ids, total):
        found = self.ask(query)
        self.assertEqual([one['buildrequestid'] for one in found], ids)
        self.assertEqual(found.total, total)

    def test_a_filter_for_one_builder_costs_no_more_than_its_page(self):
        found = self.ask('builderid=2&limit=2&offset=2')
        self.assertEqual([one['buildrequestid'] for one in found], [5, 7])
        self.assertEqual(found.total, 50)
        self.assertEqual(self.sight.asked, [('requests', 2, 2, 2)])

    @parameterized.expand([('builders/2/requests',), ('builders/b2/requests',)])
    def test_a_builder_has_its_own(self, path):
        self.assertEqual(self.ids('limit=2', path), [1, 3])
        self.assertEqual(self.ids('limit=2&builderid=1', path), [])

    def test_one_that_waits_no_more_is_still_shown(self):
        self.sight.others[500] = request_sight(500, position=None, state='running')
        self.assertEqual(self.successResultOf(self.api.get('requests/500'))['state'], 'running')
        self.assertEqual(self.successResultOf(self.api.get('requests/5'))['position'], 5)
