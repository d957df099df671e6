# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import attrs
from hypothesis import assume
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.announcement import Announcement
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import Report
from buildbot_balancer.availability.standing import Freshness
from buildbot_balancer.availability.standing import Heard
from buildbot_balancer.availability.standing import Presence
from buildbot_balancer.availability.standing import Rules
from buildbot_balancer.availability.standing import conclude

T0 = 1_700_000_000.0
STALE = 30.0  # three heartbeats of ten seconds
MEASURED = ('load', 'own', 'cpu', 'memory', 'idle')

TIMES = st.one_of(
    st.integers(-600, 600).map(lambda seconds: T0 + seconds), st.floats(T0 - 600, T0 + 600)
)
MOODS = st.sampled_from(Mood)
REPORTS = st.builds(
    Report,
    incarnation=st.just('abc'),
    seq=st.just(1),
    mood=MOODS,
    source=st.sampled_from(['owner', 'drain', 'default']),
    reason=st.none() | st.just('mine'),
    until=st.none() | TIMES,
    draining=st.booleans(),
    interval=st.sampled_from([0.1, 10.0, 17.3, 60.0]),
    load=st.none() | st.floats(0, 9),
)
HEARD = st.none() | st.builds(Heard, report=REPORTS, at=TIMES)
ANNOUNCEMENTS = st.builds(
    Announcement,
    mood=st.none() | MOODS,
    reason=st.none() | st.just('mine'),
    until=st.none() | TIMES,
    draining=st.booleans(),
)
PRESENCES = st.builds(
    Presence,
    connected=st.booleans(),
    attached_at=st.none() | TIMES,
    announced=st.booleans(),
    announcement=st.none() | ANNOUNCEMENTS,
    heard=st.booleans(),
)
RULES = st.builds(
    Rules,
    stale_after=st.none() | st.sampled_from([5.0, 45.3, 300.0]),
    report_grace=st.sampled_from([0.0, 10.0, 33.3]),
    unreported=MOODS,
)


def heard(at=T0, **values):
    measured = dict.fromkeys(MEASURED, 0.5)
    said = {'incarnation': 'abc', 'seq': 1, 'mood': Mood.EAGER, 'source': 'owner', **measured}
    return Heard(report=Report(**{**said, **values}), at=at)


def attached(**values):
    """A worker that attached at T0, has a reporter, and has not reported yet."""
    known = {'connected': True, 'attached_at': T0, 'announced': True}
    return Presence(**{**known, **values})


def standing(heard=None, presence=None, now=T0, **rules):
    presence = presence or Presence(connected=True, heard=heard is not None)
    return conclude('w', heard, presence, now, Rules(**rules))


def but_for_the_timer(standing):
    return attrs.evolve(standing, changes_at=None)


