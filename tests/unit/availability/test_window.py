# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import calendar
import os
import time as clock
from datetime import datetime
from datetime import time
from datetime import timedelta
from zoneinfo import ZoneInfo

from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.window import Window
from buildbot_balancer.errors import TimeError

HOUR = 3600
DAY = 86400
MINUTE = timedelta(minutes=1)


def utc(*parts):
    """Epoch seconds of year, month, day, hour, minute, second."""
    return float(calendar.timegm((*parts, 0, 0, 0, 0)[:6]))


def walk(window, begin, end):
    """(moment, inside) for each minute, by looking at the clock on the wall and nothing else."""
    zone = ZoneInfo(window.timezone.name)
    midnight = datetime.fromtimestamp(begin, zone).replace(tzinfo=None, hour=0, minute=0)
    edges = []
    for index in range(-1, int((end - begin) // DAY) + 3):
        day = midnight + timedelta(days=index)
        if day.weekday() in window.days:
            over = timedelta(days=int(window.end < window.start))
            edges.append((day + window.start, day + over + window.end))
    reached = None
    for at in range(int(begin) - 2 * DAY, int(end), 60):
        shown = datetime.fromtimestamp(at, zone).replace(tzinfo=None)
        reached = shown if reached is None else max(reached, shown)
        if at >= begin:
            yield at, any(first <= reached < last for first, last in edges)


class Bounds(SynchronousTestCase):
    """In UTC, where nothing ever changes. 2024-01-01 was a Monday."""

    def test_it_has_its_first_minute_and_not_its_last(self):
        window = Window('Mon-Fri', '09:00', '17:30', timezone='UTC')
        for parts, inside in (
            ((2024, 1, 1, 8, 59, 59), False),
            ((2024, 1, 1, 9), True),
            ((2024, 1, 1, 17, 29, 59), True),
            ((2024, 1, 1, 17, 30), False),
            ((2024, 1, 6, 12), False),  # a Saturday
        ):
            self.assertIs(window.contains(utc(*parts)), inside, parts)

    def test_over_midnight_the_day_is_the_one_on_which_it_starts(self):
        window = Window('Fri', '22:00', '06:00', timezone='UTC')
        for parts, inside in (
            ((2024, 1, 5, 5), False),
            ((2024, 1, 5, 22), True),
            ((2024, 1, 6, 5, 59), True),
            ((2024, 1, 6, 6), False),
            ((2024, 1, 6, 22), False),
        ):
            self.assertIs(window.contains(utc(*parts)), inside, parts)

    def test_the_next_change_is_its_end_inside_and_its_start_outside(self):
        window = Window('Mon-Fri', '22:00', '06:00', timezone='UTC')
        self.assertEqual(window.next_change(utc(2024, 1, 1, 12)), utc(2024, 1, 1, 22))
        self.assertEqual(window.next_change(utc(2024, 1, 1, 22)), utc(2024, 1, 2, 6))
        self.assertEqual(window.next_change(utc(2024, 1, 6, 6)), utc(2024, 1, 8, 22))

    def test_days_that_follow_each_other_without_a_gap_are_one_stay(self):
        window = Window('Mon-Wed', '00:00', '24:00', timezone='UTC')
        self.assertEqual(window.next_change(utc(2024, 1, 1, 5)), utc(2024, 1, 4))

    def test_every_day_all_day_never_changes(self):
        window = Window('daily', '00:00', '24:00', timezone='Europe/Berlin')
        self.assertTrue(window.contains(utc(2024, 3, 31, 1)))
        self.assertIsNone(window.next_change(utc(2024, 3, 31, 1)))

    def test_a_leap_day_is_a_day_as_any_other(self):
        thursday = Window('Thu', '08:00', '09:00', timezone='UTC')
        self.assertTrue(thursday.contains(utc(2024, 2, 29, 8, 30)))
        self.assertEqual(thursday.next_change(utc(2024, 2, 28, 12)), utc(2024, 2, 29, 8))
        night = Window('Thu', '23:00', '01:00', timezone='UTC')
        self.assertEqual(night.next_change(utc(2024, 2, 29, 23)), utc(2024, 3, 1, 1))
        self.assertEqual(night.next_change(utc(2023, 2, 28, 12)), utc(2023, 3, 2, 23))


class ClockChanges(SynchronousTestCase):
    """In Berlin the clock skips 02:00 to 03:00 on 2024-03-31, and shows it twice on 10-27."""

    def stay(self, start, end, day):
        window = Window('Sun', start, end, timezone='Europe/Berlin')
        begin = window.next_change(day)
        return begin, window.next_change(begin)

    def test_a_start_that_is_skipped_is_the_moment_of_the_change(self):
        begin, end = self.stay('02:30', '04:00', utc(2024, 3, 30, 20))
        self.assertEqual((begin, end), (utc(2024, 3, 31, 1), utc(2024, 3, 31, 2)))

    def test_an_end_that_is_skipped_is_the_moment_of_the_change(self):
        begin, end = self.stay('00:00', '02:30', utc(2024, 3, 30, 20))
        self.assertEqual((begin, end), (utc(2024, 3, 30, 23), utc(2024, 3, 31, 1)))

    def test_a_window_that_is_skipped_as_a_whole_comes_a_week_later(self):
        begin, end = self.stay('02:10', '02:50', utc(2024, 3, 30, 20))
        self.assertEqual((begin, end), (utc(2024, 4, 7, 0, 10), utc(2024, 4, 7, 0, 50)))

    def test_of_a_start_that_comes_twice_the_first_counts(self):
        begin, end = self.stay('02:30', '04:00', utc(2024, 10, 26, 20))
        self.assertEqual((begin, end), (utc(2024, 10, 27, 0, 30), utc(2024, 10, 27, 3)))

    def test_of_an_end_that_comes_twice_the_first_counts(self):
        begin, end = self.stay('01:00', '02:30', utc(2024, 10, 26, 20))
        self.assertEqual((begin, end), (utc(2024, 10, 26, 23), utc(2024, 10, 27, 0, 30)))

    def test_the_hour_that_comes_twice_is_in_a_window_around_it_both_times(self):
        begin, end = self.stay('01:00', '04:00', utc(2024, 10, 26, 20))
        self.assertEqual(end - begin, 4 * HOUR)

    def test_windows_that_follow_each_other_leave_no_gap_and_do_not_overlap(self):
        early = Window('daily', '22:00', '02:30', timezone='Europe/Berlin')
        late = Window('daily', '02:30', '22:00', timezone='Europe/Berlin')
        for begin in (utc(2024, 3, 30, 12), utc(2024, 10, 26, 12)):
            for at in range(int(begin), int(begin) + DAY, 60):
                self.assertNotEqual(early.contains(at), late.contains(at), at)

    def test_a_day_that_a_zone_leaves_out_is_left_out(self):
        # Samoa went from Thursday the 29th to Saturday the 31st of December 2011
        friday = Window('Fri', '08:00', '09:00', timezone='Pacific/Apia')
        begin = friday.next_change(utc(2011, 12, 28))
        shown = datetime.fromtimestamp(begin, ZoneInfo('Pacific/Apia'))
        self.assertEqual((shown.year, shown.month, shown.day, shown.hour), (2012, 1, 6, 8))

    def test_the_machines_own_zone_is_the_one_that_it_has(self):
        def set_zone(name):
            os.environ.pop('TZ', None)
            if name is not None:
                os.environ['TZ'] = name
            clock.tzset()

        self.addCleanup(set_zone, os.environ.get('TZ'))
        set_zone('CET-1CEST,M3.5.0,M10.5.0/3')
        window = Window('Sun', '02:30', '04:00', timezone='local')
        self.assertEqual(window.next_change(utc(2024, 3, 30, 20)), utc(2024, 3, 31, 1))
        self.assertEqual(window.next_change(utc(2024, 10, 26, 20)), utc(2024, 10, 27, 0, 30))
        set_zone('UTC0')
        self.assertTrue(window.contains(utc(2024, 3, 31, 2, 30)))


DAYS = st.sets(st.integers(0, 6), min_size=1).map(
    lambda days: [('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')[day] for day in days]
)
CLOCKS = st.tuples(st.integers(0, 23), st.sampled_from([0, 1, 29, 30, 59])).map(
    lambda clock: f'{clock[0]:02}:{clock[1]:02}'
)
ZONES = st.sampled_from(
    ['UTC', 'Europe/Berlin', 'Australia/Lord_Howe', 'America/St_Johns', 'Africa/Casablanca']
)
# the nights in which clocks change somewhere, a leap day, and any night at all
NIGHTS = st.one_of(
    st.sampled_from(
        [
            utc(2024, 3, 30, 18),
            utc(2024, 10, 26, 18),
            utc(2024, 4, 6, 9),  # Lord Howe: half an hour
            utc(2024, 10, 5, 9),
            utc(2024, 3, 9, 18),
            utc(2024, 11, 2, 18),
            utc(2024, 2, 28, 18),
            utc(2024, 12, 31, 12),
        ]
    ),
    st.integers(0, 20 * 366 * 24 * 60).map(lambda minute: utc(2015, 1, 1) + 60 * minute),
)


class AgainstAWalk(SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(DAYS, CLOCKS, CLOCKS, ZONES, NIGHTS)
    @example(['Sun'], '02:30', '02:00', 'Europe/Berlin', utc(2024, 3, 31))
    @example(['Sun', 'Sat'], '03:00', '02:00', 'Europe/Berlin', utc(2024, 3, 30, 12))
    def test_it_agrees_with_each_minute_of_the_clock_on_the_wall(
        self, days, start, end, zone, begin
    ):
        if start == end:
            return
        window = Window(days, start, end, timezone=zone)
        before = None
        change = window.next_change(begin)
        for at, inside in walk(window, begin, begin + 1.5 * DAY):
            self.assertIs(window.contains(at), inside, at)
            if before is not None and inside is not before:
                self.assertEqual(at, change)
                change = window.next_change(at)
            elif change is not None:
                self.assertLess(at, change)
            before = inside

    @settings(max_examples=200, deadline=None)
    @given(DAYS, CLOCKS, CLOCKS, ZONES, NIGHTS, st.floats(0, 60))
    def test_the_next_change_is_later_and_the_first_at_which_it_changes(
        self, days, start, end, zone, begin, more
    ):
        if start == end:
            return
        window = Window(days, start, end, timezone=zone)
        now = begin + more
        change = window.next_change(now)
        if change is None:
            self.assertTrue(window.always)
            return
        self.assertLess(now, change)
        self.assertLess(change, now + 15 * DAY)
        inside = window.contains(now)
        self.assertIs(window.contains(change), not inside)
        self.assertIs(window.contains(change - 1), inside if change - 1 >= now else not inside)
        for part in (0.25, 0.5, 0.75):
            self.assertIs(window.contains(now + part * (change - now)), inside)


class Refused(SynchronousTestCase):
    def said(self, *args, **more):
        return str(self.assertRaises(TimeError, Window, *args, **{'timezone': 'UTC', **more}))

    def test_a_window_of_no_length(self):
        said = self.said('Mon', '08:00', '08:00')
        self.assertEqual(
            said,
            'a window from 08:00 to 08:00 has no length (a whole day is from 00:00 to 24:00)',
        )

    def test_a_window_without_a_timezone(self):
        for name in (None, '', ' ', 1):
            self.assertIn('needs a timezone', self.said('Mon', '08:00', '09:00', timezone=name))
        self.assertRaises(TimeError, Window, 'Mon', '08:00', '09:00')

    def test_a_timezone_that_does_not_exist_with_the_nearest_that_does(self):
        said = self.said('Mon', '08:00', '09:00', timezone='Europe/Berln')
        self.assertEqual(
            said,
            'there is no timezone "Europe/Berln" (such as Europe/Berlin, or UTC);'
            ' did you mean "Europe/Berlin"?',
        )
        for name in ('../../etc/passwd', '/etc/localtime', 'Europe', 'a\x00b', 'x' * 5000):
            said = self.said('Mon', '08:00', '09:00', timezone=name)
            self.assertIn('no timezone', said)
            self.assertLess(len(said), 200)

    def test_a_time_that_is_none(self):
        for text in ('25:00', '24:01', '08:60', '8', '', '08:00:30', '-1:00', None, 8, '\uff18:00'):
            self.assertIn('is no time of day', self.said('Mon', text, '09:00'), text)
        self.assertIn('is no time of day', self.said('Mon', time(8, 0, 30), '09:00'))

    def test_a_start_at_the_end_of_the_day(self):
        self.assertIn('00:00 of the next day', self.said('Mon', '24:00', '09:00'))


class Shown(SynchronousTestCase):
    def test_it_reads_as_a_person_would_write_it(self):
        for days, zone, text in (
            ('mon-FRI', 'Europe/Berlin', 'Mon-Fri 22:00-06:00 Europe/Berlin'),
            (['Sat', 'Sunday'], 'local', 'Sat,Sun 22:00-06:00'),
            ('every day', 'UTC', 'daily 22:00-06:00 UTC'),
        ):
            window = Window(days, '22:00', '6:00', timezone=zone, mood=Mood.EAGER)
            self.assertEqual(str(window), text)

    def test_a_time_of_toml_is_one_too(self):
        window = Window('Mon', time(8), time(9, 30), timezone='UTC')
        self.assertEqual(window, Window('Mon', '08:00', '09:30', timezone='UTC'))

    def test_two_that_mean_the_same_are_the_same(self):
        one = Window('Mon-Wed', '08:00', '09:00', timezone='UTC')
        other = Window('Mon,Tue, wed', '8:00', '9:00', timezone='UTC')
        self.assertEqual(one, other)
        self.assertEqual(hash(one), hash(other))
        self.assertNotEqual(one, Window('Mon-Wed', '08:00', '09:00', timezone='local'))
