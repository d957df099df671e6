# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from datetime import datetime
from datetime import timezone

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.schedule import Availability
from buildbot_balancer.availability.schedule import together
from buildbot_balancer.availability.window import Window

HOUR = 3600.0


def at(hour, minute=0, day=16):
    """On a Monday and the days after it, UTC."""
    return datetime(2026, 11, day, hour, minute, tzinfo=timezone.utc).timestamp()


NIGHT = Window('Mon-Fri', '22:00', '06:00', timezone='UTC')
LUNCH = Window('daily', '12:00', '13:00', timezone='UTC')


class Inside(SynchronousTestCase):
    def test_the_mood_holds_inside_the_window_and_not_outside(self):
        hours = Availability('*', [NIGHT])
        self.assertIsNone(hours.caps(at(21, 59)).lowest(at(21, 59)))
        cap = hours.caps(at(23)).lowest(at(23))
        self.assertEqual(
            (cap.mood, cap.source, cap.until), (Mood.OFFLINE, 'schedule', at(6, day=17))
        )
        self.assertEqual(cap.reason, 'Mon-Fri 22:00-06:00 UTC')

    def test_outside_the_next_beginning_is_told(self):
        caps = Availability('*', [NIGHT, LUNCH]).caps(at(10))
        self.assertEqual((caps.caps, caps.changes_at), ((), at(12)))

    @given(st.floats(0, 14 * 24), st.sampled_from(['offline', 'reluctant']))
    def test_what_is_said_holds_until_the_next_change(self, after, mood):
        hours = Availability('*', [NIGHT, LUNCH], mood=mood)
        now = at(0) + after * HOUR
        caps = hours.caps(now)
        end = caps.next_change(now)
        for moment in (now, (now + end) / 2, end - 0.01):
            self.assertEqual(
                [c.until for c in hours.caps(moment).caps], [c.until for c in caps.caps]
            )


class Clearing(SynchronousTestCase):
    def setUp(self):
        self.hours = Availability('*', [NIGHT], clear_by=HOUR)

    def test_before_a_window_builds_must_be_over_by_its_start(self):
        self.assertIsNone(self.hours.caps(at(20, 59)).clears(at(20, 59)))
        self.assertEqual(self.hours.caps(at(21, 1)).clears(at(21, 1)), at(22))

    def test_a_window_in_which_builds_may_start_needs_no_clearing(self):
        hours = Availability('*', [NIGHT], mood='reluctant', clear_by=HOUR)
        self.assertIsNone(hours.caps(at(21, 30)).clears(at(21, 30)))

    def test_of_several_the_one_that_begins_to_clear_first_counts(self):
        early = Availability('*', [NIGHT], clear_by=2 * HOUR)
        both = together([self.hours.caps(at(20, 30)), early.caps(at(20, 30))])
        self.assertEqual(both.clears(at(20, 30)), at(22))

    def test_one_that_begins_to_clear_later_and_closes_earlier_counts_from_then_on(self):
        lunch = Availability('*', [LUNCH], clear_by=600)
        afternoon = Window('daily', '14:00', '15:00', timezone='UTC')
        long_before = Availability('*', [afternoon], clear_by=4 * HOUR)
        both = together([lunch.caps(at(10, 30)), long_before.caps(at(10, 30))])
        self.assertEqual(both.clears(at(11)), at(14))
        self.assertEqual(both.clears(at(11, 55)), at(12))


class Problems(SynchronousTestCase):
    def problem(self, *args, **kwargs):
        found = list(Availability(*args, **kwargs).problems())
        self.assertEqual(len(found), 1, found)
        return found[0]

    def test_a_good_one_has_none(self):
        self.assertEqual(list(Availability('w*', (NIGHT,), 'offline', 60).problems()), [])

    def test_each_is_a_sentence(self):
        self.assertIn('7 is no name', self.problem(7, [NIGHT]))
        self.assertIn('must be a list', self.problem('*'))
        self.assertIn('must be a list', self.problem('*', NIGHT))
        self.assertIn('no util.Window', self.problem('*', ['22:00']))
        self.assertIn('did you mean "offline"', self.problem('*', [NIGHT], 'ofline'))
        self.assertIn('change nothing', self.problem('*', [NIGHT], 'eager'))
        self.assertIn('clear_by= would be ignored', self.problem('*', [NIGHT], 'reluctant', 60))
        self.assertIn('a number of seconds', self.problem('*', [NIGHT], clear_by='2h'))
        self.assertIn('a number of seconds', self.problem('*', [NIGHT], clear_by=-1))
