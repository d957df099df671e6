# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.explain.lock import free_everywhere
from buildbot_balancer.explain.lock import held_by
from buildbot_balancer.explain.lock import held_sentence
from buildbot_balancer.explain.lock import summary
from buildbot_balancer.explain.sights import LockSight
from buildbot_balancer.explain.sights import ShareSight

NOW = 10_000.0
HOST = LockSight(name='host', group='esx1', max=2, held=2)


def share(what: str, **more: Any) -> ShareSight:
    return ShareSight(what=what, **{'mode': 'counting', 'count': 1, **more})


def held(*whats: str, **more: Any) -> LockSight:
    return attrs.evolve(HOST, holders=tuple(map(share, whats)), **more)


class InASentence(SynchronousTestCase):
    def test_it_says_how_much_of_how_much_and_who(self) -> None:
        said = held_sentence(held('win #41', 'win #42'))
        self.assertEqual(said, 'lock host[esx1] 2 of 2 held by win #41, win #42')

    def test_a_lock_without_groups_has_its_name_alone(self) -> None:
        said = held_sentence(held('win #41', name='licence', group='', held=1, max=1))
        self.assertEqual(said, 'lock licence 1 of 1 held by win #41')

    def test_without_a_limit_only_what_is_held_is_said(self) -> None:
        self.assertEqual(held_sentence(held('a #1', max=None)), 'lock host[esx1] 2 held by a #1')

    def test_who_holds_it_twice_is_named_once_and_of_many_some(self) -> None:
        said = held_sentence(held('a #1', 'a #1'))
        self.assertEqual(said, 'lock host[esx1] 2 of 2 held by a #1')
        said = held_sentence(held(*(f'a #{n}' for n in range(8))))
        self.assertTrue(said.endswith('held by a #0, a #1, a #2, a #3, a #4 and 3 more'), said)

    def test_where_nobody_holds_it_who_is_next_is_in_the_way(self) -> None:
        waits = attrs.evolve(HOST, held=0, waiters=(share('request 7 of win'),))
        said = held_sentence(waits)
        self.assertEqual(said, 'lock host[esx1] 0 of 2 held, next is request 7 of win')

    def test_several_locks_are_named_and_of_many_some(self) -> None:
        self.assertEqual(held_by([attrs.evolve(HOST, held=0)]), '')
        locks = [held('a #1', group=str(n)) for n in range(5)]
        two = 'lock host[0] 2 of 2 held by a #1 and lock host[1] 2 of 2 held by a #1'
        self.assertEqual(held_by([*locks[:2], locks[0]]), two)
        self.assertTrue(held_by(locks).endswith('held by a #1 and 2 more locks'), held_by(locks))


class InOneLine(SynchronousTestCase):
    def test_it_says_since_when_where_that_is_known(self) -> None:
        holders = (share('win #41', since=NOW - 250), share('win #42'))
        said = summary(attrs.evolve(HOST, holders=holders), NOW)
        self.assertEqual(said, 'host[esx1]: 2 of 2 held by win #41 (for 4 min), win #42')

    def test_it_says_who_has_it_alone_or_more_than_a_unit_of_it(self) -> None:
        said = summary(attrs.evolve(HOST, holders=(share('a #1', mode='exclusive'),)), NOW)
        self.assertEqual(said, 'host[esx1]: 2 of 2 held by a #1 (alone)')
        said = summary(attrs.evolve(HOST, holders=(share('a #1', count=2, since=NOW),)), NOW)
        self.assertEqual(said, 'host[esx1]: 2 of 2 held by a #1 (2 units, for 0 s)')

    def test_it_says_who_is_next_and_in_what_order(self) -> None:
        waiters = tuple(share(f'request {n} of win') for n in range(7, 10))
        said = summary(attrs.evolve(held('a #1'), waiters=waiters), NOW)
        line = 'held by a #1; next: request 7 of win, then request 8 of win, request 9 of win'
        self.assertEqual(said, f'host[esx1]: 2 of 2 {line}')

    def test_one_who_waits_alone_is_next(self) -> None:
        said = summary(attrs.evolve(held('a #1'), waiters=(share('b #2'),)), NOW)
        self.assertTrue(said.endswith('held by a #1; next: b #2'), said)

    def test_a_lock_that_nobody_uses_is_free(self) -> None:
        self.assertEqual(summary(attrs.evolve(HOST, held=0), NOW), 'host[esx1]: 0 of 2 held')
        self.assertEqual(free_everywhere('x', 1, ''), 'x: free (1 unit)')
        self.assertEqual(free_everywhere('x', None, ''), 'x: free (no limit)')
        said = free_everywhere('x', 2, 'on every worker')
        self.assertEqual(said, 'x: free on every worker (2 units each)')
        said = free_everywhere('x', 2, 'on every worker', alike=False)
        self.assertEqual(said, 'x: free on every worker')
