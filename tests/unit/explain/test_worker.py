# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.abouts import NOW
from support.abouts import an_about
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.standing import Freshness
from buildbot_balancer.availability.text import clean
from buildbot_balancer.explain.worker import Demand
from buildbot_balancer.explain.worker import summary


def say(demand=None, builds=(), **facts):
    return summary(an_about(**facts), builds, demand or Demand(), NOW)


class Summary(SynchronousTestCase):
    def test_what_it_builds(self):
        self.assertEqual(say(builds=('win #41',), running=1), 'runs 1 build: win #41')
        self.assertEqual(
            say(builds=('win #41', 'linux #7'), running=3),
            'runs 3 builds: win #41, linux #7, 1 about to start',
        )
        many = tuple(f'b #{n}' for n in range(9))
        self.assertEqual(
            say(builds=many, running=9), 'runs 9 builds: b #0, b #1, b #2, b #3, b #4, ...'
        )

    def test_that_it_is_full(self):
        said = say(builds=('win #41',), running=1, max_builds=1)
        self.assertEqual(said, 'runs 1 build: win #41, and may run no more')

    def test_that_it_is_free_and_why_nothing_comes(self):
        self.assertEqual(say(), 'is free')
        self.assertEqual(say(Demand(waiting=0)), 'is free: nothing waits for it')
        why = ('request 7 of win: wants lock disk 1 of 1 held by linux #7',)
        self.assertEqual(
            say(Demand(waiting=2, why=why)),
            f'is free; 2 requests wait for its builders; {why[0]}',
        )
        self.assertEqual(
            say(Demand(builders=0, waiting=0)), 'is free: nothing waits for it; no builder uses it'
        )

    def test_everything_that_keeps_builds_away(self):
        said = say(
            Demand(waiting=9),
            connected=False,
            paused=True,
            pause_reason='fan',
            graceful=True,
            quarantined=True,
            held=True,
            mood=Mood.OFFLINE,
            reason='mine',
        )
        self.assertEqual(
            said,
            'is not connected; is paused ("fan"); shuts down when its builds are over;'
            ' is in quarantine, as a build could not be started there;'
            ' has just attached, its first report is awaited; is offline ("mine")',
        )

    def test_a_reluctant_one_takes_what_nobody_else_can(self):
        said = say(mood=Mood.RELUCTANT, reason='using it')
        self.assertEqual(said, 'is free; is reluctant ("using it"), used only if nobody else can')

    def test_one_that_has_fallen_silent(self):
        facts = {'freshness': Freshness.SILENT, 'reported_at': NOW - 250}
        self.assertEqual(say(**facts), 'is free; silent for 4 min')
        self.assertEqual(
            say(connected=False, **facts), 'is not connected (last heard of 4 min ago)'
        )

    def test_a_latent_one_that_is_down(self):
        self.assertEqual(say(connected=False, latent=True), 'is started when a build needs it')

    @given(st.text(max_size=600), st.lists(st.text(max_size=200), max_size=9), st.integers(0, 9))
    def test_it_is_one_bounded_line(self, text, builds, running):
        said = say(
            Demand(waiting=3, why=(text,)),
            tuple(builds),
            running=running,
            mood=Mood.RELUCTANT,
            reason=text,
        )
        self.assertEqual(said, clean(said, 9999))
        self.assertLessEqual(len(said), 500)
