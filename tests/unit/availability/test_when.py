# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import calendar
import math
import os
import time
from datetime import timedelta
from datetime import timezone

from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.availability.when import duration
from buildbot_balancer.availability.when import moment
from buildbot_balancer.availability.when import span_text
from buildbot_balancer.errors import TimeError

DAY = 86400
TEN_YEARS = 10 * 366 * DAY
# Central European time, spelt out: no time zone files are needed. In 2024 the clock went forward
# on 31 March at 01:00 UTC and back on 27 October at 01:00 UTC.
BERLIN = 'CET-1CEST,M3.5.0,M10.5.0/3'
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def utc(*parts: int) -> float:
    """Epoch seconds of year, month, day, hour, minute, second."""
    return float(calendar.timegm((*parts, 0, 0, 0, 0)[:6]))


def set_zone(name: str | None) -> None:
    if name is None:
        os.environ.pop('TZ', None)
    else:
        os.environ['TZ'] = name
    time.tzset()


class ZoneCase(SynchronousTestCase):
    zone = BERLIN

    def setUp(self):
        self.addCleanup(set_zone, os.environ.get('TZ'))
        set_zone(self.zone)


class Durations(SynchronousTestCase):
    def test_each_unit_is_known(self):
        for text, seconds in (
            ('90s', 90),
            ('15m', 900),
            ('2h', 7200),
            ('3d', 3 * DAY),
            ('2w', 14 * DAY),
        ):
            self.assertEqual(duration(text), seconds, text)

    def test_units_add_up_and_may_be_set_apart(self):
        for text in ('1h30m', ' 1h 30m ', '1 H 30 M', '1.5h', '30m1h'):
            self.assertEqual(duration(text), 5400, text)

    def test_what_has_no_unit_or_another_one_is_refused(self):
        for text in (
            '',
            ' ',
            '90',
            'h',
            '1y',
            '-1h',
            '1h30',
            '1,5h',
            '.5h',
            '1h!',
            '\uff11h',
            'nan s',
        ):
            error = self.assertRaises(TimeError, duration, text)
            self.assertIn('is no duration', str(error), text)

    def test_ten_years_are_the_most(self):
        self.assertEqual(duration('3660d'), TEN_YEARS)
        for text in ('3661d', '9' * 500 + 's', '9' * 5000 + 'w', '1w' * 600):
            error = self.assertRaises(TimeError, duration, text)
            self.assertIn('longer than ten years', str(error))
            self.assertTrue(len(str(error)) < 100)

    @settings(deadline=None)
    @given(st.one_of(st.text(), st.text('0123456789.smhdw \n'), st.from_regex(r'(\d+[smhdw] ?)+')))
    def test_any_text_is_a_duration_in_range_or_a_time_error(self, text):
        try:
            seconds = duration(text)
        except TimeError:
            return
        self.assertTrue(0 <= seconds <= TEN_YEARS, seconds)

    @given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
    def test_parts_count_by_their_units(self, hours, minutes, seconds):
        self.assertEqual(
            duration(f'{hours}h{minutes}m{seconds}s'), 3600 * hours + 60 * minutes + seconds
        )


class MomentsByTheClock(ZoneCase):
    def test_a_time_later_today_is_today(self):
        now = utc(2024, 6, 1, 10)  # 12:00 in Berlin
        self.assertEqual(moment('18:00', now), utc(2024, 6, 1, 16))
        self.assertEqual(moment(' 12:00:01 ', now), now + 1)

    def test_a_time_that_has_passed_or_is_now_is_tomorrow(self):
        now = utc(2024, 6, 1, 10)
        self.assertEqual(moment('12:00', now), now + DAY)
        self.assertEqual(moment('9:05', now), utc(2024, 6, 2, 7, 5))

    def test_tomorrow_keeps_its_clock_when_the_clocks_change_in_between(self):
        before_spring = utc(2024, 3, 30, 19)  # 20:00 in winter time
        self.assertEqual(moment('18:00', before_spring), utc(2024, 3, 31, 16))
        before_autumn = utc(2024, 10, 26, 18)  # 20:00 in summer time
        self.assertEqual(moment('18:00', before_autumn), utc(2024, 10, 27, 17))

    def test_a_time_that_the_clock_skips_comes_as_long_after_midnight_as_usual(self):
        now = utc(2024, 3, 31, 0)  # 01:00; at 02:00 it becomes 03:00
        self.assertEqual(moment('02:30', now), utc(2024, 3, 31, 1, 30))

    def test_a_time_that_comes_twice_is_first_the_first_then_the_second(self):
        first, second = utc(2024, 10, 27, 0, 30), utc(2024, 10, 27, 1, 30)
        self.assertEqual(moment('02:30', first - 3600), first)
        self.assertEqual(moment('02:30', second - 60), second)
        self.assertEqual(moment('02:30', second), utc(2024, 10, 28, 1, 30))

    def test_between_a_time_that_comes_twice_its_second_coming_is_the_next(self):
        now = utc(2024, 10, 27, 0, 45)  # 02:45 for the first time
        self.assertEqual(moment('02:30', now), utc(2024, 10, 27, 1, 30))

    def test_a_clock_that_does_not_exist_is_refused(self):
        for text in ('24:00', '25:00', '12:60', '12:30:60', '12', '12:3', '123:00', '-1:00'):
            self.assertRaises(TimeError, moment, text, utc(2024, 6, 1))

    @settings(deadline=None)
    @given(
        st.one_of(
            st.integers(0, 366 * 24 * 60).map(lambda minute: utc(2024, 1, 1) + 60 * minute),
            # the nights in which the clocks change
            st.integers(0, 36 * 60).map(lambda minute: utc(2024, 3, 30, 12) + 60 * minute),
            st.integers(0, 36 * 60).map(lambda minute: utc(2024, 10, 26, 12) + 60 * minute),
        ),
        st.integers(0, 23),
        st.integers(0, 59),
    )
    def test_a_clock_is_the_next_moment_at_which_the_clock_shows_it(self, now, hour, minute):
        midnight = now // DAY * DAY
        # all moments near `now` that any of the zone's two offsets could mean
        near = [
            midnight + day * DAY + hour * 3600 + minute * 60 - offset
            for day in range(-1, 4)
            for offset in (3600, 7200)
        ]
        shown = [t for t in near if t > now and time.localtime(t)[3:5] == (hour, minute)]
        skipped = utc(2024, 3, 31, hour - 1, minute) if hour == 2 else -math.inf
        found = moment(f'{hour:02}:{minute:02}', now)
        if found != skipped:
            self.assertEqual(found, min(shown))
        self.assertTrue(now < found <= now + DAY + 3600)


