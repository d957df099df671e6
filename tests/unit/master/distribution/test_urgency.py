# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.distribution.urgency import Urgency
from buildbot_balancer.master.requests.pending import Pending

REQUESTS = st.builds(
    Pending,
    id=st.integers(1, 1000),
    builderid=st.just(1),
    buildsetid=st.just(1),
    priority=st.integers(-100, 100),
    submitted_at=st.integers(0, 10_000),
    waited_for=st.booleans(),
)


def request(priority=0, submitted_at=0):
    return Pending(1, 1, 1, priority, submitted_at, waited_for=False)


class Order(SynchronousTestCase):
    @given(REQUESTS, REQUESTS)
    def test_without_ageing_the_priority_is_first_and_then_the_age(self, one, other):
        key = Urgency().key
        if one.priority != other.priority:
            self.assertEqual(key(one) < key(other), one.priority > other.priority)
        else:
            self.assertEqual(key(one) < key(other), one.submitted_at < other.submitted_at)

    @given(REQUESTS, REQUESTS, st.integers(1, 1000), st.integers(10_000, 20_000))
    def test_with_ageing_a_point_of_priority_is_worth_so_many_seconds(
        self, one, other, ageing, now
    ):
        key = Urgency(ageing=ageing).key

        def worth(pending):  # whenever one asks: all gain alike
            return ageing * pending.priority + now - pending.submitted_at

        if worth(one) != worth(other):
            self.assertEqual(key(one) < key(other), worth(one) > worth(other))

    def test_with_ageing_of_equals_the_oldest_is_first(self):
        key = Urgency(ageing=10).key
        self.assertLess(key(request(0, 0)), key(request(1, 10)))

    def test_with_ageing_nobody_is_overtaken_for_ever(self):
        key = Urgency(ageing=60).key
        self.assertLess(key(request(0, 0)), key(request(5, 301)))
        self.assertGreater(key(request(0, 0)), key(request(5, 299)))

    @given(REQUESTS, REQUESTS, st.none() | st.integers(1, 1000))
    def test_a_larger_rank_is_before_all_else(self, one, other, ageing):
        key = Urgency(ageing=ageing).key
        self.assertLess(key(one, 2.0), key(other, 1.5))
        self.assertLess(key(one, 0.0), key(other, -1.0))
