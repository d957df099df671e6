# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import math

import attrs
from support.databases import on_each
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.explain.event import DRAIN
from buildbot_balancer.explain.event import HELD
from buildbot_balancer.explain.event import MOOD
from buildbot_balancer.explain.event import RESUME
from buildbot_balancer.explain.event import WAITED
from buildbot_balancer.explain.event import Event
from buildbot_balancer.tables import events
from buildbot_balancer.tables.events import Search
from buildbot_balancer.tables.events import fit

NOW = 1_800_000_000.123456
FULL = Event(
    kind=MOOD,
    at=NOW,
    worker='w',
    builder='b',
    request=7,
    lock='l',
    group='g',
    mood='eager',
    reason='grüße',
    source='owner',
    until=NOW + 60.25,
    actor='ann',
    duration=3.5,
)


class Statements:
    def setUp(self):
        super().setUp()
        self.make_tables()

    def insert(self, *made):
        return self.do(events.insert, [fit(one) for one in made])

    def find(self, **search):
        return self.do(events.find, Search(**search))

    def count(self, **search):
        return self.do(events.count, Search(**search))

    def times(self, **search):
        return [event.at for event in self.find(**search)]

    def test_an_event_is_found_as_it_was_recorded(self):
        self.assertEqual(self.insert(FULL, Event(kind=HELD, at=NOW - 1)), 0)
        found = self.find()
        plain = [attrs.evolve(event, eventid=None) for event in found]
        self.assertEqual(plain, [FULL, Event(kind=HELD, at=NOW - 1)])
        self.assertEqual(len({event.eventid for event in found} - {None}), 2)

    def test_the_newest_comes_first_and_of_two_at_once_the_last_recorded(self):
        self.insert(Event(kind=MOOD, at=2.0), Event(kind=MOOD, at=1.0), Event(kind=MOOD, at=3.0))
        self.insert(Event(kind=DRAIN, at=3.0))
        found = [(event.at, event.kind) for event in self.find()]
        self.assertEqual(found, [(3.0, DRAIN), (3.0, MOOD), (2.0, MOOD), (1.0, MOOD)])

    def test_each_question_finds_its_own(self):
        for number, what in enumerate(
            ({'worker': 'w'}, {'request': 5}, {'lock': 'l', 'group': 'g'}, {'kind': HELD})
        ):
            self.insert(Event(**{'kind': MOOD, 'at': float(number), **what}))
        self.assertEqual(self.times(worker='w'), [0.0])
        self.assertEqual(self.times(request=5), [1.0])
        self.assertEqual(self.times(lock='l'), [2.0])
        self.assertEqual(self.times(kinds=(HELD, DRAIN)), [3.0])
        self.assertEqual(self.times(since=2.0), [3.0, 2.0])
        self.assertEqual(self.times(worker='w', kinds=(HELD,)), [])
        self.assertEqual(self.times(request=2**70), [])

    def test_pages_follow_each_other(self):
        self.insert(*(Event(kind=MOOD, at=float(n)) for n in range(5)))
        self.assertEqual(self.times(limit=2), [4.0, 3.0])
        self.assertEqual(self.times(offset=2, limit=2), [2.0, 1.0])
        self.assertEqual(self.times(offset=4, limit=2), [0.0])
        self.assertEqual(self.times(limit=0), [])
        self.assertEqual(self.times(offset=-3, limit=-1), [])

    def test_all_that_would_be_found_are_counted_whatever_the_page(self):
        self.insert(*(Event(kind=MOOD, at=float(n), worker=f'w{n % 2}') for n in range(5)))
        self.assertEqual(self.count(offset=2, limit=1), 5)
        self.assertEqual(self.count(worker='w1', since=2.0), 1)
        self.assertEqual(self.count(kinds=(HELD,)), 0)

    def test_names_are_told_apart_by_case(self):
        self.insert(Event(kind=MOOD, at=1.0, worker='w'), Event(kind=MOOD, at=2.0, worker='W'))
        self.assertEqual(self.times(worker='W'), [2.0])
        self.assertEqual(self.do(events.forget, 'W'), 1)
        self.assertEqual(self.times(), [1.0])

    def test_what_strangers_typed_fits(self):
        long = 'x' * 1000
        odd = Event(kind=MOOD, at=NOW, worker=long, reason=f'a\x00\x1b[2J\n{long}', lock=long)
        self.assertEqual(self.insert(odd), 0)
        (found,) = self.find(worker=long)
        self.assertTrue(found.reason.startswith('a[2J x'))
        self.assertEqual(len(found.reason), 200)
        self.assertEqual(self.find(lock=long), [found])

    def test_characters_that_a_database_does_not_know_lose_no_event(self):
        self.assertEqual(self.insert(Event(kind=MOOD, at=1.0, reason='\U0001f600 \ud800 ok')), 0)
        (found,) = self.find()
        self.assertIn(found.reason, {'\U0001f600 ok', '\ufffd ok'})

    def test_numbers_that_are_none_are_left_out(self):
        odd = Event(kind=MOOD, at=1.0, until=math.inf, duration=math.nan, request=2**31)
        self.assertEqual(self.insert(odd), 0)
        (found,) = self.find()
        self.assertEqual((found.until, found.duration, found.request), (None, None, None))

    def test_an_event_that_the_database_refuses_takes_no_other_with_it(self):
        good = [Event(kind=MOOD, at=float(n)) for n in range(3)]
        nameless = Event(kind=None, at=9.0)
        self.assertEqual(self.do(events.insert, [good[0], nameless, *good[1:]]), 1)
        self.assertEqual(self.times(), [2.0, 1.0, 0.0])

    def test_the_longest_come_first(self):
        for at, (kind, duration) in enumerate(
            ((HELD, 2.0), (HELD, 30.0), (WAITED, 60.0), (HELD, None), (HELD, 4.0))
        ):
            self.insert(Event(kind=kind, at=float(at), duration=duration))
        found = self.do(events.longest, HELD, 10, None)
        self.assertEqual([event.duration for event in found], [30.0, 4.0, 2.0])
        found = self.do(events.longest, HELD, 1, 2.0)
        self.assertEqual([event.duration for event in found], [4.0])

    def test_the_last_of_each_worker_kind_and_source_is_told_oldest_first(self):
        for at, (worker, kind, source) in enumerate(
            (
                ('a', MOOD, 'owner'),
                ('b', MOOD, 'owner'),
                ('a', RESUME, 'default'),
                ('a', MOOD, 'owner'),
                ('a', MOOD, 'admin'),
                ('a', HELD, 'owner'),
                (None, MOOD, 'owner'),
                ('a', RESUME, None),
            )
        ):
            self.insert(Event(kind=kind, at=float(at), worker=worker, source=source))
        found = self.do(events.latest, (MOOD, RESUME), 'admin')
        self.assertEqual([event.at for event in found], [1.0, 2.0, 3.0])

    def test_forgetting_takes_all_that_names_the_worker_and_nothing_else(self):
        self.insert(
            Event(kind=MOOD, at=1.0, worker='w'),
            Event(kind=HELD, at=2.0, worker='w', group='esx'),
            Event(kind=WAITED, at=3.0, group='w'),  # of a lock of the worker itself
            Event(kind=HELD, at=4.0, worker='v', group='w'),  # a group that is called so
            Event(kind=MOOD, at=5.0, worker='w2'),
        )
        self.assertEqual(self.do(events.forget, 'w'), 3)
        self.assertEqual(self.times(), [5.0, 4.0])

    def test_the_oldest_are_deleted_first_and_few_at_a_time(self):
        self.insert(*(Event(kind=MOOD, at=float(n)) for n in (4, 2, 0, 1, 3)))
        self.assertEqual(self.do(events.delete_before, 3.0, 2), 2)
        self.assertEqual(self.times(), [4.0, 3.0, 2.0])
        self.assertEqual(self.do(events.delete_before, 3.0, 2), 1)
        self.assertEqual(self.do(events.delete_before, 3.0, 2), 0)
        self.assertEqual(self.times(), [4.0, 3.0])

    def test_the_number_of_a_deleted_event_is_not_given_again(self):
        self.insert(Event(kind=MOOD, at=1.0, worker='w'))
        (old,) = self.find()
        self.do(events.forget, 'w')
        self.insert(Event(kind=MOOD, at=2.0))
        (new,) = self.find()
        self.assertGreater(new.eventid, old.eventid)


globals().update(on_each(Statements))


class Names(SynchronousTestCase):
    def test_an_event_that_waits_is_forgotten_by_the_same_rule(self):
        for event, is_named in (
            (Event(kind=MOOD, at=1.0, worker='w'), True),
            (Event(kind=WAITED, at=1.0, group='w'), True),
            (Event(kind=HELD, at=1.0, worker='v', group='w'), False),
            (Event(kind=MOOD, at=1.0, worker='w2'), False),
        ):
            self.assertEqual(events.names(event, 'w'), is_named, event)
