# SPDX-License-Identifier: GPL-2.0-or-later
"""Who listens."""

from __future__ import annotations

from types import SimpleNamespace

from buildbot.mq.simple import SimpleMQ
from parameterized import parameterized
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.www.audience import Audience
from buildbot_balancer.www.audience import audience_of
from buildbot_balancer.www.audience import keys


class Listening(SynchronousTestCase):
    def audience(self, *patterns, plural='balancer_workers'):
        mq = SimpleMQ()
        for pattern in patterns:
            self.successResultOf(mq.startConsuming(lambda key, message: None, pattern))
        return audience_of(mq, plural)

    def test_nobody(self):
        self.assertTrue(self.audience().is_empty)

    @parameterized.expand(
        [
            (('balancer_workers', None, None),),
            (('balancer_workers', None, 'updated'),),
            ((None, None, None),),
            (('balancer', 'workers', None, None),),
            (('balancer', None, None, 'updated'),),
            ((None, None, None, None),),
        ]
    )
    def test_to_all(self, pattern):
        self.assertEqual(self.audience(pattern), Audience(to_all=True))

    @parameterized.expand(
        [
            (('balancer_workers', '7', None),),
            (('balancer', 'workers', '7', 'updated'),),
            ((None, '7', None),),
        ]
    )
    def test_to_one(self, pattern):
        self.assertEqual(self.audience(pattern), Audience(to_all=False, ids=frozenset({'7'})))

    @parameterized.expand(
        [
            (('workers', None, None),),
            (('balancer_locks', None, None),),
            (('balancer', 'locks', None, None),),
            (('balancer_workers', None, 'gone'),),
            (('balancer_workers', None),),
            (('balancer_workers', None, None, None),),
            (('workers', None, None, None),),
            (('balancer', 'workers', None, 'gone'),),
            (('balancer', None, None),),
        ]
    )
    def test_to_something_else(self, pattern):
        self.assertTrue(self.audience(pattern).is_empty)

    def test_some_to_all_and_some_to_one(self):
        found = self.audience(('balancer_workers', None, None), ('balancer_workers', '7', None))
        self.assertEqual(found, Audience(to_all=True, ids=frozenset({'7'})))

    def test_who_stops_listening_is_no_audience(self):
        mq = SimpleMQ()
        pattern = ('balancer_workers', None, None)
        subscription = self.successResultOf(mq.startConsuming(lambda key, message: None, pattern))
        subscription.stopConsuming()
        self.assertTrue(audience_of(mq, 'balancer_workers').is_empty)

    def test_behind_buildbots_connector_too(self):
        self.assertTrue(audience_of(SimpleNamespace(impl=SimpleMQ()), 'balancer_workers').is_empty)

    def test_where_it_cannot_be_known_somebody_listens(self):
        self.assertEqual(audience_of(SimpleNamespace(), 'balancer_workers'), Audience(to_all=True))


class Keys(SynchronousTestCase):
    def test_three_for_the_page_and_four_in_buildbots_style(self):
        self.assertEqual(
            keys('balancer_workers', '7'),
            (('balancer_workers', '7', 'updated'), ('balancer', 'workers', '7', 'updated')),
        )
