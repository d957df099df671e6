# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from buildbot.config.errors import capture_config_errors
from buildbot.plugins import util
from support.masterparts import connect
from support.masterparts import make_master
from support.masterparts import make_workers
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.standing import Rules
from buildbot_balancer.master.workers.fleet import GONE
from buildbot_balancer.master.workers.fleet import WILLING
from buildbot_balancer.master.workers.fleet import Fleet
from buildbot_balancer.master.workers.hours import Hours

MONDAY = 1_794_787_200.0  # 2026-11-16 00:00 UTC


class OnAWorker(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(MONDAY + 10 * 3600)
        self.told = []
        self.workers = make_workers('w1', 'x1')
        self.fleet = Fleet(make_master(self.workers), self.clock, Rules(), self.hear)
        self.hours = Hours()
        self.fleet.caps_of = self.hours.caps_of
        noon = util.Window('daily', '12:00', '13:00', timezone='UTC')
        self.hours.set([util.Availability('w*', windows=[noon])])
        for worker in self.workers.values():
            self.fleet.attached(worker, connect(worker, reporter=False))

    def hear(self, event, worker):
        if event in {WILLING, GONE}:
            self.told.append((self.clock.seconds() - MONDAY, event, worker.workername))

    def test_a_window_begins_and_ends_by_the_clock_and_says_so(self):
        worker = self.workers['w1']
        self.assertFalse(self.fleet.refuses(worker))
        self.clock.advance(2 * 3600)
        self.assertTrue(self.fleet.refuses(worker))
        self.assertEqual(self.fleet.standing(worker).source, 'schedule')
        self.assertFalse(self.fleet.refuses(self.workers['x1']))
        self.clock.advance(3600)
        self.assertFalse(self.fleet.refuses(worker))
        self.assertEqual(self.told, [(43200, GONE, 'w1'), (46800, WILLING, 'w1')])

    def test_nobody_need_ask_for_it_to_be_said(self):
        self.clock.pump([600] * 24)
        self.assertEqual([event for _, event, _ in self.told], [GONE, WILLING])

    def test_a_new_config_counts_at_once(self):
        self.clock.advance(2 * 3600)
        self.hours.set([])
        self.fleet.set_rules(Rules())
        self.assertFalse(self.fleet.refuses(self.workers['w1']))


class InTheConfig(SynchronousTestCase):
    def test_what_is_wrong_with_a_window_is_a_config_error(self):
        for args, said in (
            ((('Mon', '08:00', '08:00'), {'timezone': 'UTC'}), 'no length'),
            ((('Mon', '08:00', '18:00'), {}), 'needs a timezone'),
            ((('Mon', '08:00', '18:00'), {'timezone': 'Europe/Berln'}), 'Europe/Berlin'),
            ((('Moonday', '08:00', '18:00'), {'timezone': 'UTC'}), 'no weekday'),
        ):
            with capture_config_errors() as errors:
                util.Window(*args[0], **args[1])
            self.assertEqual(len(errors.errors), 1)
            self.assertTrue(errors.errors[0].startswith('util.Window: '), errors.errors)
            self.assertIn(said, errors.errors[0])
