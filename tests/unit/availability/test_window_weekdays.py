# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.weekdays import ALL
from buildbot_balancer.availability.weekdays import NAMES
from buildbot_balancer.availability.weekdays import weekdays
from buildbot_balancer.availability.weekdays import weekdays_text
from buildbot_balancer.errors import TimeError


class Read(SynchronousTestCase):
    def test_days_spans_and_lists_as_people_write_them(self):
        for text, days in (
            ('Mon', {0}),
            ('Mo', {0}),
            ('tuesday', {1}),
            ('Tues.', {1}),
            ('Mon-Fri', {0, 1, 2, 3, 4}),
            ('Sat, Sun', {5, 6}),
            ('Sat,Sun,Sat', {5, 6}),
            ('Fri-Mon', {4, 5, 6, 0}),
            ('Mon - Tue , Thu', {0, 1, 3}),
            ('Wed-Wed', {2}),
            ('daily', ALL),
            ('Every  Day', ALL),
            (['Mon-Tue', 'Sun'], {0, 1, 6}),
            (['Mon,Tue', 'Sun'], {0, 1, 6}),
        ):
            self.assertEqual(weekdays(text), days, text)

    def test_what_is_none_is_refused_with_the_nearest(self):
        for text, hint in (('Mondey', 'Mon'), ('Thr', 'Thu'), ('Mon-Firday', 'Fri')):
            error = self.assertRaises(TimeError, weekdays, text)
            self.assertIn(f'did you mean "{hint}"?', str(error), text)

    def test_what_makes_no_sense_is_refused(self):
        for days in (
            '',
            'M',
            'Mon-',
            '-',
            'Mon-Tue-Wed',
            ',',
            [],
            [1],
            [['Mon']],
            5,
            None,
            'x' * 50,
        ):
            error = self.assertRaises(TimeError, weekdays, days)
            self.assertLess(len(str(error)), 120)


class Written(SynchronousTestCase):
    def test_it_is_short(self):
        for days, text in (
            ({0}, 'Mon'),
            ({0, 1}, 'Mon,Tue'),
            ({0, 1, 2}, 'Mon-Wed'),
            ({5, 6}, 'Sat,Sun'),
            ({4, 5, 6, 0}, 'Fri-Mon'),
            ({0, 2, 4, 5, 6}, 'Wed,Fri-Mon'),
            (ALL, 'daily'),
        ):
            self.assertEqual(weekdays_text(frozenset(days)), text)

    @given(st.frozensets(st.integers(0, len(NAMES) - 1), min_size=1))
    def test_what_is_written_is_read_back(self, days):
        self.assertEqual(weekdays(weekdays_text(days)), days)
