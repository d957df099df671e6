# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import calendar

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.window import Window
from buildbot_balancer.reporter import says
from buildbot_balancer.reporter.judges import LEAST_STALE_AFTER
from buildbot_balancer.reporter.judges import Bench
from buildbot_balancer.reporter.judges import Judge
from buildbot_balancer.reporter.judges import WindowJudge
from buildbot_balancer.reporter.measured import LoadShare
from buildbot_balancer.reporter.measured import Reading
from buildbot_balancer.reporter.settings.reading import read

EVERYTHING = """\
[[window]]
from = "09:00"
to = "17:00"
timezone = "UTC"
mood = "reluctant"
[load]
busy = 1
[idle]
for = "1m"
[battery]
[pressure]
cpu = 1
[busy_with]
programs = "x"
[disk]
least = "1 GB"
[command]
run = "x"
"""


def utc(*parts):
    return float(calendar.timegm((*parts, 0, 0, 0, 0)[:6]))


def rule(value):
    return value, 'so it is'


class OfOneSection(SynchronousTestCase):
    def setUp(self):
        self.judge = Judge('x', rule, Mood.OFFLINE, 60.0)

    def said(self, reading, now):
        found = self.judge.judge(reading, now)
        return found.mood, found.words

    def test_what_the_rule_finds_is_said(self):
        self.assertEqual(self.said(Reading(Mood.EAGER), 0), (Mood.EAGER, 'so it is'))

    def test_what_was_never_measured_is_unknown_and_says_why(self):
        self.assertEqual(self.said(Reading(why='no eyes'), 0), (Mood.OFFLINE, 'unknown: no eyes'))

    def test_the_first_value_counts_at_once(self):
        self.said(Reading(), 0)
        self.assertEqual(self.said(Reading(Mood.EAGER, 1.0), 1)[0], Mood.EAGER)

    def test_a_value_counts_until_it_is_too_old_then_it_is_unknown(self):
        reading = Reading(Mood.EAGER, 100.0, 'it broke')
        self.assertEqual(self.said(reading, 100 + LEAST_STALE_AFTER)[0], Mood.EAGER)
        self.assertEqual(
            self.said(reading, 100 + LEAST_STALE_AFTER + 1), (Mood.OFFLINE, 'unknown: it broke')
        )
        self.assertEqual(self.said(reading, 400)[1], 'unknown for 5 min: it broke')

    def test_one_that_just_does_not_answer_says_that(self):
        self.assertEqual(self.said(Reading(Mood.EAGER, 0, ''), 50)[1], 'unknown: no answer')

    def test_what_is_measured_rarely_grows_old_slowly(self):
        judge = Judge('x', rule, Mood.OFFLINE, 0.0, every=600)
        self.assertIs(judge.judge(Reading(Mood.EAGER, 0.0), 1800).mood, Mood.EAGER)
        self.assertIs(judge.judge(Reading(Mood.EAGER, 0.0), 1801).mood, Mood.OFFLINE)

    def test_while_a_mood_is_held_the_words_say_so(self):
        self.said(Reading(Mood.OFFLINE), 0)
        self.assertEqual(
            self.said(Reading(Mood.EAGER, 10), 10), (Mood.OFFLINE, 'so it is; not yet for 1 min')
        )
        self.assertEqual(self.said(Reading(Mood.EAGER, 70), 70), (Mood.EAGER, 'so it is'))

    def test_words_cannot_steer_a_terminal_and_are_short(self):
        judge = Judge('x', lambda value: (None, 'a\x1b[31m\n' + 'b' * 500), Mood.EAGER, 0.0)
        words = judge.judge(Reading(1), 0).words
        self.assertTrue(words.startswith('a[31m b'))
        self.assertEqual(len(words), 200)


