# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter import status
from buildbot_balancer.reporter.says import Says
from buildbot_balancer.reporter.status import Status

PLAIN = st.from_regex('[a-z0-9]{0,20}', fullmatch=True)
AMOUNT = st.none() | st.floats(0, 1e9)
STATUSES = st.builds(
    Status,
    mood=st.sampled_from(['offline', 'going-on-holiday', 'reluctant', 'eager']),
    source=PLAIN,
    reason=st.none() | PLAIN,
    until=AMOUNT,
    load=AMOUNT,
    cpus=st.none() | st.integers(1, 1000),
    idle=AMOUNT,
    running=st.none() | st.integers(0, 1000),
    draining=st.booleans(),
    connected=st.booleans(),
    word=PLAIN,
    free=st.booleans(),
    left=st.integers(0, 1000),
    problem=st.none() | PLAIN,
    incarnation=PLAIN,
    authority=st.lists(
        st.builds(
            Says,
            PLAIN,
            st.none() | st.sampled_from(Mood),
            PLAIN,
            until=st.none() | st.floats(0, 1e9),
        ),
        max_size=3,
    ).map(tuple),
    at=st.floats(0, 1e10),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def new_folder(case):
    path = Path(tempfile.mkdtemp())
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


class Files(SynchronousTestCase):
    def setUp(self):
        self.basedir = new_folder(self)
        self.path = self.basedir / status.FILE

    @given(STATUSES)
    def test_what_is_saved_is_loaded(self, known):
        status.save(self.basedir, known)
        self.assertEqual(status.load(self.basedir), known)

    def test_no_file_is_none(self):
        self.assertIsNone(status.load(self.basedir))
        self.assertIsNone(status.load(self.basedir / 'gone'))

    def test_a_damaged_file_is_none(self):
        for text in ('', '{', '[]', 'null', '[' * 50_000, '{}', '{"mood": "eager"}', '\udcff'):
            self.path.write_bytes(text.encode(errors='surrogateescape'))
            self.assertIsNone(status.load(self.basedir), text[:20])

    @given(st.sampled_from([field.name for field in attrs.fields(Status)]), JSON)
    def test_a_field_has_its_type_or_the_file_is_not_used(self, name, value):
        good = attrs.asdict(Status(mood='eager', source='owner'))
        self.path.write_text(json.dumps({**good, name: value}))
        known = status.load(self.basedir)
        if known is not None:
            for flag in (known.free, known.connected, known.draining):
                self.assertIsInstance(flag, bool)
            self.assertIsInstance(known.word, str)
            self.assertIsInstance(known.at, float)

    def test_a_flag_that_is_text_is_not_taken_for_yes(self):
        self.path.write_text('{"mood": "offline", "source": "drain", "free": "no"}')
        self.assertIsNone(status.load(self.basedir))

    def test_what_the_authorities_say_has_its_types_too(self):
        good = {'source': 'idle', 'mood': 'eager', 'words': 'x', 'until': None}
        for change in ({'mood': 3}, {'mood': 'eagre'}, {'words': None}, {'until': 'x'}, None, 5):
            one = {**good, **change} if isinstance(change, dict) else change
            known = {'mood': 'eager', 'source': 'owner', 'authority': [good, one]}
            self.path.write_text(json.dumps(known))
            self.assertIsNone(status.load(self.basedir), change)

    def test_keys_of_a_later_version_are_ignored(self):
        self.path.write_text('{"mood": "eager", "source": "owner", "colour": 1}')
        self.assertEqual(status.load(self.basedir), Status(mood='eager', source='owner'))

    def test_each_field_is_checked(self):
        self.assertEqual({field.name for field in attrs.fields(Status)}, set(status._CHECKS))

    def test_it_can_be_removed_twice(self):
        status.save(self.basedir, Status(mood='eager', source='owner'))
        status.remove(self.basedir)
        status.remove(self.basedir)
        self.assertEqual(list(self.basedir.iterdir()), [])

    def test_two_that_differ_by_their_time_alone_are_the_same(self):
        one = Status(mood='eager', source='owner', at=1.0)
        self.assertTrue(status.same_but_time(one, attrs.evolve(one, at=2.0)))
        self.assertFalse(status.same_but_time(one, attrs.evolve(one, at=2.0, free=True)))
