# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.distribution.patience import patience


class Waiting(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()

    def test_what_is_there_already_is_not_waited_for(self):
        self.successResultOf(patience(self.clock, defer.succeed(1), 5))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_is_over_when_the_thing_comes(self):
        thing = defer.Deferred()
        over = patience(self.clock, thing, 5)
        self.assertNoResult(over)
        thing.callback('result')
        self.successResultOf(over)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.successResultOf(thing), 'result')

    def test_it_is_over_when_the_time_is_up_and_the_thing_goes_on(self):
        thing = defer.Deferred()
        over = patience(self.clock, thing, 5)
        self.clock.advance(4.9)
        self.assertNoResult(over)
        self.clock.advance(0.2)
        self.successResultOf(over)
        thing.callback('late')
        self.assertEqual(self.successResultOf(thing), 'late')

    def test_a_failure_is_its_owners(self):
        thing = defer.Deferred()
        over = patience(self.clock, thing, 5)
        thing.errback(KeyError())
        self.successResultOf(over)
        self.failureResultOf(thing, KeyError)
