# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace

from support.masterparts import make_master
from support.masterparts import make_workers
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.workers.samples import EVERY
from buildbot_balancer.master.workers.samples import KEPT
from buildbot_balancer.master.workers.samples import Samples


class FakeFleet:
    load: float | None = 0.5
    running = 2

    def standing(self, worker):
        return SimpleNamespace(load=self.load, presence=SimpleNamespace(running=self.running))


class SamplesCase(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.fleet = FakeFleet()
        self.workers = make_workers('w1', 'w2')
        self.samples = Samples(make_master(self.workers), self.clock, self.fleet)
        self.samples.start()
        self.addCleanup(self.samples.stop)

    def test_one_is_taken_at_the_start_and_then_one_a_minute(self):
        self.clock.pump([EVERY, EVERY / 2])
        found = [(one.at, one.load, one.running) for one in self.samples.of('w1')]
        self.assertEqual(found, [(0.0, 0.5, 2), (EVERY, 0.5, 2)])

    def test_an_unknown_load_is_none(self):
        self.fleet.load = None
        self.clock.advance(EVERY)
        self.assertEqual([one.load for one in self.samples.of('w1')], [0.5, None])

    def test_the_last_hour_is_kept_and_no_more(self):
        self.clock.pump([EVERY] * (KEPT + 5))
        ats = [one.at for one in self.samples.of('w2')]
        self.assertEqual(ats, [n * EVERY for n in range(6, KEPT + 6)])

    def test_a_worker_that_leaves_the_config_is_forgotten(self):
        del self.workers['w1']
        self.clock.advance(EVERY)
        self.assertEqual(self.samples.of('w1'), [])
        self.assertEqual(len(self.samples.of('w2')), 2)

    def test_nothing_is_taken_when_it_has_stopped(self):
        self.samples.stop()
        self.clock.advance(EVERY)
        self.assertEqual(len(self.samples.of('w1')), 1)
