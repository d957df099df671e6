# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cluster.protocol import AGEING
from buildbot_balancer.cluster.protocol import PATIENCE
from buildbot_balancer.cluster.protocol import STALE
from buildbot_balancer.cluster.protocol import Held
from buildbot_balancer.cluster.protocol import Party
from buildbot_balancer.cluster.protocol import refusal
from buildbot_balancer.cluster.protocol import together
from buildbot_balancer.cluster.want import COUNTING
from buildbot_balancer.cluster.want import EXCLUSIVE
from buildbot_balancer.cluster.want import Want
from buildbot_balancer.cluster.want import by_lock

NOW = 100_000.0


def a(count=1, limit=1, mode=COUNTING):
    return Want('a', limit=limit, mode=mode, count=count)


def b(count=1, limit=1, mode=COUNTING):
    return Want('b', limit=limit, mode=mode, count=count)


def party(owner, *wants, waited=0.0, quiet_for=0.0, **how):
    since, asked = NOW - waited, NOW - quiet_for
    return Party(owner=owner, wants=by_lock(wants), since=since, asked_at=asked, **how)


def held(want, owner='holder', master='m'):
    return Held(
        lock=want.key,
        incarnation='i',
        master=master,
        owner=owner,
        mode=want.mode,
        count=want.count,
        token=1,
        granted_at=0.0,
    )


def why(asking, parties=(), units=()):
    """A sentence; '' where it may have all."""
    found = refusal(asking, parties, units, NOW)
    return '' if found is None else found.because


class Counting(SynchronousTestCase):
    def test_a_free_lock_may_be_had(self):
        self.assertEqual(why(party('x', a())), '')

    def test_units_up_to_the_limit_and_no_more(self):
        units = [held(a(limit=3)), held(a(limit=3), 'other')]
        self.assertEqual(why(party('x', a(1, limit=3)), units=units), '')
        said = why(party('x', a(2, limit=3)), units=units)
        self.assertEqual(said, 'taken by holder on m, other on m')

    def test_one_who_is_exclusive_is_alone(self):
        exclusive = a(limit=9, mode=EXCLUSIVE)
        self.assertNotEqual(why(party('x', exclusive), units=[held(a(limit=9))]), '')
        self.assertNotEqual(why(party('x', a(limit=9)), units=[held(exclusive)]), '')
        self.assertEqual(why(party('x', exclusive)), '')

    def test_a_limit_that_was_lowered_takes_nothing_away_and_gives_nothing(self):
        units = [held(a(3, limit=3))]
        self.assertNotEqual(why(party('x', a(1, limit=2)), units=units), '')

    def test_no_limit_is_no_limit(self):
        units = [held(a(1000, limit=None))]
        self.assertEqual(why(party('x', a(1000, limit=None)), units=units), '')

    def test_what_it_has_itself_is_not_in_its_way(self):
        self.assertEqual(why(party('x', a()), units=[held(a(), 'x')]), '')

    def test_more_than_the_limit_is_refused_for_ever(self):
        said = why(party('x', a(2, limit=1)))
        self.assertEqual(said, '2 units are more than there ever are')

    def test_all_or_none(self):
        said = refusal(party('x', a(), b()), [], [held(b())], NOW)
        self.assertEqual(said.lock, b().key.id)

    def test_many_holders_are_named_in_part(self):
        units = [held(a(limit=5), f'o{number}') for number in range(5)]
        said = why(party('x', a(limit=5)), units=units)
        self.assertEqual(said, 'taken by o0 on m, o1 on m, o2 on m and 2 more')


class Turns(SynchronousTestCase):
    def test_the_oldest_comes_first_whichever_master_it_waits_on(self):
        old, new = party('old', a(), waited=5, master='n'), party('new', a(), waited=4)
        self.assertEqual(why(old, [new]), '')
        self.assertEqual(why(new, [old]), 'taken by old on n, who comes first')

    def test_whoever_came_at_the_same_time_has_one_order_for_all(self):
        one, two = party('one', a(), number=1), party('two', a(), number=2)
        self.assertEqual((why(one, [two]), bool(why(two, [one]))), ('', True))

    def test_where_there_is_room_for_both_nobody_waits(self):
        old = party('old', a(limit=2), waited=5)
        self.assertEqual(why(party('new', a(limit=2)), [old]), '')

    def test_a_light_one_does_not_overtake_a_heavy_one(self):
        heavy = party('heavy', a(2, limit=2), waited=5, master='n')
        said = why(party('light', a(1, limit=2)), [heavy], [held(a(limit=2))])
        self.assertEqual(said, 'heavy on n waits for it and comes first')

    def test_one_behind_two_that_fit_counts_both(self):
        first, second = party('1', a(limit=3), waited=5), party('2', a(limit=3), waited=4)
        self.assertEqual(why(party('x', a(1, limit=3)), [first, second]), '')
        self.assertNotEqual(why(party('x', a(2, limit=3)), [first, second]), '')

    def test_one_that_waits_for_another_lock_leaves_this_one_to_others(self):
        both = party('both', a(), b(), waited=5)
        self.assertEqual(why(party('x', a()), [both], [held(b())]), '')

    def test_one_that_waits_for_another_lock_for_very_long_keeps_all_from_newcomers(self):
        both = party('both', a(), b(), waited=PATIENCE + 1)
        said = why(party('x', a()), [both], [held(b())])
        self.assertEqual(said, 'both waits for it and comes first')

    def test_but_not_from_one_that_holds_something_that_it_may_wait_for(self):
        both = party('both', a(), b(), waited=PATIENCE + 1, running=True)
        self.assertEqual(why(party('step', a(), running=True), [both], [held(b())]), '')
        self.assertNotEqual(why(party('request', a()), [both], [held(b())]), '')

    def test_who_holds_something_comes_before_all_that_hold_nothing(self):
        request = party('request', a(), waited=1000)
        step = party('step', a(), running=True)
        self.assertEqual(why(step, [request]), '')
        self.assertNotEqual(why(request, [step]), '')

    def test_a_point_of_priority_is_worth_some_minutes_of_waiting(self):
        urgent = party('urgent', a(), priority=1)
        self.assertEqual(why(urgent, [party('old', a(), waited=AGEING - 1)]), '')
        self.assertNotEqual(why(urgent, [party('older', a(), waited=AGEING + 1)]), '')

    def test_one_that_does_not_ask_any_more_holds_up_nobody(self):
        gone = party('gone', a(), waited=100, quiet_for=STALE + 1)
        self.assertEqual(why(party('x', a()), [gone]), '')

    def test_one_that_can_never_be_served_holds_up_nobody(self):
        hopeless = party('hopeless', a(2, limit=1), waited=100)
        self.assertEqual(why(party('x', a()), [hopeless]), '')

    def test_it_does_not_stand_behind_itself(self):
        elsewhere = party('x', a(), waited=100, master='n')
        self.assertEqual(why(party('x', a()), [elsewhere]), '')


class OneRequestOnTwoMasters(SynchronousTestCase):
    def test_it_has_the_better_turn_of_both(self):
        here = party('x', a(), waited=5, number=9)
        there = party('x', b(), waited=7, number=4, priority=2)
        found = together([here, there, party('y', a())])
        turns = [(one.since, one.number, one.priority) for one in found if one.owner == 'x']
        self.assertEqual(turns, [(NOW - 7, 4, 2)] * 2)

    def test_it_needs_its_units_once(self):
        copies = [party('x', a(limit=2), waited=5, master=name) for name in 'mn']
        self.assertEqual(why(party('y', a(limit=2)), copies), '')
