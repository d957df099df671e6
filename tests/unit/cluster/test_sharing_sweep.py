# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from buildbot.process.build import Build
from support.logs import LogLines
from support.shared_model import Step
from support.shared_site import SharedSite
from support.shared_site import units
from twisted.internet import defer
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cluster.sweep import EVERY
from buildbot_balancer.cluster.sweep import Sweep
from buildbot_balancer.cluster.want import LockKey


class ABuild(Step, Build):
    """One whose locks are taken as Buildbot does it, and nothing else."""

    finished = False
    buildid = 23

    def setProperty(self, *_: Any, **__: Any) -> None:
        pass


class Sweeping(SynchronousTestCase):
    def setUp(self) -> None:
        self.site = SharedSite()
        self.addCleanup(self.site.close)
        self.site.begin_lease()
        self.sweep = Sweep(self.site.clock, self.site.store, self.site.sharing)  # type: ignore[arg-type]
        self.lines = LogLines(self)

    def once(self) -> Any:
        return defer.ensureDeferred(self.sweep.once())

    def whole(self) -> None:
        sweeping = self.once()
        self.site.settle()
        self.successResultOf(sweeping)

    def owners(self) -> list[str]:
        return [one.owner for one in self.site.store.units]

    def test_strays_are_given_back_and_said_and_who_lives_is_spared(self) -> None:
        self.site.request(1, ('a', units()))
        self.site.settle()
        self.site.store.add_stray(str(self.site.lease.incarnation), 'build:9', LockKey('b'))
        self.whole()
        self.assertEqual(self.owners(), ['request:1'])
        self.assertIn('build:9: no more there', ' '.join(self.lines.ours()))

    def test_a_build_that_starts_meanwhile_keeps_its_units(self) -> None:
        for first in (0, 1):  # what the database is asked, or its new name
            request = self.site.request(1, ('a', units()))
            self.site.settle()
            sweeping = self.once()
            build = Step(request.pairs)
            for door, access in request.pairs:
                self.assertTrue(door.reserve(request, access))
                door.hand_over(request, build, access)
            build.acquire()
            self.site.turn()
            asked = [one.what for one in self.site.store.asked]
            self.assertEqual(asked, ['owners', 'hand_over'])
            self.site.store.answer(first)
            self.site.settle()
            self.successResultOf(sweeping)
            self.assertEqual(self.owners(), ['other:Step'])
            build.release()
            self.site.settle()

    def test_nothing_is_taken_while_it_goes_on(self) -> None:
        sweeping = self.once()
        request = self.site.request(1, ('a', units()))
        self.site.turn(5.0)
        self.assertEqual([one.what for one in self.site.store.asked], ['owners'])
        self.site.settle()
        self.successResultOf(sweeping)
        self.assertTrue(self.site.is_free_for(request))

    def test_a_database_that_fails_stops_nothing(self) -> None:
        sweeping = self.once()
        self.site.store.answer(how='failed')
        self.successResultOf(sweeping)
        request = self.site.request(1, ('a', units()))
        self.site.settle()
        self.assertTrue(self.site.is_free_for(request))

    def test_a_build_that_is_over_and_never_let_go_loses_its_units(self) -> None:
        build = ABuild(self.site.pairs(('a', units())))
        build.acquire()
        self.site.settle()
        for _ in range(2):
            self.whole()
        self.assertEqual(len(self.site.store.units), 1)
        build.finished = True
        self.whole()
        self.assertEqual(len(self.site.store.units), 1)  # it may be about to let go
        self.whole()
        self.assertEqual(self.site.store.units, [])
        self.assertIn('build:23 is over', ' '.join(self.lines.ours()))
        build.release()

    def test_it_comes_again_and_again_until_it_is_stopped(self) -> None:
        self.sweep.start()
        for _ in range(2):
            self.site.clock.advance(EVERY)
            self.assertEqual([one.what for one in self.site.store.asked], ['owners'])
            self.site.settle()
        self.sweep.stop()
        self.site.clock.advance(EVERY)
        self.assertEqual(self.site.store.asked, [])
