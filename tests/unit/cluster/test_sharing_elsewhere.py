# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cluster.elsewhere import FRESH
from buildbot_balancer.cluster.elsewhere import Elsewhere
from buildbot_balancer.cluster.freed import Freed
from buildbot_balancer.cluster.picture import Share
from buildbot_balancer.cluster.picture import SharedLock
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.errors import BalancerError

KEY = LockKey('host', 'esx1')


def share(owner: str, incarnation: str = 'theirs', **more: Any) -> Share:
    return Share(
        master='m2',
        masterid=2,
        incarnation=incarnation,
        owner=owner,
        mode='counting',
        count=1,
        seconds=5.0,
        **more,
    )


class AStore:
    def __init__(self) -> None:
        self.locks: list[SharedLock] = []
        self.asked = 0
        self.answer: defer.Deferred[Any] | None = None

    async def picture(self) -> list[SharedLock]:
        self.asked += 1
        if self.answer is not None:
            await self.answer
        return self.locks


class Looking(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.store, self.told = Clock(), AStore(), []
        self.clock.advance(1000)
        self.elsewhere = Elsewhere(self.clock, self.store, lambda: 'ours', self.told.append)

    def what(self) -> list[str]:
        return [one.what for one in self.elsewhere.of(KEY).holders]

    def test_who_holds_is_named_with_its_master(self) -> None:
        owners = ['build:7', 'build:7:step:9', 'request:3#2', 'odd']
        self.store.locks = [SharedLock(KEY, tuple(share(one) for one in owners))]
        self.assertEqual(
            self.what(),
            ['build 7 on m2', 'a step of build 7 on m2', 'request 3 on m2', 'odd on m2'],
        )
        first = self.elsewhere.of(KEY).holders[0]
        self.assertEqual((first.buildid, first.since), (7, 995.0))

    def test_what_this_master_has_is_not_among_it(self) -> None:
        self.store.locks = [SharedLock(KEY, (share('build:7', 'ours'),), (share('request:1'),))]
        self.assertEqual(self.what(), [])
        self.assertEqual(len(self.elsewhere.of(KEY).waiters), 1)

    def test_many_looks_are_one_question(self) -> None:
        for _ in range(5):
            self.what()
        self.assertEqual(self.store.asked, 1)
        self.clock.advance(FRESH)
        self.what()
        self.assertEqual(self.store.asked, 2)

    def test_nobody_is_asked_again_before_there_is_an_answer(self) -> None:
        self.store.answer = defer.Deferred()
        self.what()
        self.clock.advance(10 * FRESH)
        self.what()
        self.assertEqual(self.store.asked, 1)
        self.store.answer.callback(None)
        self.what()
        self.assertEqual(self.store.asked, 2)

    def test_a_change_is_told_once(self) -> None:
        self.store.locks = [SharedLock(KEY, (share('build:7'),))]
        self.what()
        self.clock.advance(FRESH)
        self.what()
        self.assertEqual(self.told, [KEY])
        self.store.locks = []
        self.clock.advance(FRESH)
        self.what()
        self.assertEqual(self.told, [KEY, KEY])

    def test_a_database_that_fails_leaves_what_was_known(self) -> None:
        self.store.locks = [SharedLock(KEY, (share('build:7'),))]
        self.what()
        self.store.answer = defer.fail(BalancerError('no'))
        self.clock.advance(FRESH)
        self.assertEqual(self.what(), ['build 7 on m2'])


class AQueue:
    def __init__(self) -> None:
        self.said: list[Any] = []
        self.consumers: list[Any] = []
        self.broken = False

    def produce(self, key: Any, message: Any) -> None:
        if self.broken:
            raise RuntimeError('no router')
        self.said.append((key, message))

    async def startConsuming(self, call: Any, topic: Any) -> Any:
        self.consumers.append((call, topic))
        return self

    def stopConsuming(self) -> None:
        self.consumers.clear()


class Telling(SynchronousTestCase):
    def setUp(self) -> None:
        self.mq, self.opened = AQueue(), []
        self.freed = self.make('me')
        self.successResultOf(defer.ensureDeferred(self.freed.start()))

    def make(self, speaker: str) -> Freed:
        master: Any = type('AMaster', (), {'mq': self.mq})
        return Freed(master, speaker, self.opened.append)

    def test_this_master_hears_at_once_and_the_others_by_message(self) -> None:
        self.freed.say([KEY])
        self.assertEqual(self.opened, [KEY])
        ((key, message),) = self.mq.said
        self.assertEqual(key, ('balancer', 'shared', str(KEY.id), 'freed'))
        ((heard, topic),) = self.mq.consumers
        self.assertEqual(topic, ('balancer', 'shared', None, 'freed'))
        heard(key, message)
        self.assertEqual(self.opened, [KEY])  # its own came back
        heard(key, {**message, 'speaker': 'other'})
        self.assertEqual(self.opened, [KEY, KEY])

    def test_a_queue_that_is_down_is_logged_and_no_more(self) -> None:
        self.mq.broken = True
        self.freed.say([KEY])
        self.assertEqual(self.opened, [KEY])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_nobody_listens_after_the_end(self) -> None:
        self.successResultOf(defer.ensureDeferred(self.freed.stop()))
        self.assertEqual(self.mq.consumers, [])
