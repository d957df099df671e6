# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from unittest import TestCase

from benchmarks.waits import percentile
from benchmarks.waits import summary


class Percentile(TestCase):
    def test_of_a_hundred_values_p99_is_the_last_but_one(self):
        self.assertEqual(percentile(range(1, 101), 0.99), 99)

    def test_of_few_values_p99_is_the_largest(self):
        self.assertEqual(percentile([3.0, 1.0, 2.0], 0.99), 3.0)

    def test_the_middle_is_a_value_that_was_seen(self):
        self.assertEqual(percentile([4.0, 1.0, 3.0, 2.0], 0.5), 2.0)

    def test_of_no_values_there_is_none(self):
        self.assertIsNone(percentile([], 0.5))


class Summary(TestCase):
    def test_it_has_the_number_of_values_and_the_largest(self):
        found = summary([0.5, 0.1])
        self.assertEqual((found['count'], found['p50'], found['most']), (2, 0.1, 0.5))
