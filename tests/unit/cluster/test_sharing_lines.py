# SPDX-License-Identifier: GPL-2.0-or-later
"""A request that needs a lock of this master alone and one that all masters share."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from buildbot.locks import LockAccess
from support.shared_model import OTHER
from support.shared_model import OneDoor
from support.shared_model import Pending
from support.shared_site import LOCK
from support.shared_site import SharedSite
from support.shared_site import units
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cluster.want import Want
from buildbot_balancer.locks.semaphore import Semaphore
from buildbot_balancer.master.locks.lines import Lines
from buildbot_balancer.master.locks.locks import Wanted
from buildbot_balancer.master.locks.reservations import Reservations


class OwnDoor(OneDoor):
    shared = False


class BothKinds(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = SharedSite()
        self.addCleanup(self.site.close)
        self.site.begin_lease()
        self.own = Semaphore('own')
        self.access = LockAccess(LOCK, 'counting')
        self.own_pair = (OwnDoor(self.own), self.access)  # type: ignore[arg-type]
        self.shared_pair = (self.site.doors['a'], self.access)
        self.lines = Lines(self.site.clock)
        self.request = Pending(1, [self.own_pair, self.shared_pair])
        self.holder = object()

    def look(self) -> list[Any]:
        """As the distributor does; what is missing."""
        wanted = Wanted(self.request, on={'w': self.request.pairs})
        missing = wanted.missing('w')
        shared = [wanted.shared('w')] if missing == [self.shared_pair] else []
        self.lines.wait(self.request, 'b', missing[:1], shared)
        return missing

    def its_turn_at_the_own_one(self) -> None:
        self.own.claim(self.holder, self.access)
        self.look()
        self.own.release(self.holder, self.access)
        self.assertTrue(self.own.is_offered(self.request))

    def test_the_own_one_comes_first_and_nothing_is_asked_for_meanwhile(self) -> None:
        self.request.pairs.reverse()
        self.own.claim(self.holder, self.access)
        self.assertEqual(self.look(), [self.own_pair, self.shared_pair])
        self.site.turn()
        self.assertEqual(self.site.store.asked, [])

    def test_the_own_one_is_kept_while_the_database_is_asked(self) -> None:
        self.its_turn_at_the_own_one()
        self.assertEqual(self.look(), [self.shared_pair])
        self.site.turn()
        self.assertFalse(self.own.isAvailable(self.holder, self.access))
        self.site.settle()
        self.assertEqual(self.look(), [])
        self.lines.leave(1)

    def test_the_own_one_is_others_when_the_database_refuses(self) -> None:
        self.site.store.other_takes('x', Want('a'))
        self.its_turn_at_the_own_one()
        self.look()
        self.site.settle()
        self.assertTrue(self.own.isAvailable(self.holder, self.access))
        self.assertEqual(len(self.site.store.waiting), 1)
        self.lines.stop()

    def test_what_was_granted_goes_back_when_something_else_is_in_the_way(self) -> None:
        self.look()
        self.site.settle()
        self.own.claim(self.holder, self.access)
        self.assertEqual(self.look(), [self.own_pair])
        self.site.settle()
        self.assertEqual(self.site.store.units, [])
        self.assertTrue(self.site.store.other_takes('x', Want('a')))
        self.assertEqual([one.incarnation for one in self.site.store.units], [OTHER])
        self.lines.stop()

    def test_one_that_leaves_while_the_database_is_asked_gets_nothing(self) -> None:
        self.look()
        self.site.turn()
        self.lines.leave(1)
        self.site.settle()
        self.assertEqual(self.site.store.units, [])
        self.assertTrue(self.site.sharing.quiet)

    def test_either_group_will_do(self) -> None:
        pairs = [[(self.site.doors[name], units())] for name in ('a', 'b')]
        self.site.store.other_takes('x', Want('a'))
        self.lines.wait(self.request, 'b', [one[0] for one in pairs], pairs)
        self.site.settle()
        self.assertFalse(self.site.doors['a'].isAvailable(self.request, units()))
        self.assertTrue(self.site.doors['b'].isAvailable(self.request, units()))
        self.assertTrue(self.site.doors['b'].reserve(self.request, units()))
        self.lines.leave(1)
        self.site.settle()
        self.assertEqual(self.site.store.waiting, {})
        self.assertEqual(len(self.site.store.units), 2)


class TheLastLook(SynchronousTestCase):
    """In the turn in which Buildbot is told to start."""

    def setUp(self) -> None:
        self.site = SharedSite()
        self.addCleanup(self.site.close)
        self.site.begin_lease()
        self.request = self.site.request(1, ('a', units()))
        self.site.settle()
        self.worker = SimpleNamespace(locks=[])
        self.reservations = Reservations(self.site.clock, lambda lock: lock, lambda call: call())
        self.addCleanup(self.reservations.stop)
        missing = self.reservations.reserve(self.request, 'b', self.worker, self.request.pairs)
        self.assertEqual(missing, [])

    def begin(self) -> Any:
        return self.reservations.begin('b', self.worker, [self.request])

    def test_what_is_in_hand_starts(self) -> None:
        self.assertIsNotNone(self.begin())

    def test_nothing_starts_when_the_lease_is_not_sure(self) -> None:
        self.site.lease.sure = False
        self.assertIsNone(self.begin())

    def test_nothing_starts_on_what_was_lost(self) -> None:
        self.site.lose_lease()
        self.site.store.other_takes('x', Want('a'))
        self.site.begin_lease()
        self.site.settle()
        self.assertIsNone(self.begin())
