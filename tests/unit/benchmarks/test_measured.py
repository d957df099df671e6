# SPDX-License-Identifier: GPL-2.0-or-later
"""Each scenario, as small as it can be, on a real master in a process of its own."""

from __future__ import annotations

import contextlib
from unittest import TestCase

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.plan import BALANCER
from benchmarks.plan import CALM
from benchmarks.plan import DRAIN
from benchmarks.plan import EVENTS
from benchmarks.plan import FLOOR
from benchmarks.plan import MEMORY
from benchmarks.plan import MOOD
from benchmarks.plan import SIDES
from benchmarks.plan import Plan
from benchmarks.runner import Runner
from benchmarks.size import Size


def measured(scenario, side=BALANCER, pending=40, **more):
    size = Size(2, 3, pending)
    plan = Plan(scenario=scenario, size=size, side=side, warmup=3, starts=4, **more)
    said = []
    with contextlib.closing(Runner(said.append)) as runner:
        found = runner.run(plan)
    assert not said, said  # a log with errors
    return found


class Scenarios(TestCase):
    @pytest.mark.slow
    def test_both_sides_drain_all_there_is_and_ask_for_more_than_the_floor(self):
        for side in SIDES:
            found = measured(DRAIN, side)
            self.assertEqual(found['starts'], 40 - 3)
            self.assertGreaterEqual(found['calls_per_start'], 6)
            self.assertIsNotNone(found['first_start'])

    @pytest.mark.slow
    def test_the_floor_is_the_calls_that_buildbot_makes_for_every_request(self):
        found = measured(FLOOR)
        calls = {part: figures['calls'] for part, figures in found['parts'].items()}
        self.assertEqual(calls, {'load': 4, 'claim': 2, 'complete': 8})

    @pytest.mark.slow
    def test_a_calm_master_has_workers_that_waited(self):
        found = measured(CALM, build=1.0, seconds=4.0)
        self.assertGreater(found['idle']['count'], 3)

    @pytest.mark.slow
    def test_each_request_that_is_heard_of_is_started(self):
        self.assertEqual(measured(EVENTS, pending=0)['after_new']['count'], 4)

    @pytest.mark.slow
    def test_each_willing_worker_starts_what_waited_for_it(self):
        self.assertEqual(measured(MOOD, pending=0)['after_report']['count'], 4)

    @pytest.mark.slow
    def test_a_master_that_has_started_holds_memory(self):
        self.assertGreater(measured(MEMORY)['memory']['started'], 10)

    @pytest.mark.slow
    def test_a_process_that_measures_nothing_says_why(self):
        plan = Plan(scenario='nothing', size=Size(1, 1, 0))
        runner = Runner(lambda _: None)
        self.addCleanup(runner.close)
        with self.assertRaisesRegex(BenchmarkError, 'nothing 1/1/0 stock: ended with 1'):
            runner.run(plan)
