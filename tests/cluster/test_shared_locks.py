# SPDX-License-Identifier: GPL-2.0-or-later
"""Locks that three real masters share, as the builds themselves recorded who held them."""

from __future__ import annotations

from support.cluster import ClusterCase

from demo.cluster.recipe import SHARED

BRANCHES = ('a', 'b', 'c', 'd')


class SharedLocks(ClusterCase):
    def test_no_limit_is_exceeded_and_all_is_used_also_when_a_holder_is_killed(self) -> None:
        self.serve(seconds=0.1, locks=SHARED, lease=4)
        self.diary.hold()
        requests = self.submit(24, 'm2', BRANCHES)
        self.until(lambda: len(self.diary.running()) >= 2)
        victim = self.site.plan.workers[self.diary.running()[0].worker]
        claimed = self.running_on(victim)
        self.kill(victim)
        self.diary.let_go()
        others = [number for number in requests if number not in claimed]
        self.until(lambda: self.completed(others))
        self.masters[victim].start()
        self.until(lambda: self.completed(requests))
        self.succeeded(requests)
        self.limits_held()
        self.assertEqual(self.diary.peaks()['host'], 2)
        self.nothing_is_held()
