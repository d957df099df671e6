# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from collections import Counter
from unittest import TestCase

from benchmarks.size import Size


class Parse(TestCase):
    def test_thousands_may_have_commas(self):
        self.assertEqual(Size.parse('1,000/200/10,000'), Size(1000, 200, 10000))

    def test_what_it_says_it_also_reads(self):
        size = Size(300, 100, 10_000)
        self.assertEqual(Size.parse(str(size)), size)

    def test_nothing_pending_is_a_size(self):
        self.assertEqual(Size.parse('1/1/0').pending, 0)

    def test_anything_else_is_refused_with_one_sentence(self):
        for text in ('', '1/2', '0/1/1', '1/0/1', 'a/b/c', '1/2/3/4', '-1/1/1', '1.5/1/1'):
            with self.assertRaisesRegex(ValueError, 'is not BUILDERS/WORKERS/PENDING'):
                Size.parse(text)


class Workers(TestCase):
    def test_a_builder_has_ten_different_ones(self):
        size = Size(300, 100, 0)
        for builder in range(size.builders):
            self.assertEqual(len(set(size.workers_of(builder))), 10)

    def test_where_there_are_fewer_a_builder_has_all(self):
        self.assertEqual(sorted(Size(3, 4, 0).workers_of(2)), Size(3, 4, 0).worker_names())

    def test_they_are_the_same_at_each_run(self):
        size = Size(300, 100, 0)
        self.assertEqual(size.workers_of(7), size.workers_of(7))

    def test_no_worker_has_far_more_builders_than_the_others(self):
        size = Size(1000, 200, 0)
        share = Counter(name for number in range(1000) for name in size.workers_of(number))
        self.assertEqual(len(share), 200)
        self.assertLess(max(share.values()), 2 * 50)
