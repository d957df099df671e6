# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.announcement import Announcement
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.errors import WireError


def lines(limit):
    """Text that is fit to be shown as it is."""
    characters = st.characters(
        exclude_categories=('Cc', 'Cs', 'Zl', 'Zp'),
        exclude_characters='\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069',
    )
    return st.text(characters, max_size=limit).map(lambda text: ' '.join(text.split()))


ANNOUNCEMENTS = st.builds(
    Announcement,
    version=lines(64),
    mood=st.none() | st.sampled_from(Mood),
    reason=st.none() | lines(200),
    until=st.none() | st.floats(0, 1e11),
    word=lines(64),
    draining=st.booleans(),
)


def sent(**changes):
    return json.dumps({**json.loads(Announcement().to_wire()), **changes})


class WireForm(SynchronousTestCase):
    @settings(deadline=None)
    @given(ANNOUNCEMENTS)
    def test_any_announcement_arrives_as_it_was_written(self, announcement):
        self.assertEqual(Announcement.from_wire(announcement.to_wire()), announcement)

    def test_it_is_one_line_of_a_file_and_a_line_end_does_no_harm(self):
        written = Announcement(mood=Mood.OFFLINE, reason='mine\ntoday').to_wire()
        self.assertEqual(len(written.splitlines()), 1)
        self.assertIs(Announcement.from_wire(written + '\n').mood, Mood.OFFLINE)

    def test_an_owner_who_leaves_it_to_the_machine_has_no_mood(self):
        self.assertIsNone(Announcement.from_wire(Announcement(version='1').to_wire()).mood)

    def test_a_file_that_is_absent_or_damaged_is_refused(self):
        whole = Announcement(mood=Mood.OFFLINE).to_wire()
        for text in (None, '', '\n', 'offline', b'{}', whole[:-1], whole[1:], whole * 2):
            self.assertRaises(WireError, Announcement.from_wire, text)

    def test_what_is_out_of_range_is_refused_by_name(self):
        for name, value in (
            ('mood', 'auto'),
            ('mood', 0),
            ('until', -1),
            ('until', 1e12),
            ('reason', 'x' * 201),
            ('version', None),
            ('word', 'x' * 65),
            ('draining', 'no'),
        ):
            error = self.assertRaises(WireError, Announcement.from_wire, sent(**{name: value}))
            self.assertIn(f'"{name}"', str(error))

    def test_keys_of_a_newer_reporter_are_ignored(self):
        self.assertEqual(Announcement.from_wire(sent(colour='red')), Announcement())

    @settings(deadline=None)
    @given(st.one_of(st.text(), st.none(), st.binary(), st.integers()))
    def test_whatever_stands_in_the_file_is_refused_with_a_wire_error(self, text):
        self.assertRaises(WireError, Announcement.from_wire, text)
