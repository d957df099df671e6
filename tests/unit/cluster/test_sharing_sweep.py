# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace
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
from buildbot_balancer.errors import BalancerError


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
        self.stray = [SimpleNamespace(owner='build:9', lock=SimpleNamespace(name='a'))]
        self.living: list[set[str]] = []
        self.answer: Any = None
        self.site.store.sweep = self.swept  # type: ignore[attr-defined]
        self.sweep = Sweep(self.site.clock, self.site.store, self.site.sharing)  # type: ignore[arg-type]
        self.lines = LogLines(self)

    async def swept(self, incarnation: str, living: Any) -> Any:
        self.living.append(set(living))
        if self.answer is not None:
            await self.answer
        return self.stray

    def once(self) -> Any:
        return defer.ensureDeferred(self.sweep.once())

    def test_strays_are_said_and_who_lives_is_spared(self) -> None:
        self.site.request(1, ('a', units()))
        self.site.settle()
        self.successResultOf(self.once())
        self.assertEqual(self.living, [{'request:1'}])
        self.assertIn('build:9 is no more', ' '.join(self.lines.ours()))

    def test_nothing_is_taken_while_it_goes_on(self) -> None:
        self.answer = defer.Deferred()
        sweeping = self.once()
        request = self.site.request(1, ('a', units()))
        self.site.turn(5.0)
        self.assertEqual(self.site.store.asked, [])
        self.answer.callback(None)
        self.successResultOf(sweeping)
        self.site.settle()
        self.assertTrue(self.site.is_free_for(request))

    def test_a_database_that_fails_stops_nothing(self) -> None:
        self.answer = defer.fail(BalancerError('no'))
        self.successResultOf(self.once())
        request = self.site.request(1, ('a', units()))
        self.site.settle()
        self.assertTrue(self.site.is_free_for(request))

    def test_a_build_that_is_over_and_never_let_go_loses_its_units(self) -> None:
        build = ABuild(self.site.pairs(('a', units())))
        build.acquire()
        self.site.settle()
        for _ in range(2):
            self.successResultOf(self.once())
        self.assertEqual(len(self.site.store.units), 1)
        build.finished = True
        self.successResultOf(self.once())
        self.site.settle()
        self.assertEqual(len(self.site.store.units), 1)  # it may be about to let go
        self.successResultOf(self.once())
        self.site.settle()
        self.assertEqual(self.site.store.units, [])
        self.assertIn('build:23 is over', ' '.join(self.lines.ours()))
        build.release()

    def test_it_comes_again_and_again_until_it_is_stopped(self) -> None:
        self.sweep.start()
        for _ in range(2):
            self.site.clock.advance(EVERY)
        self.assertEqual(len(self.living), 2)
        self.sweep.stop()
        self.site.clock.advance(EVERY)
        self.assertEqual(len(self.living), 2)