class Reported(SynchronousTestCase):
    def test_a_fresh_report_is_taken_as_it_is(self):
        one = heard(mood=Mood.RELUCTANT, reason='mine', until=T0 + 900, cpus=4, host='h')
        concluded = standing(one, now=T0 + 5)
        self.assertTrue(concluded.fresh)
        for name in ('mood', 'source', 'reason', 'until', 'draining', 'cpus', 'host', *MEASURED):
            self.assertEqual(getattr(concluded, name), getattr(one.report, name), name)

    def test_a_stale_report_keeps_the_owners_word_and_drops_the_load(self):
        one = heard(mood=Mood.OFFLINE, reason='mine', draining=True, cpus=4, facts={'os': 'x'})
        concluded = standing(one, now=T0 + STALE + 1)
        self.assertIs(concluded.freshness, Freshness.STALE)
        self.assertIs(concluded.mood, Mood.OFFLINE)
        self.assertEqual((concluded.reason, concluded.draining), ('mine', True))
        for name in MEASURED:
            self.assertIsNone(getattr(concluded, name), name)
        # what a machine is does not age
        self.assertEqual((concluded.cpus, concluded.facts), (4, {'os': 'x'}))

    def test_a_worker_that_came_back_without_its_reporter_is_as_one_that_never_reported(self):
        presence = Presence(connected=True, announced=False, heard=False)
        concluded = standing(heard(mood=Mood.OFFLINE), presence, unreported=Mood.EAGER)
        self.assertEqual(concluded, standing(None, presence, unreported=Mood.EAGER))

    def test_the_word_of_a_worker_that_is_away_is_kept(self):
        away = Presence(connected=False)
        self.assertIs(standing(heard(mood=Mood.OFFLINE), away).mood, Mood.OFFLINE)

    def test_a_report_is_fresh_then_stale_then_silent(self):
        for age, freshness in (
            (-5, Freshness.FRESH),  # a clock that was set back
            (29, Freshness.FRESH),
            (31, Freshness.STALE),
            (119, Freshness.STALE),
            (121, Freshness.SILENT),
        ):
            self.assertIs(standing(heard(), now=T0 + age).freshness, freshness, age)

    def test_three_heartbeats_are_missed_before_a_report_is_stale_and_at_least_30_seconds(self):
        self.assertEqual(Rules().stale_age(heard(interval=60.0).report), 180)
        self.assertEqual(Rules().stale_age(heard(interval=0.1).report), 30)
        self.assertEqual(Rules(stale_after=5).stale_age(heard(interval=60.0).report), 5)

    def test_a_word_that_is_over_ends_by_the_owners_clock_while_the_reporter_speaks(self):
        one = heard(mood=Mood.OFFLINE, until=T0 + 3)
        self.assertIs(standing(one, now=T0 + 20).mood, Mood.OFFLINE)

    def test_a_word_of_a_silent_reporter_ends_by_the_masters_clock(self):
        one = heard(mood=Mood.OFFLINE, reason='mine', until=T0 + 50, draining=True)
        self.assertIs(standing(one, now=T0 + 49).mood, Mood.OFFLINE)
        over = standing(one, now=T0 + 50, unreported=Mood.RELUCTANT)
        self.assertIs(over.mood, Mood.RELUCTANT)
        self.assertEqual((over.source, over.reason, over.until), ('unreported', None, None))
        self.assertFalse(over.draining)

    def test_a_worker_that_never_reported_follows_the_masters_rule(self):
        for mood in Mood:
            concluded = standing(unreported=mood)
            self.assertIs(concluded.mood, mood)
            self.assertIs(concluded.freshness, Freshness.UNREPORTED)
            self.assertEqual(concluded.refuses, mood < Mood.RELUCTANT)
            self.assertIsNone(concluded.changes_at)


class Announced(SynchronousTestCase):
    def test_a_worker_with_a_reporter_is_held_until_the_grace_is_over(self):
        for after, held in ((0, True), (9.9, True), (10, False), (11, False)):
            concluded = standing(presence=attached(), now=T0 + after, report_grace=10.0)
            self.assertIs(concluded.held, held, after)
            self.assertIs(concluded.refuses, held, after)

    def test_the_first_report_ends_the_hold(self):
        self.assertFalse(standing(heard(), attached(heard=True), now=T0 + 1).held)

    def test_a_stock_worker_is_never_held(self):
        self.assertFalse(standing(presence=attached(announced=False)).held)

    def test_a_worker_that_has_left_again_is_not_held(self):
        self.assertFalse(standing(presence=attached(connected=False)).held)

    def test_after_the_grace_the_word_it_attached_with_holds(self):
        said = Announcement(mood=Mood.OFFLINE, reason='mine', draining=True)
        concluded = standing(presence=attached(announcement=said), now=T0 + 3600)
        self.assertIs(concluded.mood, Mood.OFFLINE)
        self.assertEqual((concluded.source, concluded.reason), ('owner', 'mine'))
        self.assertTrue(concluded.draining)
        self.assertTrue(concluded.refuses)

    def test_the_word_it_attached_with_is_newer_than_a_report_of_an_earlier_connection(self):
        earlier = heard(T0 - 2, mood=Mood.EAGER)
        said = Announcement(mood=Mood.GOING_ON_HOLIDAY)
        concluded = standing(earlier, attached(announcement=said), now=T0 + 11)
        self.assertIs(concluded.mood, Mood.GOING_ON_HOLIDAY)
        self.assertFalse(concluded.fresh)
        self.assertIsNone(concluded.load)

    def test_a_report_of_this_connection_is_newer_than_the_word_it_attached_with(self):
        said = Announcement(mood=Mood.OFFLINE)
        concluded = standing(heard(mood=Mood.EAGER), attached(announcement=said, heard=True))
        self.assertIs(concluded.mood, Mood.EAGER)

    def test_without_a_word_in_its_file_the_last_report_holds_after_the_grace(self):
        earlier = heard(T0 - 3600, mood=Mood.OFFLINE)
        self.assertIs(standing(earlier, attached(), now=T0 + 11).mood, Mood.OFFLINE)

    def test_the_word_it_attached_with_ends_at_its_time(self):
        said = Announcement(mood=Mood.OFFLINE, until=T0 + 60, draining=True)
        presence = attached(announcement=said)
        before = standing(presence=presence, now=T0 + 59)
        self.assertIs(before.mood, Mood.OFFLINE)
        self.assertEqual(before.changes_at, T0 + 60)
        over = standing(presence=presence, now=T0 + 60)
        self.assertIs(over.mood, Mood.EAGER)
        self.assertFalse(over.draining)


