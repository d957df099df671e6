# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from unittest import TestCase

from benchmarks.plan import BALANCER
from benchmarks.plan import DRAIN
from benchmarks.plan import FLOOR
from benchmarks.plan import MOOD
from benchmarks.plan import SCENARIOS
from benchmarks.plan import SIDES
from benchmarks.plan import STOCK
from benchmarks.plan import Plan
from benchmarks.size import Size
from benchmarks.suite import LARGEST
from benchmarks.suite import Suite


def of(plans, scenario):
    return [(plan.size, plan.side) for plan in plans if plan.scenario == scenario]


class Plans(TestCase):
    def test_every_scenario_is_in_the_whole_run(self):
        self.assertEqual({plan.scenario for plan in Suite().plans()}, set(SCENARIOS))

    def test_both_sides_of_a_size_follow_its_floor(self):
        size = Size(1, 10, 1000)
        plans = Suite(sizes=[size]).plans()[:3]
        found = [(plan.scenario, plan.side) for plan in plans]
        self.assertEqual(found, [(FLOOR, STOCK), (DRAIN, STOCK), (DRAIN, BALANCER)])

    def test_only_the_balancer_drains_the_largest(self):
        sides = [side for size, side in of(Suite().plans(), DRAIN) if size == LARGEST]
        self.assertEqual(sides, [BALANCER])

    def test_one_side_alone_has_nothing_of_the_other(self):
        for side in SIDES:
            plans = Suite(sides=[side]).plans()
            measured = {plan.side for plan in plans if plan.scenario != FLOOR}
            self.assertEqual(measured, {side})

    def test_a_stock_master_knows_no_moods(self):
        self.assertEqual({side for _, side in of(Suite().plans(), MOOD)}, {BALANCER})

    def test_one_scenario_alone_has_nothing_of_the_others(self):
        plans = Suite(scenarios=[FLOOR]).plans()
        self.assertEqual({plan.scenario for plan in plans}, {FLOOR})


class Wire(TestCase):
    def test_a_plan_arrives_as_it_was_sent(self):
        for plan in Suite(profile='there').plans():
            self.assertEqual(Plan.from_json(plan.to_json()), plan)
