# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter.hold import Hold
from buildbot_balancer.reporter.hold import Threshold

MOODS = st.none() | st.sampled_from(Mood)
STEPS = st.lists(st.tuples(st.floats(0.1, 40), MOODS), min_size=1, max_size=60)
HOLD = 30.0


def level(mood):
    return len(Mood) if mood is None else int(mood)


class Held(SynchronousTestCase):
    def test_the_first_mood_counts_at_once(self):
        self.assertIs(Hold(HOLD).settle(None, 0), None)
        self.assertIs(Hold(HOLD).settle(Mood.OFFLINE, 0), Mood.OFFLINE)

    def test_a_lower_mood_counts_at_once_and_a_higher_one_after_the_hold_time(self):
        hold = Hold(HOLD)
        for now, wanted, settled in (
            (0, None, None),
            (1, Mood.RELUCTANT, Mood.RELUCTANT),
            (2, Mood.OFFLINE, Mood.OFFLINE),
            (3, None, Mood.OFFLINE),
            (32.9, None, Mood.OFFLINE),
            (33, None, None),
        ):
            self.assertIs(hold.settle(wanted, now), settled, now)

    def test_a_relapse_begins_the_hold_time_anew(self):
        hold = Hold(HOLD)
        hold.settle(Mood.OFFLINE, 0)
        hold.settle(None, 10)
        hold.settle(Mood.OFFLINE, 35)
        self.assertFalse(hold.waits)
        self.assertIs(hold.settle(None, 41), Mood.OFFLINE)
        self.assertTrue(hold.waits)
        self.assertIs(hold.settle(None, 71), None)
        self.assertFalse(hold.waits)

    def test_it_rises_no_further_than_the_least_that_was_wanted_meanwhile(self):
        hold = Hold(HOLD)
        hold.settle(Mood.OFFLINE, 0)
        hold.settle(None, 10)
        hold.settle(Mood.RELUCTANT, 20)
        self.assertIs(hold.settle(None, 40), Mood.RELUCTANT)
        self.assertIs(hold.settle(None, 69), Mood.RELUCTANT)
        self.assertIs(hold.settle(None, 99), None)

    def test_no_hold_time_changes_nothing(self):
        hold = Hold(0)
        for now, wanted in enumerate((None, Mood.OFFLINE, None, Mood.EAGER, None)):
            self.assertIs(hold.settle(wanted, now), wanted)

    @given(STEPS)
    def test_it_is_never_more_willing_than_wanted_now(self, steps):
        hold, now = Hold(HOLD), 0.0
        for wait, wanted in steps:
            now += wait
            self.assertLessEqual(level(hold.settle(wanted, now)), level(wanted))

    @given(STEPS)
    def test_it_rises_once_and_falls_to_and_fro_once_in_a_hold_time_at_most(self, steps):
        hold, now, before = Hold(HOLD), 0.0, None
        rises, turns = [], []
        for index, (wait, wanted) in enumerate(steps):
            now += wait
            settled = hold.settle(wanted, now)
            change = level(settled) - level(before) if index else 0
            if change > 0:
                rises.append(now)
            elif change < 0 and rises and (not turns or turns[-1] < rises[-1]):
                turns.append(now)  # the first fall after a rise: the mood has flapped
            before = settled
        for moments in (rises, turns):
            for one, other in zip(moments, moments[1:]):
                self.assertGreaterEqual(other - one, HOLD)

    @given(STEPS, MOODS)
    def test_what_stays_is_reached_after_the_hold_time(self, steps, last):
        hold, now = Hold(HOLD), 0.0
        for wait, wanted in steps:
            now += wait
            hold.settle(wanted, now)
        for after in range(0, 91, 10):
            settled = hold.settle(last, now + after)
        self.assertIs(settled, last)


class Thresholds(SynchronousTestCase):
    def test_between_the_two_it_stays_as_it_was(self):
        limit = Threshold(busy=0.7, free=0.3)
        for value, crossed in (
            (0.5, False),
            (0.7, True),
            (0.31, True),
            (0.3, False),
            (0.69, False),
            (9, True),
        ):
            self.assertIs(limit.look(value), crossed, value)

    def test_what_is_no_number_changes_nothing(self):
        limit = Threshold(busy=0.7, free=0.3, crossed=True)
        self.assertTrue(limit.look(float('nan')))
