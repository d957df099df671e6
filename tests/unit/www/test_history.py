# SPDX-License-Identifier: GPL-2.0-or-later
"""What has happened, asked for by worker, request or lock."""

from __future__ import annotations

from buildbot.data.exceptions import InvalidPathError
from parameterized import parameterized
from support.facades import Api
from support.facades import lock_sight
from support.facades import request_sight
from support.facades import worker_sight
from twisted.internet import defer
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.explain.event import Event
from buildbot_balancer.www import history

EVENTS = [
    Event(eventid=6, kind='held', at=60.0, lock='a/b', group='', request=7, duration=30.0),
    Event(eventid=5, kind='held', at=50.0, lock='a/b', group='', request=8, duration=90.0),
    Event(eventid=4, kind='waited', at=40.0, lock='c', request=8, duration=5.0),
    Event(eventid=3, kind='mood', at=30.0, worker='w1', mood='offline', reason='<b>', actor='ann'),
    Event(eventid=2, kind='mood', at=20.0, worker='w2', mood='eager'),
    Event(eventid=1, kind='drain', at=10.0, worker='gone', actor='ann'),
]


class Case(SynchronousTestCase):
    def setUp(self):
        self.api = Api()
        self.history = self.api.facade.history
        self.history.events = list(EVENTS)
        sight = self.api.facade.sight
        sight.all_workers = [worker_sight(1), worker_sight(2), worker_sight(3)]
        sight.all_locks = [lock_sight('free')]
        sight.all_requests = [request_sight(9)]
        # Buildbot remembers workers that have left the config
        names = {1: 'w1', 2: 'w2', 3: 'w3', 4: 'gone', 5: 'left'}
        endpoint, _ = self.api.data.getEndpoint(('workers', '1'))
        endpoint.get = lambda spec, kwargs: defer.succeed(
            {'name': names[kwargs['workerid']]} if kwargs['workerid'] in names else None
        )

    def ask(self, path='history', query=''):
        return self.successResultOf(self.api.get(path, query))

    def ids(self, path='history', query=''):
        return [one['eventid'] for one in self.ask(path, query)]

    def sentence(self, path):
        return str(self.failureResultOf(self.api.get(path), InvalidPathError).value)


class OfAll(Case):
    @parameterized.expand(
        [
            ('', [6, 5, 4, 3, 2, 1], 6),
            ('limit=2', [6, 5], 6),
            ('limit=2&offset=4', [2, 1], 6),
            ('limit=2&offset=9', [], 6),
            ('limit=0', [], 6),
            ('kind=mood', [3, 2], 2),
            ('kind=mood&kind=drain&limit=1', [3], 3),
            ('kind__in=mood&kind__in=drain', [3, 2, 1], 3),
            ('kind__ne=mood&limit=1', [6], 4),
            ('worker=w1', [3], 1),
            ('worker=w1&worker=w2', [3, 2], 2),
            ('worker__ne=w1&limit=1', [6], 5),
            ('kind=held&lock=c&order=-duration', [], 0),
            ('lock=a%2Fb', [6, 5], 2),
            ('request=8', [5, 4], 2),
            ('at__ge=40', [6, 5, 4], 3),
            ('at__gt=40&limit=1', [6], 2),
            ('actor=ann&limit=1&offset=1', [1], 2),
            ('mood=offline&worker=w1', [3], 1),
            ('order=at&limit=2', [1, 2], 6),
            ('order=-at&limit=2', [6, 5], 6),
            ('order=-duration&limit=2', [5, 6], 6),
            ('kind=held&order=-duration&limit=1', [5], 2),
            ('kind=held&order=-duration&limit=1&offset=1', [6], 2),
            ('kind=held&order=-duration', [5, 6], 2),
        ]
    )
    def test_a_query_is_answered_as_buildbot_would(self, query, ids, total):
        found = self.ask('history', query)
        self.assertEqual([one['eventid'] for one in found], ids)
        self.assertEqual(found.total, total)

    def test_a_last_page_needs_no_second_query(self):
        self.ask('history', 'limit=4&offset=4')
        self.assertEqual(self.history.asked, [(4, 4)])

    def test_the_longest_are_those_of_the_whole_history(self):
        self.patch(history, 'NEWEST', 1)
        self.assertEqual(self.ids('history', 'kind=held&order=-duration&limit=1'), [5])
        self.assertIn(('longest', 'held', 1), self.history.asked)

    def test_no_more_than_the_newest_are_looked_through(self):
        self.patch(history, 'NEWEST', 3)
        found = self.ask('history', 'actor=ann')
        self.assertEqual(found.total, 0)
        self.assertEqual(self.ask('history').total, 6)  # which the database counts

    def test_without_a_history_it_says_why(self):
        self.history.problem = 'the database user may not create tables'
        self.assertEqual(
            self.sentence('history'), 'there is no history: the database user may not create tables'
        )


class OfOne(Case):
    @parameterized.expand(
        [
            ('workers/1/history', [3]),
            ('workers/w1/history', [3]),
            ('workers/3/history', []),
            ('workers/w3/history', []),
            ('workers/4/history', [1]),
            ('workers/gone/history', [1]),
            ('workers/5/history', []),
            ('requests/8/history', [5, 4]),
            ('requests/9/history', []),
            ('locks/a%2Fb/history', [6, 5]),
            ('locks/free/history', []),
        ]
    )
    def test_only_its_own_events(self, path, ids):
        self.assertEqual(self.ids(path), ids)

    @parameterized.expand(
        [
            ('workers/6/history', 'there is no worker 6'),
            (f'workers/{2**40}/history', f'there is no worker {2**40}'),
            ('workers/nobody/history', 'there is no worker nobody'),
            ('requests/10/history', 'there is no build request 10'),
            (f'requests/{2**40}/history', f'there is no build request {2**40}'),
            ('locks/none/history', 'there is no lock none'),
        ]
    )
    def test_what_nobody_knows_is_one_sentence(self, path, sentence):
        self.assertEqual(self.sentence(path), sentence)

    def test_a_filter_that_fits_nothing_does_not_make_it_unknown(self):
        self.assertEqual(self.ids('workers/w1/history', 'kind=drain'), [])
        self.assertEqual(self.ids('workers/gone/history', 'kind=mood'), [])

    def test_another_worker_cannot_be_asked_for_below_one(self):
        self.assertEqual(self.ids('workers/w1/history', 'worker=w2'), [])
        self.assertEqual(self.ids('workers/w1/history', 'kind=mood&limit=5'), [3])

    def test_a_filter_for_the_lock_below_a_request(self):
        self.assertEqual(self.ids('requests/8/history', 'lock=c'), [4])