class OfWindows(SynchronousTestCase):
    def setUp(self):
        night = Window('daily', '22:00', '06:00', timezone='UTC', mood=Mood.EAGER)
        lunch = Window('Mon-Fri', '12:00', '13:00', timezone='UTC', mood=Mood.EAGER)
        backup = Window('Sun', '01:00', '02:00', timezone='UTC', mood=Mood.OFFLINE)
        self.judge = WindowJudge([night, lunch, backup], Mood.RELUCTANT)

    def said(self, *parts):
        found = self.judge.judge(utc(*parts))
        return found.mood, found.words, found.until

    def test_inside_and_outside(self):
        self.assertEqual(
            self.said(2024, 1, 1, 10), (Mood.RELUCTANT, 'outside', utc(2024, 1, 1, 12))
        )
        self.assertEqual(
            self.said(2024, 1, 1, 12, 30),
            (Mood.EAGER, 'in Mon-Fri 12:00-13:00 UTC', utc(2024, 1, 1, 13)),
        )

    def test_where_two_overlap_the_lower_mood_wins(self):
        self.assertEqual(
            self.said(2024, 1, 7, 1, 30),
            (Mood.OFFLINE, 'in Sun 01:00-02:00 UTC', utc(2024, 1, 7, 2)),
        )
        self.assertEqual(self.said(2024, 1, 7, 2)[::2], (Mood.EAGER, utc(2024, 1, 7, 6)))

    def test_it_lasts_until_the_mood_changes_and_not_until_a_window_does(self):
        early = Window('daily', '08:00', '12:00', timezone='UTC', mood=Mood.OFFLINE)
        late = Window('daily', '10:00', '18:00', timezone='UTC', mood=Mood.OFFLINE)
        self.judge = WindowJudge([early, late], Mood.EAGER)
        self.assertEqual(self.said(2024, 1, 1, 9)[2], utc(2024, 1, 1, 18))

    def test_what_it_remembers_is_never_too_old(self):
        for minute in range(0, 3 * 24 * 60, 7):
            now = utc(2024, 1, 6) + 60 * minute
            fresh = WindowJudge(self.judge._windows, Mood.RELUCTANT).judge(now)
            self.assertEqual(self.judge.judge(now), fresh)

    def test_a_clock_that_is_set_back_is_believed(self):
        self.assertIs(self.said(2024, 1, 1, 12, 0, 30)[0], Mood.EAGER)
        self.assertIs(self.said(2024, 1, 1, 11, 59, 59)[0], Mood.RELUCTANT)

    def test_windows_all_day_never_end(self):
        always = Window('daily', '00:00', '24:00', timezone='UTC', mood=Mood.OFFLINE)
        self.judge = WindowJudge([always], Mood.EAGER)
        self.assertEqual(self.said(2024, 1, 1)[::2], (Mood.OFFLINE, None))


class OfTheFile(SynchronousTestCase):
    def test_they_sit_in_the_order_of_authority(self):
        said = Bench(read(EVERYTHING), 10.0).judge({}, 0.0, utc(2024, 1, 1, 10))
        self.assertEqual([one.source for one in said], list(says.AUTOMATIC[1:]))

    def test_before_anything_was_measured_nobody_is_eager(self):
        for one in Bench(read(EVERYTHING), 10.0).judge({}, 0.0, utc(2024, 1, 1, 10)):
            self.assertLess(one.mood, Mood.EAGER, one)

    def test_what_the_file_does_not_ask_for_is_not_judged(self):
        self.assertEqual(Bench(read(''), 10.0).judge({}, 0.0, 0.0), ())
        said = Bench(read('[battery]\n'), 10.0).judge({}, 0.0, 0.0)
        self.assertEqual([one.source for one in said], ['battery'])

    def test_the_load_grows_old_by_the_interval_of_the_reports(self):
        bench = Bench(read('[load]\nbusy = 1\n'), 100.0)
        reading = {'load': Reading(LoadShare(load=0.0), 0.0)}
        self.assertIsNone(bench.judge(reading, 300.0, 0.0)[0].mood)
        self.assertIs(bench.judge(reading, 301.0, 0.0)[0].mood, Mood.RELUCTANT)

    def test_of_the_file_before_what_did_not_change_goes_on_to_be_held(self):
        busy = {'load': Reading(LoadShare(load=2.0)), 'disk': Reading(0.0)}
        free = {'load': Reading(LoadShare(load=0.0)), 'disk': Reading(9e9)}
        before = Bench(read('[load]\nbusy = 1\n[disk]\nleast = "1 GB"'), 10.0)
        before.judge(busy, 0.0, 0.0)
        bench = Bench(read('[load]\nbusy = 1\n[disk]\nleast = "2 GB"'), 10.0, before)
        disk, load = bench.judge(free, 1.0, 0.0)
        self.assertEqual((disk.mood, load.mood), (None, Mood.RELUCTANT))
