# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from unittest import TestCase

from benchmarks.medians import medians


class Medians(TestCase):
    def test_each_figure_has_its_own(self):
        found = [{'a': 1, 'b': 9}, {'a': 5, 'b': 7}, {'a': 2, 'b': 8}]
        self.assertEqual(medians(found), {'a': 2, 'b': 8})

    def test_figures_within_figures_too(self):
        self.assertEqual(
            medians([{'idle': {'p50': 1}}, {'idle': {'p50': 3}}]), {'idle': {'p50': 2}}
        )

    def test_a_figure_that_one_run_lacks_is_that_of_the_others(self):
        self.assertEqual(medians([{'first': None}, {'first': 4}]), {'first': 4})

    def test_a_figure_that_all_lack_stays_unknown(self):
        self.assertEqual(medians([{'first': None}]), {'first': None})