class ChangesAt(SynchronousTestCase):
    def test_a_fresh_report_has_become_stale_at_the_moment_that_it_names(self):
        changes_at = standing(heard()).changes_at
        self.assertEqual(changes_at, T0 + STALE)
        self.assertIs(standing(heard(), now=changes_at).freshness, Freshness.STALE)

    def test_a_stale_report_names_the_moment_at_which_it_becomes_silent(self):
        changes_at = standing(heard(), now=T0 + STALE + 1).changes_at
        self.assertEqual(changes_at, T0 + 4 * STALE)

    def test_a_stale_report_names_the_end_of_the_owners_word_if_that_comes_first(self):
        one = heard(mood=Mood.OFFLINE, until=T0 + 50)
        self.assertEqual(standing(one, now=T0 + STALE + 1).changes_at, T0 + 50)

    def test_a_held_worker_names_the_end_of_its_grace(self):
        self.assertEqual(standing(presence=attached(), report_grace=10.0).changes_at, T0 + 10)

    def test_a_held_worker_names_the_end_of_the_owners_word_if_that_comes_first(self):
        said = Announcement(mood=Mood.OFFLINE, until=T0 + 4)
        presence = attached(announcement=said)
        self.assertEqual(standing(presence=presence, report_grace=10.0).changes_at, T0 + 4)

    @settings(deadline=None, max_examples=200)
    @given(HEARD, PRESENCES, TIMES, RULES)
    def test_at_the_moment_that_it_names_the_standing_is_another(self, one, presence, now, rules):
        before = conclude('w', one, presence, now, rules)
        assume(before.changes_at is not None)
        after = conclude('w', one, presence, before.changes_at, rules)
        self.assertTrue(before.changes_at > now)
        self.assertNotEqual(but_for_the_timer(after), but_for_the_timer(before))

    @settings(deadline=None, max_examples=200)
    @given(HEARD, PRESENCES, TIMES, RULES, TIMES)
    def test_before_the_moment_that_it_names_nothing_changes_without_an_event(
        self, one, presence, now, rules, later
    ):
        before = conclude('w', one, presence, now, rules)
        assume(later > now and (before.changes_at is None or later < before.changes_at))
        self.assertEqual(conclude('w', one, presence, later, rules), before)


class AnyTimeAnyPresence(SynchronousTestCase):
    @settings(deadline=None)
    @given(REPORTS, TIMES, PRESENCES, TIMES, RULES)
    def test_age_alone_never_makes_a_worker_more_willing(self, report, at, presence, now, rules):
        stock = presence.connected and not presence.announced and not presence.heard
        assume(not stock)  # its reporter is gone, and its word with it
        presence = attrs.evolve(presence, announcement=None)
        concluded = conclude('w', Heard(report=report, at=at), presence, now, rules)
        if report.until is None or now < report.until:
            self.assertIs(concluded.mood, report.mood)
            self.assertEqual(concluded.draining, report.draining)

    @settings(deadline=None)
    @given(ANNOUNCEMENTS, HEARD, TIMES, RULES)
    def test_the_word_in_the_file_holds_until_its_end_or_a_report(self, said, one, now, rules):
        concluded = conclude('w', one, attached(announcement=said), now, rules)
        if said.mood is not None and (said.until is None or now < said.until):
            self.assertIs(concluded.mood, said.mood)
            self.assertEqual(concluded.draining, said.draining)

    @settings(deadline=None)
    @given(HEARD, PRESENCES, TIMES, RULES)
    def test_load_is_known_only_while_fresh(self, one, presence, now, rules):
        concluded = conclude('w', one, presence, now, rules)
        if concluded.fresh:
            self.assertEqual(concluded.load, one.report.load)
        else:
            self.assertEqual({getattr(concluded, name) for name in MEASURED}, {None})

    @settings(deadline=None)
    @given(HEARD, PRESENCES, TIMES, RULES)
    def test_it_is_held_just_while_attached_announced_unheard_and_within_the_grace(
        self, one, presence, now, rules
    ):
        awaited = presence.connected and presence.announced and not presence.heard
        within = (
            presence.attached_at is not None and now < presence.attached_at + rules.report_grace
        )
        concluded = conclude('w', one, presence, now, rules)
        self.assertEqual(concluded.held, awaited and within)
        self.assertEqual(concluded.refuses, concluded.held or concluded.mood < Mood.RELUCTANT)
        self.assertIs(concluded.presence, presence)
