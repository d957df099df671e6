# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.cap import Cap
from buildbot_balancer.availability.cap import Caps
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import Report
from buildbot_balancer.availability.standing import Heard
from buildbot_balancer.availability.standing import Presence
from buildbot_balancer.availability.standing import Rules
from buildbot_balancer.availability.standing import conclude

NOW = 1_800_000_000.0
TIMES = st.integers(-100, 100).map(lambda seconds: NOW + seconds)
CAPS = st.lists(
    st.builds(
        Cap,
        mood=st.sampled_from(Mood),
        source=st.sampled_from(['admin', 'schedule']),
        reason=st.none() | st.just('inventory'),
        until=st.none() | TIMES,
    ),
    max_size=3,
).map(lambda caps: Caps(tuple(caps)))


def standing(mood, caps, now=NOW, **more):
    report = Report(incarnation='i', seq=1, mood=mood, source='owner', interval=60.0, **more)
    return conclude(
        'w', Heard(report=report, at=NOW), Presence(connected=True, heard=True), now, Rules(), caps
    )


class TheLowerOfTheTwo(SynchronousTestCase):
    @given(st.sampled_from(Mood), CAPS, st.integers(0, 100))
    def test_a_cap_never_makes_a_worker_more_willing_than_its_owner(self, mood, caps, later):
        now = NOW + later
        found = standing(mood, caps, now)
        holding = [c.mood for c in caps.caps if c.until is None or c.until > now]
        self.assertEqual(found.mood, min([mood, *holding]))
        self.assertEqual(found.owners_mood, mood)

    @given(st.sampled_from(Mood), CAPS)
    def test_the_moment_of_the_next_change_is_named(self, mood, caps):
        found = standing(mood, caps)
        if found.changes_at is None:
            found_later = standing(mood, caps, NOW + 100)
        else:
            found_later = standing(mood, caps, found.changes_at - 0.001)
        self.assertEqual(found_later.mood, found.mood)

    def test_the_owners_no_keeps_the_owners_words(self):
        caps = Caps((Cap(mood=Mood.RELUCTANT, source='admin', reason='inventory'),))
        found = standing(Mood.OFFLINE, caps, reason='mine')
        self.assertEqual((found.reason, found.source), ('mine', 'owner'))

    def test_a_lower_cap_says_who_set_it_and_why(self):
        caps = Caps((Cap(mood=Mood.OFFLINE, source='admin', reason='inventory', until=NOW + 9),))
        found = standing(Mood.EAGER, caps, reason='mine', until=NOW + 5)
        self.assertEqual((found.reason, found.source, found.until), ('inventory', 'admin', NOW + 9))
        self.assertTrue(found.refuses)

    def test_one_that_begins_later_is_a_change_too(self):
        self.assertEqual(standing(Mood.EAGER, Caps((), NOW + 5)).changes_at, NOW + 5)
