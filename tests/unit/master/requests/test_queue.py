# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import gc
import tracemalloc

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import invariant
from hypothesis.stateful import rule
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.requests.pending import Pending
from buildbot_balancer.master.requests.queue import Queue

NOW = 1_800_000_000


def pending(request, builder=1, priority=0, at=0, buildset=1):
    return Pending(request, builder, buildset, priority, NOW + at, waited_for=False)


def ids(some):
    return [one.id for one in some]


class Case(SynchronousTestCase):
    def setUp(self):
        self.queue = Queue()
        self.heard = []
        self.queue.on_added(self.heard.append)

    def put(self, *some):
        for one in some:
            self.queue.add(one)


class Waiting(Case):
    def test_priority_goes_before_age_and_age_before_the_id(self):
        self.put(
            pending(1, at=9), pending(2, at=3), pending(3, priority=1, at=50), pending(4, at=3)
        )
        self.assertEqual(ids(self.queue.in_order()), [3, 2, 4, 1])

    def test_the_order_is_over_all_builders(self):
        self.put(pending(1, builder=1), pending(2, builder=2, priority=1), pending(3, builder=1))
        self.assertEqual(ids(self.queue.in_order()), [2, 1, 3])
        self.assertEqual(self.queue.first(2).id, 2)

    def test_a_builder_without_requests_has_no_first_one(self):
        self.assertIsNone(self.queue.first(1))
        self.put(pending(1))
        self.queue.discard(1)
        self.assertIsNone(self.queue.first(1))

    def test_another_priority_moves_a_request_and_is_told(self):
        self.put(pending(1), pending(2, at=1))
        self.assertFalse(self.queue.add(pending(2, at=1, priority=4)))
        self.assertEqual(ids(self.queue.in_order()), [2, 1])
        self.assertEqual(len(self.queue), 2)
        self.assertEqual(ids(self.heard), [1, 2, 2])

    def test_who_listens_is_told_once_and_finds_the_request_in_the_queue(self):
        found = []
        self.queue.on_added(lambda one: found.append(self.queue.first(one.builderid)))
        self.assertTrue(self.queue.add(pending(1)))
        self.assertFalse(self.queue.add(pending(1)))
        self.assertEqual(found, [pending(1)])

    def test_who_listens_is_told_once_that_a_request_is_gone_also_while_it_is_claimed(self):
        gone = []
        self.queue.on_gone(gone.append)
        self.put(pending(1), pending(2), pending(3, builder=2))
        self.queue.remove(1)
        self.assertEqual(gone, [])
        for request in (1, 1, 2, 9):
            self.queue.discard(request)
        self.queue.keep_only([1])
        self.assertEqual(gone, [1, 2, 3])

    def test_a_listener_that_raises_is_logged_and_the_others_are_told(self):
        queue, heard = Queue(), []
        queue.on_added(lambda one: 1 / 0)
        queue.on_added(heard.append)
        queue.add(pending(1))
        self.assertEqual(ids(heard), [1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class Claiming(Case):
    def setUp(self):
        super().setUp()
        self.put(pending(1), pending(2, at=1))
        self.heard.clear()

    def test_a_request_that_is_being_claimed_is_offered_no_more(self):
        self.assertEqual(self.queue.remove(1), pending(1))
        self.assertEqual((self.queue.first(1).id, len(self.queue)), (2, 1))
        self.assertTrue(self.queue.is_taken(1))
        self.assertIsNone(self.queue.remove(1))

    def test_it_is_put_back_to_its_old_place_without_a_word(self):
        self.queue.remove(1)
        self.assertTrue(self.queue.put_back(1))
        self.assertEqual(ids(self.queue.in_order()), [1, 2])
        self.assertFalse(self.queue.is_taken(1))
        self.assertEqual(self.heard, [])

    def test_one_that_was_claimed_elsewhere_cannot_be_put_back(self):
        self.queue.remove(1)
        self.assertTrue(self.queue.discard(1))
        self.assertFalse(self.queue.put_back(1))
        self.assertEqual(ids(self.queue.in_order()), [2])

    def test_one_that_waits_again_is_not_put_back_once_more(self):
        self.queue.remove(1)
        self.queue.add(pending(1, priority=1))
        self.assertFalse(self.queue.put_back(1))
        self.assertEqual(self.queue.first(1).priority, 1)
        self.assertEqual(ids(self.heard), [1])

    def test_who_never_was_there_is_neither_removed_nor_put_back(self):
        self.assertIsNone(self.queue.remove(9))
        self.assertFalse(self.queue.put_back(9))
        self.assertFalse(self.queue.discard(9))


class Builders(Case):
    def test_only_the_requests_of_builders_that_stay_are_kept(self):
        self.put(*(pending(n, builder=n % 3) for n in range(9)))
        self.queue.remove(1)
        self.queue.remove(2)
        self.queue.keep_only({2})
        self.assertEqual(ids(self.queue.in_order()), [5, 8])
        self.assertFalse(self.queue.put_back(1))
        self.assertTrue(self.queue.put_back(2))


class Memory(SynchronousTestCase):
    def test_a_bare_request_takes_less_than_half_a_kilobyte(self):
        count = 20_000
        queue = Queue()
        gc.collect()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for number in range(count):
                # no number is shared with another request
                request = 10**6 + number
                queue.add(Pending(request, number % 100, request, number, NOW + number, False))
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertEqual(len(queue), count)
        self.assertLess((after - before) / count, 512)


class AgainstASortedList(RuleBasedStateMachine):
    """The model is a dict of what waits and one of what is taken, sorted when it is asked."""

    def __init__(self):
        super().__init__()
        self.queue, self.told = Queue(), []
        self.queue.on_added(self.told.append)
        self.waits, self.taken, self.expected = {}, {}, []

    requests = st.integers(1, 12)
    builders = st.integers(1, 3)

    @staticmethod
    def by_age(one):
        return (-one.priority, one.submitted_at, one.id)

    @rule(
        one=st.builds(pending, requests, builders, st.integers(-1, 1), st.integers(0, 3)),
    )
    def add(self, one):
        self.taken.pop(one.id, None)
        if self.waits.get(one.id) != one:
            self.expected.append(one)
        assert self.queue.add(one) == (one.id not in self.waits)
        self.waits[one.id] = one

    @rule(request=requests)
    def remove(self, request):
        one = self.waits.pop(request, None)
        assert self.queue.remove(request) == one
        if one is not None:
            self.taken[request] = one

    @rule(request=requests)
    def put_back(self, request):
        one = self.taken.pop(request, None)
        assert self.queue.put_back(request) == (one is not None)
        if one is not None:
            self.waits[request] = one

    @rule(request=requests)
    def discard(self, request):
        known = request in self.waits or request in self.taken
        assert self.queue.discard(request) == known
        self.waits.pop(request, None)
        self.taken.pop(request, None)

    @rule(some=st.sets(builders))
    def keep_only(self, some):
        self.queue.keep_only(some)
        for place in (self.waits, self.taken):
            for request in [one.id for one in place.values() if one.builderid not in some]:
                del place[request]

    @invariant()
    def is_the_same(self):
        ordered = sorted(self.waits.values(), key=self.by_age)
        assert list(self.queue.in_order()) == ordered
        assert len(self.queue) == len(ordered)
        assert set(self.queue.waiting()) == set(self.waits)
        assert set(self.queue.taken()) == set(self.taken)
        assert self.told == self.expected
        for builder in range(1, 4):
            mine = [one for one in ordered if one.builderid == builder]
            assert self.queue.first(builder) == (mine[0] if mine else None)


AgainstASortedList.TestCase.settings = settings(
    max_examples=70, stateful_step_count=40, deadline=None
)
TestAgainstASortedList = AgainstASortedList.TestCase


class Values(SynchronousTestCase):
    def test_a_pending_request_cannot_be_changed(self):
        with self.assertRaises(attrs.exceptions.FrozenInstanceError):
            pending(1).priority = 3
