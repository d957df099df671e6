# SPDX-License-Identifier: GPL-2.0-or-later
"""What may happen to three masters that share locks, with builds in flight.

After each fault no limit was exceeded at any time, as the builds themselves recorded it, every
request came to its end, and nothing is held.
"""

from __future__ import annotations

import time

import pytest
from support.cluster import ClusterCase

from demo.cluster.recipe import SHARED

pytestmark = pytest.mark.slow

BRANCHES = ('a', 'b', 'c', 'd')
GURU = 'Guru meditation!'  # what Buildbot says when it has lost the router


class FaultCase(ClusterCase):
    def serve_shared(self, **planned: object) -> None:
        self.serve(**{'seconds': 0.2, 'locks': SHARED, **planned})

    def all_is_well(self, requests: list[int]) -> None:
        self.until(lambda: self.completed(requests))
        self.completed_well(requests)
        self.limits_held()
        self.nothing_is_held()

    def restart(self, *names: str) -> None:
        """As who looks after them does when their builds hang."""
        for name in names:
            self.masters[name].stop()
        for name in names:
            self.masters[name].start()

    def waits_alone(self) -> str:
        """A master that waits in the line of a lock and holds nothing; '' if there is none."""
        holders = self.holders()
        return next((name for name in self.waiters() if name not in holders), '')


class KilledMasters(FaultCase):
    def test_one_that_waits_and_holds_nothing(self) -> None:
        self.serve_shared()
        self.diary.hold()
        requests = self.submit(24, branches=BRANCHES)
        self.until(self.waits_alone)
        self.kill(victim := self.waits_alone())
        self.diary.let_go()
        self.all_is_well(requests)
        self.succeeded(requests)
        self.masters[victim].start()

    def test_one_that_has_taken_and_was_not_told(self) -> None:
        self.serve_shared(way=self.wire)
        self.wires['m3'].fall_silent_after(b'INSERT INTO balancer_unit')
        requests = self.submit(12, branches=BRANCHES)
        self.until(self.wires['m3'].silent.is_set)
        self.masters['m3'].kill()
        self.assertIn('m3', self.holders())
        self.wires['m3'].heal()
        self.masters['m3'].start()
        self.all_is_well(requests)

    def test_each_in_its_turn_while_it_holds(self) -> None:
        self.serve_shared(seconds=1)
        requests = self.submit(24, branches=BRANCHES)
        for name in self.masters:
            self.until(lambda name=name: self.running_on(name) or self.completed(requests))
            self.kill(name)
            self.masters[name].start()
        self.all_is_well(requests)

    def test_what_one_had_claimed_is_built_by_the_others(self) -> None:
        self.serve_shared(lease=4)
        self.diary.hold()
        requests = self.submit(12, branches=BRANCHES)
        self.until(lambda: len(self.diary.running()) >= 2)
        self.kill(self.site.plan.workers[self.diary.running()[0].worker])
        self.diary.let_go()
        # Buildbot calls a master dead after ten minutes
        self.until(lambda: self.completed(requests), 900)
        self.all_is_well(requests)


class LostSurroundings(FaultCase):
    def test_crossbar_is_stopped_for_30_seconds(self) -> None:
        """Buildbot 4.3 stops a master that has lost it, and cancels its builds."""
        self.serve_shared()
        requests = self.submit(24, branches=BRANCHES)
        self.until(self.diary.running)
        self.site.router.stop()
        self.until(lambda: all(GURU in one.log for one in self.masters.values()))
        time.sleep(30)
        self.site.router.start()
        self.restart(*self.masters)
        self.until(lambda: self.completed(requests))
        self.limits_held()
        self.nothing_is_held()
        self.assertEqual(set(self.diary.ended().values()), {1})

    def test_postgresql_is_restarted(self) -> None:
        """Buildbot 4.3 leaves builds that wanted to write to it then as they are."""
        self.serve_shared()
        requests = self.submit(24, branches=BRANCHES)
        self.until(lambda: len(self.diary.ended()) >= 4)
        self.site.database.stop()
        self.site.database.start()
        self.go_on(requests)

    def test_the_way_to_the_database_is_cut_and_then_slow(self) -> None:
        self.serve_shared(way=self.wire)
        requests = self.submit(36, branches=BRANCHES)
        self.until(lambda: self.running_on('m3'))
        self.wires['m3'].refuse()
        time.sleep(1.5 * self.site.plan.lease)
        self.wires['m3'].heal()
        self.wires['m3'].slow_down(0.02)
        self.go_on(requests)

    def go_on(self, requests: list[int]) -> None:
        """Those that can are built; the others when their masters were restarted."""
        self.last = (0, time.monotonic())
        self.until(lambda: self.completed(requests) or self.stands_still())
        if not self.completed(requests):
            self.restart(*self.masters)
        self.all_is_well(requests)

    def stands_still(self) -> bool:
        """No build has ended for longer than anything there is to wait for."""
        count, since = self.last
        ended = len(self.diary.entries('end'))
        if ended > count:
            self.last = (ended, time.monotonic())
        return time.monotonic() - since > 3 * self.site.plan.lease


class WrongClocks(FaultCase):
    def test_masters_whose_clocks_are_an_hour_apart(self) -> None:
        ahead = {'m1': 3600.0, 'm2': 0.0, 'm3': -3600.0}
        self.serve_shared(environment=lambda name: self.clock(ahead[name]))
        self.diary.hold()
        requests = self.submit(24, branches=BRANCHES)
        self.until(lambda: len(self.diary.running()) >= 2)
        victim = self.site.plan.workers[self.diary.running()[0].worker]
        self.kill(victim)
        self.diary.let_go()
        self.until(self.diary.ended)
        self.masters[victim].start()
        self.all_is_well(requests)
