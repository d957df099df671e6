# SPDX-License-Identifier: GPL-2.0-or-later
"""What may happen to three masters that share locks, with builds in flight.

After each fault no limit was exceeded at any time, as the builds themselves recorded it, every
request came to its end, and nothing is held.
"""

from __future__ import annotations

import time

import pytest
from support.cluster import PATIENCE
from support.cluster import ClusterCase

from demo.cluster.recipe import SHARED

pytestmark = pytest.mark.slow

BRANCHES = ('a', 'b', 'c', 'd')
EXCEPTION = 4  # Buildbot's, for a build whose step or log could not be written
EXPIRY = 600  # seconds after which Buildbot calls a master dead
MAY_SHARE = 'may share with others now'
GRANT = (
    'SELECT balancer_unit.token FROM balancer_unit JOIN balancer_lock ON balancer_lock.id = lock_id'
    " WHERE lock_name = 'version'"
)
GURU = 'Guru meditation!'  # what Buildbot says when it has lost the router


class FaultCase(ClusterCase):
    def serve_shared(self, **planned: object) -> None:
        self.serve(**{'seconds': 0.2, 'locks': SHARED, **planned})

    def all_is_well(self, requests: list[int], *allowed: int) -> None:
        """`allowed`: results, beside success."""
        self.until(lambda: self.completed(requests), 2 * PATIENCE)
        self.completed_well(requests, *allowed)
        self.limits_held()
        self.nothing_is_held()

    def restart(self, *names: str) -> None:
        """As who looks after them does when Buildbot has stopped them."""
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
        self.kill(victim := self.site.plan.workers[self.diary.running()[0].worker])
        self.diary.let_go()
        self.is_silent_for(victim, EXPIRY)
        self.all_is_well(requests)

    def is_silent_for(self, name: str, seconds: int) -> None:
        """As if Buildbot's housekeeping had last heard of it so long ago."""
        self.site.database.execute(
            f"UPDATE masters SET last_active = last_active - {seconds} WHERE name LIKE '%/{name}'"  # noqa: S608  ours
        )


class LostSurroundings(FaultCase):
    def test_crossbar_is_stopped_for_30_seconds(self) -> None:
        """Buildbot 4.3 stops a master that has lost it, and cancels its builds."""
        self.serve_shared()
        self.diary.hold()
        requests = self.submit(24, branches=BRANCHES)
        self.until(lambda: len(self.diary.running()) == 2)
        cancelled = {one.number for one in self.diary.running()}
        self.site.router.stop()
        self.until(lambda: all(GURU in one.log for one in self.masters.values()))
        self.until(lambda: not self.diary.running())
        self.diary.let_go()
        time.sleep(30)
        self.site.router.start()
        self.restart(*self.masters)
        self.until(lambda: self.completed(requests))
        self.limits_held()
        self.nothing_is_held()
        self.succeeded([one for one in requests if one not in cancelled])
        self.assertEqual(cancelled & set(self.diary.ended()), set())

    def test_postgresql_is_restarted(self) -> None:
        self.serve_shared()
        requests = self.submit(24, branches=BRANCHES)
        self.until(lambda: len(self.diary.ended()) >= 4)
        self.site.database.stop()
        self.site.database.start()
        self.all_is_well(requests, EXCEPTION)
        self.nothing_is_left()

    def test_the_way_to_the_database_is_cut_and_then_slow(self) -> None:
        self.serve_shared(way=self.wire)
        requests = self.submit(36, branches=BRANCHES)
        self.until(lambda: self.running_on('m3'))
        self.wires['m3'].refuse()
        time.sleep(1.5 * self.site.plan.lease)
        self.wires['m3'].heal()
        self.wires['m3'].slow_down(0.02)
        self.all_is_well(requests, EXCEPTION)
        self.nothing_is_left()

    def test_the_way_to_the_database_falls_silent(self) -> None:
        """As a network does: nobody is told, and what was sent is lost."""
        self.serve_shared(way=self.wire)
        requests = self.submit(36, branches=BRANCHES)
        self.until(lambda: self.running_on('m3'))
        self.wires['m3'].swallow()
        time.sleep(1.5 * self.site.plan.lease)
        self.wires['m3'].heal()
        self.all_is_well(requests, EXCEPTION)
        self.nothing_is_left()

    def test_a_build_that_outlives_the_lease_of_its_master_has_the_smaller_token(self) -> None:
        """Nobody stops it: a resource that checks tokens is safe from it."""
        self.serve_shared(way=self.wire)
        self.diary.hold()
        requests = self.submit(24, branches=('a',))
        self.until(lambda: len(self.diary.running()) == 1)
        (first,) = self.diary.running()
        cut = self.site.plan.workers[first.worker]
        token = self.token()
        self.wires[cut].refuse()
        self.until(lambda: len(self.diary.running()) == 2)  # another master has the lock
        second = next(one for one in self.diary.running() if one != first)
        other = self.site.plan.workers[second.worker]
        self.assertNotEqual(other, cut)
        self.assertGreater(self.token(), token)
        self.assertEqual(len(self.running_on(cut)), 1)  # it has begun nothing else meanwhile
        self.wires[cut].heal()
        self.until(lambda: MAY_SHARE in self.masters[cut].log)
        self.diary.let_go()
        self.until(lambda: self.completed(requests), 2 * PATIENCE)
        self.assertEqual(self.diary.peaks()['version/a'], 2)
        self.completed_well(requests, EXCEPTION)
        self.nothing_is_held()
        self.nothing_is_left()

    def token(self) -> int:
        """Of the only one that holds the branch, as the database knows it."""
        ((token,),) = self.site.database.rows(GRANT)
        return int(token)


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
