# SPDX-License-Identifier: GPL-2.0-or-later
"""Agenda beside a plain table of who refused what."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.distribution.agenda import Agenda

WORKERS = ['w1', 'w2', 'w3']
NAMES = ['a', 'b', 'c']
SETS = st.frozensets(st.sampled_from(WORKERS))
CONFIGS = st.dictionaries(st.sampled_from(NAMES), SETS)
REQUESTS = st.integers(1, 12)


def anybody(_):
    return True


class Table(RuleBasedStateMachine):
    """`refused` and `full` are what was said since the last change; all else is free."""

    def __init__(self):
        super().__init__()
        self.agenda = Agenda()
        self.config, self.requests = {}, {}
        self.refused, self.full, self.locked = set(), set(), set()
        self.configure({'a': frozenset(WORKERS), 'b': frozenset({'w1', 'w2'})})

    @rule(config=CONFIGS)
    def configure(self, config):
        self.agenda.set_builders(config)
        self.config = config
        self.refused, self.full, self.locked = set(), set(), set()
        self.requests = {
            one: (builder, key, config[builder])
            for one, (builder, key, _) in self.requests.items()
            if builder in config
        }

    @rule(
        one=REQUESTS, builder=st.sampled_from(NAMES), key=st.integers(0, 5), only=SETS | st.none()
    )
    def add(self, one, builder, key, only):
        self.agenda.add(builder, one, (key,), only)
        self.requests.pop(one, None)
        workers = self.config.get(builder)
        if workers is not None:
            self.requests[one] = (builder, (key,), workers if only is None else workers & only)

    @rule(one=REQUESTS)
    def discard(self, one):
        self.agenda.discard(one)
        self.requests.pop(one, None)

    @rule(worker=st.sampled_from(WORKERS))
    def a_worker_changes(self, worker):
        self.agenda.worker_changed(worker)
        self.full.discard(worker)
        self.refused = {one for one in self.refused if one[2] != worker}

    @rule(worker=st.sampled_from(WORKERS))
    def a_worker_is_full(self, worker):
        self.agenda.worker_full(worker)
        self.full.add(worker)

    @rule(builder=st.sampled_from(NAMES))
    def a_builder_changes(self, builder):
        self.agenda.builder_changed(builder)
        self.full -= self.config.get(builder, frozenset())
        self.refused = {one for one in self.refused if one[0] != builder}

    @rule(builder=st.sampled_from(NAMES), worker=st.sampled_from(WORKERS))
    def a_lock_is_in_the_way(self, builder, worker):
        self.agenda.lock(builder, worker)
        self.locked.add((builder, worker))

    @rule(builder=st.sampled_from(NAMES), worker=st.sampled_from(WORKERS))
    def it_is_given_back(self, builder, worker):
        self.agenda.unlock(builder, worker)
        self.locked.discard((builder, worker))
        self.refused = {one for one in self.refused if (one[0], one[2]) != (builder, worker)}

    @rule(all_locks=st.booleans())
    def everything_changes(self, all_locks):
        if all_locks:
            self.agenda.unlock_all()
            self.locked = set()
        self.agenda.everything_changed()
        self.full -= frozenset().union(*self.config.values())
        self.refused = set()

    @precondition(lambda self: self.agenda.next(anybody))
    @rule(worker=st.sampled_from(WORKERS))
    def the_next_is_refused(self, worker):
        lane, _ = self.agenda.next(anybody)
        self.agenda.refused(lane, worker)
        self.refused.add((lane.builder, lane.workers, worker))

    def could(self, one):
        builder, _, workers = self.requests[one]
        return any(
            worker not in self.full
            and (builder, workers, worker) not in self.refused
            and (builder, worker) not in self.locked
            for worker in workers
        )

    @invariant()
    def the_next_is_the_first_that_could(self):
        for may in (anybody, lambda builder: builder == 'b'):
            could = [
                (key, one)
                for one, (builder, key, _) in self.requests.items()
                if self.could(one) and may(builder)
            ]
            # lanes are taken by their first request, which stands for all behind it
            found = self.agenda.next(may)
            assert (found and found[1]) == (min(could)[1] if could else None)

    @invariant()
    def it_knows_who_waits(self):
        assert len(self.agenda) == len(self.requests)
        for builder in NAMES:
            expected = {one for one, row in self.requests.items() if row[0] == builder}
            assert set(self.agenda.requests_of(builder)) == expected
        for one, (_, key, _) in self.requests.items():
            assert one in self.agenda
            assert self.agenda.key_of(one) == key


Table.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestTable = Table.TestCase


class Plain(SynchronousTestCase):
    def setUp(self):
        self.agenda = Agenda()
        self.agenda.set_builders({'a': frozenset({'w1', 'w2'}), 'b': frozenset({'w2'})})

    def test_a_request_of_a_builder_that_there_is_not_is_ignored(self):
        self.agenda.add('z', 1, (0,))
        self.assertNotIn(1, self.agenda)

    def test_one_with_no_worker_is_never_next_and_stops_nobody(self):
        self.agenda.add('a', 1, (0,), frozenset())
        self.agenda.add('a', 2, (1,))
        self.assertEqual(self.agenda.next(anybody)[1], 2)

    def test_who_has_a_worker_is_told_by_the_config(self):
        self.assertEqual(self.agenda.builders_of('w2'), {'a', 'b'})
        self.assertEqual(self.agenda.builders_of('w1'), {'a'})
        self.assertEqual(self.agenda.builders_of('w9'), set())
        self.assertEqual(self.agenda.size, 3)

    def test_requests_survive_a_reconfig_and_may_use_new_workers(self):
        self.agenda.add('b', 1, (0,))
        self.agenda.add('a', 2, (1,), frozenset({'w1'}))
        self.agenda.set_builders({'a': frozenset({'w3'}), 'b': frozenset({'w2', 'w3'})})
        self.agenda.worker_full('w2')
        self.assertEqual(self.agenda.next(anybody)[1], 1)
        self.agenda.discard(1)
        self.assertEqual(self.agenda.next(anybody)[1], 2)

    def test_a_look_costs_as_many_lanes_as_there_are_and_not_requests(self):
        for number in range(1000):
            self.agenda.add('a', number, (number,))
        asked = []
        self.agenda.next(asked.append)
        self.assertEqual(asked, ['a'])
