# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import invariant
from hypothesis.stateful import rule
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.distribution import sortedlist
from buildbot_balancer.master.distribution.sortedlist import SortedList


class Compared(int):
    """A number that counts how often it is compared."""

    count = 0

    def __lt__(self, other):
        Compared.count += 1
        return int(self) < int(other)


class Small(SynchronousTestCase):
    """Blocks of four, so that few values make many of them."""

    def setUp(self):
        self.patch(sortedlist, 'LONGEST', 4)

    def test_an_empty_one_has_no_first_and_nothing_to_remove(self):
        made = SortedList()
        self.assertIsNone(made.first())
        self.assertFalse(made.remove((1,)))
        self.assertEqual((list(made), len(made)), ([], 0))

    def test_what_is_not_there_cannot_be_removed(self):
        made = SortedList([(n,) for n in range(0, 40, 2)])
        for number in (-1, 5, 13, 99):
            self.assertFalse(made.remove((number,)))
        self.assertEqual(len(made), 20)

    def test_one_that_was_emptied_takes_values_again(self):
        made = SortedList([(n,) for n in range(10)])
        for number in range(10):
            self.assertTrue(made.remove((number,)))
        made.add((3,))
        self.assertEqual((list(made), made.first()), ([(3,)], (3,)))

    @given(st.permutations(range(30)), st.lists(st.tuples(st.booleans(), st.integers(0, 40))))
    def test_going_through_it_meets_what_comes_behind_and_not_what_went(self, start, changes):
        made, model = SortedList((n,) for n in start[:20]), set(start[:20])
        last, changes = -1, iter(changes)
        for (number,) in made:
            self.assertEqual(number, min(other for other in model if other > last))
            last = number
            adds, other = next(changes, (None, None))
            if adds and other not in model:
                made.add((other,))
                model.add(other)
            elif adds is False:
                self.assertEqual(made.remove((other,)), other in model)
                model.discard(other)
        self.assertEqual([other for other in model if other > last], [])


class Large(SynchronousTestCase):
    def test_a_change_compares_a_few_times_whatever_the_length(self):
        made = SortedList((Compared(n),) for n in range(0, 200_000, 2))
        Compared.count = 0
        for number in range(1, 200_000, 2001):
            made.add((Compared(number),))
            made.remove((Compared(number + 1),))
        self.assertLess(Compared.count / 200, 4 * 18)  # log2 of 100,000 is 17

    def test_no_block_grows_beyond_the_bound(self):
        made = SortedList()
        for number in range(5000):
            made.add((number,))
        self.assertLessEqual(max(map(len, made._blocks)), sortedlist.LONGEST)
        self.assertEqual([n for (n,) in made], list(range(5000)))


class AgainstASortedList(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.before, sortedlist.LONGEST = sortedlist.LONGEST, 4
        self.made, self.model = SortedList(), []

    def teardown(self):
        sortedlist.LONGEST = self.before

    numbers = st.integers(0, 60)

    @rule(number=numbers)
    def add(self, number):
        if (number,) not in self.model:
            self.made.add((number,))
            self.model = sorted([*self.model, (number,)])

    @rule(number=numbers)
    def remove(self, number):
        assert self.made.remove((number,)) == ((number,) in self.model)
        self.model = [value for value in self.model if value != (number,)]

    @rule(some=st.sets(numbers))
    def begin_with(self, some):
        self.made = SortedList((number,) for number in some)
        self.model = sorted((number,) for number in some)

    @invariant()
    def is_the_same(self):
        assert list(self.made) == self.model
        assert len(self.made) == len(self.model)
        assert self.made.first() == (self.model[0] if self.model else None)


AgainstASortedList.TestCase.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None
)
TestAgainstASortedList = AgainstASortedList.TestCase
