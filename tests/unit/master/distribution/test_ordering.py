# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace

from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.calls import Calls
from buildbot_balancer.master.complaints import Complaints
from buildbot_balancer.master.distribution.agenda import Agenda
from buildbot_balancer.master.distribution.ordering import Ordering

BUILDERS = {'a': frozenset({'w1'}), 'b': frozenset({'w1', 'w2'}), 'c': frozenset({'w2'})}


def anybody(_):
    return True


class Case(SynchronousTestCase):
    def setUp(self):
        self.sort, self.calls, self.best = None, [], ['w1', 'w2']
        self.agenda = Agenda()
        self.agenda.set_builders(BUILDERS)
        known = {name: SimpleNamespace(name=name) for name in BUILDERS}
        self.master = SimpleNamespace(
            config=SimpleNamespace(prioritizeBuilders=None),
            botmaster=SimpleNamespace(builders=known),
        )
        self.ordering = Ordering(
            self.master,
            self.agenda,
            Complaints(lambda: 0),
            Calls(Clock()),
            lambda workers: [name for name in self.best if name in workers],
            self.pairs,
        )

    async def pairs(self, lane, request, free):
        """An IOrder gets the id and the name in the place of the views."""
        return [(name, request, name) for name in sorted(free & lane.open)]

    def add(self, *requests):
        """Keys in the order in which they are given."""
        for number, (builder, request) in enumerate(requests):
            self.agenda.add(builder, request, (number,))

    def prioritize(self, names):
        def sort(master, builders):
            self.calls.append([one.name for one in builders])
            by_name = {one.name: one for one in builders}
            return [by_name[name] for name in names if name in by_name]

        self.ordering.order, self.master.config.prioritizeBuilders = 'builder', sort

    def next(self, may=anybody):
        found = self.successResultOf(defer.ensureDeferred(self.ordering.next(may)))
        return found and (found[0].builder, found[1])

    def all(self):
        """As if each could start."""
        found = []
        while (one := self.next()) is not None:
            found.append(one[1])
            self.agenda.discard(one[1])
        return found


class Requests(Case):
    def test_the_first_of_all_builders_is_next(self):
        self.add(('b', 1), ('a', 2), ('c', 3), ('b', 4))
        self.assertEqual(self.all(), [1, 2, 3, 4])

    def test_who_may_not_is_left_out(self):
        self.add(('b', 1), ('a', 2))
        self.assertEqual(self.next(lambda name: name != 'b'), ('a', 2))
        self.assertIsNone(self.next(lambda name: False))


