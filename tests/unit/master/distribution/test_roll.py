# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.distribution import roll as module
from buildbot_balancer.master.distribution.roll import Distributed
from buildbot_balancer.master.distribution.roll import Listing
from buildbot_balancer.master.distribution.roll import Roll
from buildbot_balancer.master.distribution.roll import grouped

KEYS = st.tuples(st.integers(0, 2), st.integers(0, 2))
ENTRIES = st.dictionaries(
    st.integers(0, 50), st.tuples(KEYS, st.sampled_from('abc')), max_size=30
).map(lambda found: [(key, request, builder) for request, (key, builder) in found.items()])


def listing(*entries):
    return Listing.of(0.0, list(entries), lambda request: request)


class Paging(SynchronousTestCase):
    def setUp(self):
        builders = {7: 'b', 3: 'c', 9: 'b', 1: 'b'}
        self.listing = listing(
            *((n, request, one) for n, (request, one) in enumerate(builders.items()))
        )

    def test_of_all_builders_and_of_one(self):
        self.assertEqual(self.listing.page(0, None), [7, 3, 9, 1])
        self.assertEqual(self.listing.page(1, 2), [3, 9])
        self.assertEqual(self.listing.page(1, 5, 'b'), [9, 1])
        self.assertEqual(self.listing.page(9, 5), [])
        self.assertEqual(self.listing.page(0, 5, 'z'), [])

    def test_places_and_counts(self):
        self.assertEqual((len(self.listing), self.listing.count('b')), (4, 3))
        self.assertEqual((self.listing.places[9], self.listing.before(9)), (2, 1))
        self.assertEqual((self.listing.first_of('b'), self.listing.builder_of(3)), (7, 'c'))
        self.assertIsNone(self.listing.first_of('z'))
        self.assertIsNone(self.listing.builder_of(99))
        self.assertNotIn(99, self.listing)


class Order(SynchronousTestCase):
    def listed(self, entries, **more):
        ours = Distributed(
            entries=lambda: entries, pending=lambda request: request, breq=None, **more
        )
        return Roll(None, Clock(), lambda: ours).known().entries

    @given(ENTRIES)
    def test_by_key_then_the_oldest(self, entries):
        self.assertEqual(self.listed(entries), sorted(entries))

    @given(ENTRIES)
    def test_by_builder_its_requests_stay_together_and_in_order(self, entries):
        found = self.listed(entries, by_builder=True)
        self.assertEqual(sorted(found), sorted(entries))
        builders = [builder for _, _, builder in found]
        runs = [one for place, one in enumerate(builders) if builders[:place][-1:] != [one]]
        self.assertEqual(len(runs), len(set(runs)))
        firsts = [min(entry for entry in entries if entry[2] == one) for one in runs]
        self.assertEqual(firsts, sorted(firsts))

    def test_the_sequence_of_builders_counts_before_their_requests(self):
        entries = [((0,), 1, 'a'), ((1,), 2, 'b'), ((2,), 3, 'c')]
        found = grouped(entries, {'c': 0, 'b': 1})
        self.assertEqual([builder for _, _, builder in found], ['c', 'b', 'a'])


class Keeping(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.entries = [((0,), 1, 'a')]
        self.ours = Distributed(
            entries=lambda: self.entries, pending=lambda request: request, breq=None
        )
        self.roll = Roll(SimpleNamespace(), self.clock, lambda: self.ours)

    def test_few_are_always_of_this_moment(self):
        self.assertEqual(len(self.roll.known()), 1)
        self.entries = [((0,), 1, 'a'), ((0,), 2, 'a')]
        self.assertEqual(len(self.roll.known()), 2)

    def test_many_are_put_in_order_only_so_often(self):
        self.patch(module, 'FEW', 1)
        self.patch(module, 'EACH', 1.0)
        self.entries = [((0,), 1, 'a'), ((0,), 2, 'a')]
        known = self.roll.known()
        self.clock.advance(1.9)
        self.assertIs(self.roll.known(), known)
        self.clock.advance(0.2)
        self.assertIsNot(self.roll.known(), known)

    def test_one_that_is_to_be_forgotten_is(self):
        self.patch(module, 'FEW', 0)
        known = self.roll.known()
        self.assertIs(self.roll.known(), known)
        self.roll.forget()
        self.assertIsNot(self.roll.known(), known)

    def test_without_our_distributor_nothing_is_known_before_the_database_was_asked(self):
        self.patch(module, 'FEW', 0)
        self.roll.known()
        self.ours = None
        self.assertIsNone(self.roll.known())
