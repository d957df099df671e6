# SPDX-License-Identifier: GPL-2.0-or-later
"""Parking beside a plain list of all that is parked, which is searched each time."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import invariant
from hypothesis.stateful import rule
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.distribution.parking import Parked
from buildbot_balancer.master.distribution.parking import Parking
from buildbot_balancer.master.distribution.parking import Reason

BUILDERS = ['a', 'b']
WORKERS = ['w1', 'w2', 'w3']
REQUESTS = st.integers(1, 8)
SETS = st.frozensets(st.sampled_from(WORKERS))
MOMENTS = st.integers(0, 50)
REASONS = st.builds(Reason, workers=SETS, unnamed=st.booleans(), at=st.none() | MOMENTS)


def ids(parked):
    return sorted(one.request for one in parked)


class Places(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.parking, self.model, self.now = Parking(), {}, 0

    def woken(self, found, helps):
        """Those whom it helps are given back as they came, and are parked no more."""
        expected = [one for one in self.model.values() if helps(one)]
        assert sorted(found, key=lambda one: one.request) == sorted(
            expected, key=lambda one: one.request
        )
        for one in expected:
            del self.model[one.request]

    @rule(request=REQUESTS, builder=st.sampled_from(BUILDERS), lane=SETS, reason=REASONS)
    def park(self, request, builder, lane, reason):
        self.model[request] = Parked(request, builder, (request,), lane, reason)
        self.parking.park(self.model[request])

    @rule(request=REQUESTS)
    def leave(self, request):
        assert self.parking.leave(request) == self.model.pop(request, None)

    @rule(worker=st.sampled_from(WORKERS), builders=st.sets(st.sampled_from(BUILDERS)))
    def a_worker_changes(self, worker, builders):
        found = self.parking.worker_changed(worker, builders)
        self.woken(found, lambda one: worker in one.reason.workers and one.builder in builders)

    @rule(builder=st.sampled_from(BUILDERS))
    def a_builder_is_woken(self, builder):
        found = self.parking.builder_woken(builder)
        self.woken(found, lambda one: one.reason.unnamed and one.builder == builder)

    @rule(seconds=st.integers(1, 20))
    def time_passes(self, seconds):
        self.now += seconds
        found = self.parking.time_passed(self.now)
        self.woken(found, lambda one: one.reason.at is not None and one.reason.at <= self.now)

    @rule()
    def everybody(self):
        self.woken(self.parking.all(), lambda one: True)

    @invariant()
    def it_knows_them_and_the_next_moment(self):
        assert len(self.parking) == len(self.model)
        assert all((request in self.parking) == (request in self.model) for request in range(1, 9))
        moments = [one.reason.at for one in self.model.values() if one.reason.at is not None]
        assert self.parking.next_time() == min(moments, default=None)


Places.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestPlaces = Places.TestCase


class Leftovers(SynchronousTestCase):
    def park(self, parking, request, **reason):
        parking.park(Parked(request, 'a', (request,), frozenset(WORKERS), Reason(**reason)))

    def test_nothing_is_kept_of_who_has_left(self):
        parking = Parking()
        for request in range(100):
            workers = frozenset({f'w{request}'})
            self.park(parking, request, workers=workers, unnamed=True, at=5.0)
            parking.leave(request)
        self.assertIsNone(parking.next_time())
        self.assertEqual(parking._waiting['a'], {})
        self.assertEqual(parking._unnamed['a'], set())
        self.assertEqual(parking._due, [])

    def test_one_that_is_parked_anew_for_the_same_moment_is_woken_once(self):
        parking = Parking()
        for _ in range(3):
            self.park(parking, 1, at=5.0)
        self.assertEqual(ids(parking.time_passed(5.0)), [1])
        self.assertEqual(parking.time_passed(9.0), [])
