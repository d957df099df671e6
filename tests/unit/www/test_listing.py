# SPDX-License-Identifier: GPL-2.0-or-later
"""Buildbot's filters, order, limit and fields on sights."""

from __future__ import annotations

from unittest import mock

from buildbot.data.exceptions import InvalidQueryParameter
from parameterized import parameterized
from support.facades import Api
from support.facades import lock_sight
from support.facades import worker_sight
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.www import listing


class Workers(SynchronousTestCase):
    def setUp(self):
        self.api = Api()
        self.api.facade.sight.all_workers = [
            worker_sight(1, name='ada', mood='offline', load=0.5, running=2),
            worker_sight(2, name='bob', mood='eager', load=None, fresh=False),
            worker_sight(3, name='cyd', mood='offline', load=1.5, reason='moving <b>house</b>'),
            worker_sight(4, name='dan', mood='reluctant', load=0.5, running=1),
        ]

    def ask(self, query):
        return self.successResultOf(self.api.get('workers', query))

    def names(self, query):
        return [one['name'] for one in self.ask(query)]

    def sentence(self, query):
        return str(
            self.failureResultOf(self.api.get('workers', query), InvalidQueryParameter).value
        )

    def test_without_a_query_all_come_as_they_are(self):
        found = self.ask('')
        self.assertEqual([one['name'] for one in found], ['ada', 'bob', 'cyd', 'dan'])
        self.assertEqual(found.total, 4)
        self.assertEqual(found[0]['load'], 0.5)
        self.assertEqual(found[0]['running'], 2)

    @parameterized.expand(
        [
            ('mood=offline', ['ada', 'cyd']),
            ('mood=offline&mood=eager', ['ada', 'bob', 'cyd']),
            ('mood__ne=offline', ['bob', 'dan']),
            ('mood__notin=offline&mood__notin=eager', ['dan']),
            ('mood__contains=lin', ['ada', 'cyd']),
            ('load__lt=1', ['ada', 'dan']),
            ('load__gt=0.5', ['cyd']),
            ('load__ge=0.5&running__ge=1', ['ada', 'dan']),
            ('load=0.5', ['ada', 'dan']),
            ('fresh=false', ['bob']),
            ('reason__contains=%3Cb%3E', ['cyd']),
            ('workerid=2&workerid=3', ['bob', 'cyd']),
            ('name=nobody', []),
            ('order=-name', ['dan', 'cyd', 'bob', 'ada']),
            ('order=load', ['bob', 'ada', 'dan', 'cyd']),
            ('order=-load', ['cyd', 'ada', 'dan', 'bob']),
            ('order=-load&order=-name', ['cyd', 'dan', 'ada', 'bob']),
            ('order=mood&order=-running', ['bob', 'ada', 'cyd', 'dan']),
            ('limit=2', ['ada', 'bob']),
            ('offset=3', ['dan']),
            ('limit=2&offset=1', ['bob', 'cyd']),
            ('limit=2&offset=9', []),
            ('limit=0', []),
            ('mood=offline&order=-load&limit=1', ['cyd']),
            ('mood=offline&order=-load&limit=1&offset=1', ['ada']),
        ]
    )
    def test_a_query_is_answered_as_buildbot_would(self, query, names):
        self.assertEqual(self.names(query), names)

    @parameterized.expand(
        [
            ('limit=1', 4),
            ('limit=0', 4),
            ('mood=offline&limit=1', 2),
            ('mood=offline&limit=1&offset=5', 2),
            ('name=nobody', 0),
        ]
    )
    def test_the_total_counts_what_the_filters_let_through(self, query, total):
        self.assertEqual(self.ask(query).total, total)

    def test_only_the_fields_that_were_asked_for_are_sent(self):
        found = self.ask('field=name&field=load&order=-load&limit=1')
        self.assertEqual(list(found), [{'name': 'cyd', 'load': 1.5}])
        self.assertEqual(found.total, 4)

    def test_rows_that_are_not_sent_are_not_made(self):
        with mock.patch.object(listing, 'to_json', wraps=listing.to_json) as made:
            self.ask('mood__ne=eager&order=load&limit=1')
        self.assertEqual(made.call_count, 1)

    @parameterized.expand(
        [
            ('limit=-1', '"limit" must not be negative'),
            ('offset=-1', '"offset" must not be negative'),
            ('load=nan', 'invalid filter value for load'),
            ('load=much', 'invalid filter value for load'),
            ('running__contains=1', '"contains" does not fit the field "running"'),
            ('nope=1', "unrecognized query parameter 'nope'"),
        ]
    )
    def test_a_query_that_makes_no_sense_is_one_sentence(self, query, sentence):
        self.assertEqual(self.sentence(query), sentence)


class Lists(SynchronousTestCase):
    def setUp(self):
        self.api = Api()

    def test_a_list_of_objects_has_no_order(self):
        self.api.facade.sight.all_locks = [lock_sight('a'), lock_sight('b', held=0, holders=())]
        failed = self.failureResultOf(self.api.get('locks', 'order=holders'), InvalidQueryParameter)
        self.assertEqual(str(failed.value), 'the field "holders" has no order')

    def test_nor_can_it_be_compared(self):
        failed = self.failureResultOf(self.api.get('locks', 'holders=x'), InvalidQueryParameter)
        self.assertEqual(str(failed.value), 'invalid filter value for holders')
