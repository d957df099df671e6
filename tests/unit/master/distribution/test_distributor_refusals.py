# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests that have their turn at a lock, and whose builder's ``canStartBuild`` says no."""

from __future__ import annotations

from support.distributor_locks import HOST
from support.distributor_locks import JTAG
from support.distributor_locks import LockedSite
from twisted.trial.unittest import SynchronousTestCase


class Refusals(SynchronousTestCase):
    def settled(self, order):
        """How many looks there are when a lock is given back for which two wait in vain."""
        site = LockedSite(recheck=10.0**7)
        self.addCleanup(site.stop)
        site.distributor.ordering.order = order
        site.use_locks(dict.fromkeys('abc', (JTAG, HOST)), alike=True, rendered=False)
        for worker in ('w3', 'w4'):
            site.pause(worker)
        site.submit(1, 'a')
        site.settle()
        self.assertEqual([one.requests[0].id for one in site.builds()], [1])
        site.closed |= {2, 3}
        site.submit(2, 'c')
        site.submit(3, 'a')
        site.settle()
        before = len(site.looks)
        build = site.builds()[0]
        site.release_locks(build)
        site.finish(build)
        site.settle()
        self.assertEqual(sorted(site.queue.waiting()), [2, 3])
        return len(site.looks) - before

    def test_they_do_not_wake_each_other_for_ever(self):
        for order in ('request', 'builder', 'worker'):
            self.assertLess(self.settled(order), 20, order)
