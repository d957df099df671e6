# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from support.masterparts import connect
from support.masterparts import make_master
from support.masterparts import make_workers
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.standing import Rules
from buildbot_balancer.master.workers.fleet import Fleet
from buildbot_balancer.master.workers.people import about
from buildbot_balancer.master.workers.people import owner_of


class Owner(SynchronousTestCase):
    def owner(self, admin):
        worker = make_workers('w1')['w1']
        worker.info.setProperty('admin', admin, 'Worker')
        return owner_of(worker)

    def test_it_is_the_name_without_the_address(self):
        self.assertEqual(self.owner('Ann Example <ann@example.org>\n'), 'Ann Example')
        self.assertEqual(self.owner('ann@example.org'), 'ann')

    def test_a_hostile_name_is_cleaned_and_cut(self):
        self.assertEqual(self.owner('a\x1b[1m\nb'), 'a[1m b')
        self.assertEqual(len(self.owner('x' * 500)), 40)

    def test_nobody_where_nobody_is_named(self):
        placeholder = 'Your Name Here <admin@youraddress.invalid>\n'
        for admin in (placeholder, '', ' \n', None, 7, '<ann@example.org>'):
            self.assertIsNone(self.owner(admin), admin)
        self.assertIsNone(owner_of(make_workers('w1')['w1']))


class AboutOne(SynchronousTestCase):
    def test_the_reason_of_a_pause_counts_while_it_lasts(self):
        workers = make_workers('w1')
        worker = workers['w1']
        connect(worker, reporter=False)
        fleet = Fleet(make_master(workers), Clock(), Rules(), lambda event, worker: None)
        worker._paused, worker._pause_reason = True, 'fan'
        self.assertEqual(about(worker, fleet).pause_reason, 'fan')
        worker._paused = False
        self.assertIsNone(about(worker, fleet).pause_reason)