class MomentsByDate(ZoneCase):
    now = utc(2024, 6, 1, 10)

    def test_a_date_with_a_time_is_local(self):
        for text in ('2024-12-24 08:00', '2024-12-24T08:00', ' 2024-12-24 08:00:00 '):
            self.assertEqual(moment(text, self.now), utc(2024, 12, 24, 7))
        self.assertEqual(moment('2024-07-24 08:00', self.now), utc(2024, 7, 24, 6))

    def test_a_date_alone_is_its_first_moment(self):
        self.assertEqual(moment('2024-12-24', self.now), utc(2024, 12, 23, 23))

    def test_a_zone_that_is_given_counts(self):
        for text in ('2024-12-24T08:00Z', '2024-12-24 08:00z', '2024-12-24 13:30+05:30'):
            self.assertEqual(moment(text, self.now), utc(2024, 12, 24, 8))

    def test_a_duration_counts_from_now(self):
        self.assertEqual(moment('1h30m', self.now), self.now + 5400)
        self.assertEqual(moment('2 D', self.now), self.now + 2 * DAY)

    def test_more_than_ten_years_away_is_refused(self):
        self.assertEqual(moment('2034-01-01 01:00', self.now), utc(2034, 1, 1))
        for text in ('2042-12-24 08:00', '9999-01-01 00:00', '11000d'):
            error = self.assertRaises(TimeError, moment, text, self.now)
            self.assertIn('ten years', str(error))

    def test_for_ever_as_people_write_it_is_more_than_ten_years_away(self):
        error = self.assertRaises(TimeError, moment, '9999-12-31', self.now)
        self.assertIn('ten years', str(error))

    def test_what_is_no_time_is_told_with_what_would_be_one(self):
        for text in ('', 'tomorrow', '2024-13-01 08:00', '2024-02-30', '08.00', '18:00 tomorrow'):
            error = self.assertRaises(TimeError, moment, text, self.now)
            self.assertIn('such as 18:00', str(error))

    @settings(deadline=None)
    @given(
        st.one_of(
            st.text(),
            st.text('0123456789-: TZ+.'),
            st.datetimes().map(str),
            st.datetimes(timezones=OFFSETS).map(str),
        )
    )
    @example('0001-01-01 00:00')
    @example('0001-01-01T00:00+23:59')
    @example('9999-12-31T23:59-23:59')
    @example('\ud800')
    @example('2024-06-01\x0010:00')
    def test_any_text_is_a_moment_within_ten_years_or_a_time_error(self, text):
        try:
            found = moment(text, self.now)
        except TimeError:
            return
        self.assertTrue(math.isfinite(found))
        self.assertTrue(found <= self.now + TEN_YEARS, found)


class Shown(ZoneCase):
    now = utc(2024, 6, 1, 10)

    def test_a_moment_within_a_day_is_a_clock(self):
        self.assertEqual(clock_text(self.now + 6 * 3600, self.now), '18:00')
        self.assertEqual(clock_text(self.now - 5 * 60, self.now), '11:55')

    def test_a_moment_further_away_has_its_date(self):
        self.assertEqual(clock_text(self.now + DAY, self.now), '2024-06-02 12:00')
        self.assertEqual(clock_text(utc(2024, 12, 24, 7), self.now), '2024-12-24 08:00')

    @settings(deadline=None)
    @given(st.integers(1, 60 * 24 * 60))
    def test_a_moment_that_is_shown_can_be_typed_again(self, minutes):
        at = self.now + 60 * minutes
        self.assertEqual(moment(clock_text(at, self.now), self.now), at)

    def test_a_span_is_shown_in_its_largest_unit(self):
        for seconds, text in (
            (-5, '0 s'),
            (0.4, '0 s'),
            (59.9, '59 s'),
            (60, '1 min'),
            (299, '4 min'),
            (3600, '1 h'),
            (DAY - 1, '23 h'),
            (DAY, '1 d'),
            (40 * DAY, '40 d'),
        ):
            self.assertEqual(span_text(seconds), text)