class Builders(Case):
    def test_without_a_function_of_the_config_it_is_as_buildbots_own(self):
        self.ordering.order = 'builder'
        self.add(('b', 1), ('a', 2), ('c', 3), ('b', 4))
        self.assertEqual(self.all(), [1, 2, 3, 4])

    def test_the_function_of_the_config_decides_and_in_one_builder_the_key(self):
        self.prioritize('cab')
        self.add(('b', 1), ('b', 2), ('a', 3), ('c', 4), ('a', 5))
        self.assertEqual(self.all(), [4, 3, 5, 1, 2])

    def test_the_function_is_asked_once_a_pass(self):
        self.prioritize('cab')
        self.add(('b', 1), ('a', 2), ('c', 3))
        self.all()
        self.assertEqual(self.calls, [['a', 'b', 'c']])
        self.ordering.new_pass()
        self.add(('b', 4), ('a', 5))
        self.assertEqual(self.all(), [5, 4])
        self.assertEqual(self.calls, [['a', 'b', 'c'], ['a', 'b']])

    def test_a_builder_that_the_function_leaves_out_starts_nothing(self):
        self.prioritize('ca')
        self.add(('b', 1), ('a', 2), ('c', 3))
        self.assertEqual(self.all(), [3, 2])
        self.assertIn(1, self.agenda)

    def test_a_function_that_raises_is_logged_and_the_order_is_buildbots_own(self):
        self.prioritize('cab')

        def broken(master, builders):
            self.calls.append(builders)
            raise RuntimeError('hook defect')

        self.master.config.prioritizeBuilders = broken
        self.add(('b', 1), ('a', 2), ('c', 3))
        self.assertEqual(self.all(), [1, 2, 3])
        self.assertEqual(len(self.calls), 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def sort_slowly(self):
        """The function waits; what it is to answer is the order of what it was asked then."""
        asked = []

        def sort(master, builders):
            asked.append((defer.Deferred(), sorted(builders, key=lambda one: one.name)))
            return asked[-1][0]

        self.ordering.order, self.master.config.prioritizeBuilders = 'builder', sort
        return asked

    def test_what_goes_while_the_function_waits_is_not_next(self):
        asked = self.sort_slowly()
        self.add(('b', 1), ('a', 2))
        found = defer.ensureDeferred(self.ordering.next(anybody))
        self.agenda.discard(2)
        answer, builders = asked[0]
        answer.callback(builders)
        self.assertEqual(self.successResultOf(found)[1], 1)

    def test_what_comes_while_the_function_waits_is_put_in_order_too(self):
        asked = self.sort_slowly()
        self.add(('b', 1), ('c', 2))
        found = defer.ensureDeferred(self.ordering.next(anybody))
        self.ordering.new_pass()
        self.agenda.add('a', 3, (9,))
        while asked and self.current(found) is None:
            answer, builders = asked.pop(0)
            answer.callback(builders)
        self.assertEqual(self.successResultOf(found)[1], 3)

    def current(self, deferred):
        return getattr(deferred, 'result', None) if deferred.called else None


class OwnOrder(Case):
    """An IOrder of the config."""

    def order_by(self, function):
        self.ordering.order = SimpleNamespace(rank=function)
        self.master.reactor = Clock()

    def next_pair(self):
        found = self.successResultOf(defer.ensureDeferred(self.ordering.next(anybody)))
        return found and (found.request, found.only)

    def test_the_pair_that_it_ranks_highest_is_next(self):
        ranks = {(1, 'w1'): 1, (1, 'w2'): 5, (2, 'w1'): 7, (3, 'w2'): 6}
        self.order_by(lambda request, worker, now: ranks[request, worker])
        self.add(('b', 1), ('a', 2), ('c', 3))
        self.assertEqual(self.next_pair(), (2, 'w1'))
        self.agenda.worker_full('w1')
        self.assertEqual(self.next_pair(), (3, 'w2'))

    def test_of_equal_pairs_the_first_request_is_next(self):
        self.order_by(lambda request, worker, now: 0)
        self.add(('c', 3), ('a', 2))
        self.assertEqual(self.next_pair(), (3, 'w2'))

    def test_one_that_raises_or_answers_nonsense_is_last_and_logged(self):
        def rank(request, worker, now):
            return float('nan') if request == 1 else 1 / (request - 2)

        self.order_by(rank)
        self.add(('b', 1), ('a', 2), ('c', 3))
        self.assertEqual(self.next_pair(), (3, 'w2'))
        self.agenda.discard(3)
        self.assertEqual(self.next_pair()[0], 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class Workers(Case):
    def setUp(self):
        super().setUp()
        self.ordering.order = 'worker'

    def test_the_best_worker_takes_the_first_that_it_could(self):
        self.best = ['w2', 'w1']
        self.add(('a', 1), ('b', 2), ('c', 3))
        self.assertEqual(self.next(), ('b', 2))
        self.agenda.worker_full('w2')
        self.assertEqual(self.next(), ('a', 1))

    def test_a_worker_that_refused_a_lane_is_not_its_best(self):
        self.best = ['w2', 'w1']
        self.add(('b', 1), ('c', 2))
        lane = next(self.agenda.runnable(anybody))
        self.agenda.refused(lane, 'w2')
        self.assertEqual(self.next(), ('c', 2))

    def test_workers_of_which_nothing_is_thought_are_used_all_the_same(self):
        self.best = []
        self.add(('a', 1), ('c', 2))
        self.assertEqual(self.next(), ('a', 1))

    def test_nothing_waits_and_nothing_is_next(self):
        self.assertIsNone(self.next())
