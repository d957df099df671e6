# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.abouts import NOW
from support.abouts import an_about
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.standing import Freshness
from buildbot_balancer.availability.when import clock_text

FLAGS = ('connected', 'paused', 'graceful', 'quarantined', 'held')


class Obstacles(SynchronousTestCase):
    def test_a_worker_that_takes_builds_has_none(self):
        self.assertEqual(an_about().obstacles(NOW), {})
        self.assertEqual(an_about(mood=Mood.RELUCTANT).obstacles(NOW), {})
        self.assertEqual(an_about(connected=False, latent=True).obstacles(NOW), {})

    def test_each_is_told_the_one_that_buildbot_asks_first_in_front(self):
        about = an_about(
            connected=False,
            paused=True,
            graceful=True,
            quarantined=True,
            held=True,
            mood=Mood.OFFLINE,
            reason='mine',
        )
        self.assertEqual(
            list(about.obstacles(NOW)),
            ['disconnected', 'paused', 'graceful', 'quarantined', 'held', 'offline'],
        )

    def test_details_are_what_people_said_and_until_when(self):
        until = NOW + 600
        about = an_about(
            mood=Mood.OFFLINE, reason='using\tit', until=until, paused=True, pause_reason='fan'
        )
        said = f'"using it", until {clock_text(until, NOW)}'
        self.assertEqual(about.obstacles(NOW), {'paused': '"fan"', 'offline': said})

    def test_who_has_said_it_if_not_the_owner(self):
        self.assertEqual(
            an_about(source='admin', reason='fan').word(NOW), '"fan", said by an admin'
        )
        self.assertEqual(an_about(source='schedule').word(NOW), 'by the schedule')

    def test_when_it_was_last_heard_of(self):
        about = an_about(connected=False, reported_at=NOW - 250)
        self.assertEqual(about.obstacles(NOW), {'disconnected': 'last heard of 4 min ago'})

    def test_how_long_it_has_been_silent(self):
        about = an_about(reported_at=NOW - 250, freshness=Freshness.SILENT)
        self.assertEqual(about.silence(NOW), 'silent for 4 min')
        self.assertEqual(an_about(reported_at=NOW - 250).silence(NOW), '')
        self.assertEqual(an_about(freshness=Freshness.SILENT).silence(NOW), '')


class Contradicting(SynchronousTestCase):
    def test_a_verdict_that_still_holds_is_not(self):
        for code, about in (
            ('offline', an_about(mood=Mood.OFFLINE)),
            ('paused', an_about(paused=True)),
            ('busy', an_about(running=1)),
            ('reluctant', an_about(mood=Mood.RELUCTANT)),
            ('load', an_about()),
        ):
            self.assertFalse(about.contradicts(code, NOW), code)

    def test_one_that_does_not_is(self):
        for code, about in (
            ('offline', an_about()),
            ('offline', an_about(mood=Mood.OFFLINE, paused=True)),
            ('disconnected', an_about()),
            ('busy', an_about()),
            ('busy', an_about(running=1, paused=True)),
            ('reluctant', an_about()),
            ('load', an_about(mood=Mood.OFFLINE)),
        ):
            self.assertTrue(about.contradicts(code, NOW), code)

    @given(
        st.fixed_dictionaries({flag: st.booleans() for flag in FLAGS}),
        st.sampled_from(Mood),
    )
    def test_the_first_obstacle_never_contradicts_itself(self, flags, mood):
        about = an_about(**flags, mood=mood)
        for code in list(about.obstacles(NOW))[:1]:
            self.assertFalse(about.contradicts(code, NOW))


class Full(SynchronousTestCase):
    def test_it_is_where_it_runs_as_many_builds_as_it_may(self):
        self.assertTrue(an_about(running=2, max_builds=2).full)
        self.assertFalse(an_about(running=1, max_builds=2).full)
        self.assertFalse(an_about(running=9).full)
