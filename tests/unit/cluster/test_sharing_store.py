# SPDX-License-Identifier: GPL-2.0-or-later
"""Two masters on one real SQLite file, each with its own connection."""

from __future__ import annotations

from random import Random
from typing import Any

from support.databases import OnSqlite
from support.databases import Pool
from support.databases import master_with
from support.shared_model import ALease
from support.shared_site import ALONE
from support.shared_site import SharedSite
from support.shared_site import units
from twisted.internet import defer
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cluster.sharing import Sharing
from buildbot_balancer.cluster.store import Store
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.master.database import Database


class CountingStore(Store):
    master: Any

    async def take(self, *args: Any, **kwargs: Any) -> Any:
        self.master.takes += 1
        return await super().take(*args, **kwargs)


class AMaster(SharedSite):
    """`pool.slow` lets what is asked wait for `pool.answer`."""

    def __init__(self, engine: Any, name: str, masterid: int) -> None:
        super().__init__()
        self.pool = Pool(engine)
        database = Database(master_with(self.pool))
        database.problem = ''
        self.others: list[AMaster] = []
        self.takes = 0
        self.real = CountingStore(database, self.clock, lambda: 0.5, self.tell)
        self.real.master = self
        self.sharing = Sharing(self.clock, self.real, Random(masterid))
        self.lease = ALease(self.store)
        self.sharing.lease = self.lease
        beginning = defer.ensureDeferred(self.real.begin(name, masterid, 30.0))
        beginning.addCallback(lambda made: setattr(self.lease, 'incarnation', made))

    def tell(self, keys: Any) -> None:
        for one in [self, *self.others]:
            one.say_freed([LockKey(*key) for key in keys])


class TwoMasters(OnSqlite, SynchronousTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.make_tables()
        self.masters = [AMaster(self.make_engine(), f'm{number}', number) for number in range(1, 3)]
        for one in reversed(self.masters):
            self.addCleanup(one.close)
        self.one, self.other = self.masters
        self.one.others, self.other.others = [self.other], [self.one]

    def turns(self) -> None:
        for _ in range(4):
            for one in self.masters:
                one.turn()

    def held(self) -> int:
        found: list[Any] = []
        defer.ensureDeferred(self.one.real.picture()).addCallback(found.extend)
        return sum(len(lock.holders) for lock in found)

    def test_of_two_that_ask_at_once_one_has_it_and_the_other_after_it(self) -> None:
        for one in self.masters:
            one.pool.slow = True
        steps = [one.step(('a', ALONE)) for one in self.masters]
        self.turns()
        self.assertEqual([len(one.pool.waiting) for one in self.masters], [1, 1])
        for one in self.masters:
            one.pool.slow = False
            one.pool.answer()
        self.turns()
        self.assertEqual([step.has for step in steps], [True, False])
        steps[0].release()
        self.turns()
        self.assertTrue(steps[1].has)
        self.assertEqual(self.held(), 1)
        steps[1].release()
        self.turns()
        self.assertEqual(self.held(), 0)
        self.assertTrue(all(one.sharing.quiet for one in self.masters))

    def test_a_request_that_both_would_start_is_held_by_one(self) -> None:
        requests = [one.request(7, ('a', units())) for one in self.masters]
        self.turns()
        free = [one.is_free_for(its) for one, its in zip(self.masters, requests)]
        self.assertEqual(sorted(free), [False, True])
        self.assertEqual(self.held(), 1)
        for one, request in zip(self.masters, requests):
            one.leave(request)
        self.turns()
        self.assertEqual(self.held(), 0)

    def test_all_or_none_over_both(self) -> None:
        first = self.one.step(('a', ALONE), ('b', ALONE))
        self.turns()
        second = self.other.step(('b', ALONE), ('a', ALONE))
        self.turns()
        third = self.one.step(('b', ALONE))
        self.turns()
        self.assertEqual([first.has, second.has, third.has], [True, False, False])
        first.release()
        self.turns()
        self.assertEqual([second.has, third.has], [True, False])
        second.release()
        self.turns()
        self.assertTrue(third.has)
        third.release()
        self.turns()
        self.assertEqual(self.held(), 0)

    def test_a_release_costs_each_master_one_query_and_the_winner_one_more(self) -> None:
        first = self.one.step(('a', ALONE))
        self.turns()
        steps = [one.step(('a', ALONE)) for one in self.masters for _ in range(3)]
        self.turns()
        before = [one.takes for one in self.masters]
        first.release()
        self.turns()
        self.assertEqual(sum(step.has for step in steps), 1)
        more = [one.takes - count for one, count in zip(self.masters, before)]
        self.assertEqual(sorted(more), [1, 2])
