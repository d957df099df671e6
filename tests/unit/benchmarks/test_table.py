# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from unittest import TestCase

from benchmarks import table
from benchmarks.plan import BALANCER
from benchmarks.plan import DRAIN
from benchmarks.plan import FLOOR
from benchmarks.plan import STOCK
from benchmarks.plan import Plan
from benchmarks.size import Size
from benchmarks.table import Run

SIZE = Size(1, 10, 1000)


def drain(cpu, first=0.031, size=SIZE):
    return Run(
        Plan(scenario=DRAIN, size=size, side=BALANCER),
        {
            'starts': 100,
            'starts_per_second': 40.0,
            'cpu_per_start': cpu,
            'calls_per_start': 14.0,
            'first_start': first,
            'idle': {'p50': 0.25, 'p99': 0.5},
            'memory': {'most': 100.4},
        },
    )


def floor(cpu, size=SIZE):
    part = {'cpu': cpu / 3, 'calls': 4}
    return Run(
        Plan(scenario=FLOOR, size=size, side=STOCK),
        {
            'cpu_per_start': cpu,
            'calls_per_start': 14,
            'parts': {'load': part, 'claim': part, 'complete': part},
        },
    )


class Text(TestCase):
    def test_cpu_is_compared_with_the_floor_of_the_same_size(self):
        other = Size(100, 10, 1000)
        text = table.text([floor(0.020), floor(0.5, other), drain(0.023)])
        row = next(line for line in text.splitlines() if 'balancer' in line)
        self.assertIn('23 ms', row)
        self.assertIn(' 1.15 ', row)

    def test_without_its_floor_there_is_no_comparison(self):
        text = table.text([floor(0.020, Size(2, 2, 2)), drain(0.023)])
        row = next(line for line in text.splitlines() if 'balancer' in line)
        self.assertIn(' - ', row)

    def test_what_was_not_seen_is_a_dash(self):
        self.assertIn(' - ', table.text([floor(0.02), drain(0.023, first=None)]))

    def test_a_scenario_without_runs_has_no_table(self):
        self.assertNotIn('Floor', table.text([drain(0.023)]))

    def test_columns_of_every_row_start_below_their_rule(self):
        lines = table.text([drain(0.023), drain(1.5)]).splitlines()
        rule = next(line for line in lines if line.startswith('==='))
        starts = [at for at in range(1, len(rule)) if rule[at - 1] == ' ' and rule[at] == '=']
        for line in lines:
            if 'balancer' in line:
                self.assertTrue(all(line[at - 1] == ' ' and line[at] != ' ' for at in starts))
