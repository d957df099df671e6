# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace

from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cluster.hearing import Hearing

KEY = ('balancer', 'said', 'changed')


class Mq:
    def __init__(self):
        self.consumers = []
        self.produced = []

    def startConsuming(self, callback, key):
        self.consumers.append((callback, key))
        return defer.succeed(SimpleNamespace(stopConsuming=self.consumers.clear))

    def produce(self, key, message):
        self.produced.append((key, message))

    def deliver(self, message):
        for callback, _ in list(self.consumers):
            callback(KEY, message)


class Case(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.mq = Mq()
        self.chance = 0.5
        self.acts = []
        self.slow = None
        self.hearing = Hearing(
            SimpleNamespace(mq=self.mq, masterid=1),
            self.clock,
            KEY,
            self.act,
            lambda: 5.0,
            lambda: self.chance,
        )
        self.do(self.hearing.start())

    async def act(self):
        self.acts.append(self.clock.seconds())
        if self.slow is not None:
            await self.slow

    def do(self, awaitable):
        return self.successResultOf(defer.ensureDeferred(awaitable))


class Messages(Case):
    def test_what_another_master_says_is_acted_on_at_once(self):
        self.mq.deliver({'masterid': 2})
        self.assertEqual(self.acts, [0.0])

    def test_what_this_master_says_itself_is_not(self):
        self.hearing.say()
        self.assertEqual(self.mq.produced, [(KEY, {'masterid': 1})])
        self.mq.deliver({'masterid': 1})
        self.assertEqual(self.acts, [])

    def test_a_message_that_cannot_be_read_is_one(self):
        self.mq.deliver(None)
        self.assertEqual(len(self.acts), 1)

    def test_messages_while_it_acts_make_it_act_once_more(self):
        self.slow = defer.Deferred()
        for _ in range(3):
            self.mq.deliver({'masterid': 2})
        self.assertEqual(len(self.acts), 1)
        slow, self.slow = self.slow, None
        slow.callback(None)
        self.assertEqual(len(self.acts), 2)


class Beats(Case):
    def test_it_acts_without_a_message_too(self):
        self.clock.pump([1.0] * 11)
        self.assertEqual(self.acts, [5.0, 10.0])

    def test_masters_that_start_together_do_not_act_together(self):
        for chance, at in ((0.0, 3.75), (1.0, 6.25)):
            self.chance, before = chance, self.clock.seconds()
            self.hearing.look()
            self.acts.clear()
            self.clock.pump([0.25] * 30)
            self.assertEqual(self.acts[0] - before, at)

    def test_one_that_fails_is_logged_and_there_is_another(self):
        async def fails():
            raise ValueError

        act, self.hearing._act = self.hearing._act, fails
        self.hearing.look()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.hearing._act = act
        self.clock.advance(5.0)
        self.assertEqual(len(self.acts), 1)

    def test_when_it_has_stopped_nothing_goes_on_or_begins(self):
        self.slow = defer.Deferred()
        self.hearing.look()
        stopped = defer.ensureDeferred(self.hearing.stop())
        self.mq.deliver({'masterid': 2})
        self.assertNoResult(stopped)
        self.slow.callback(None)
        self.successResultOf(stopped)
        self.hearing.look()
        self.clock.advance(60)
        self.assertEqual((len(self.acts), self.clock.getDelayedCalls()), (1, []))
