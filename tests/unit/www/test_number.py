# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbers that are not whole."""

from __future__ import annotations

from parameterized import parameterized
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.www.number import Number


class Numbers(SynchronousTestCase):
    @parameterized.expand([(1,), (0.25,), (-3.5,), (1_790_000_000.123,)])
    def test_numbers_are_valid(self, value):
        self.assertEqual(list(Number().validate('load', value)), [])

    @parameterized.expand([('1',), (None,), ([],)])
    def test_other_things_are_not(self, value):
        self.assertEqual(len(list(Number().validate('load', value))), 1)

    @parameterized.expand([(b'0.5', 0.5), ('0.5', 0.5), (b'2', 2.0), (b'1e3', 1000.0)])
    def test_a_filter_is_read_as_a_number(self, text, value):
        self.assertEqual(Number().valueFromString(text), value)

    @parameterized.expand([(b'nan',), (b'inf',), (b'-inf',), (b'x',), (b'',)])
    def test_what_json_does_not_have_is_refused(self, text):
        self.assertRaises(ValueError, Number().valueFromString, text)
