# SPDX-License-Identifier: GPL-2.0-or-later
"""What the database says, and what happens before it has said so."""

from __future__ import annotations

from typing import Any

from support.logs import LogLines
from support.shared_site import ALONE
from support.shared_site import SharedSite
from support.shared_site import units
from twisted.internet import defer
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cluster import asking
from buildbot_balancer.cluster import bids
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.cluster.want import Want

A = LockKey('a')


class SharingCase(SynchronousTestCase):
    limit: int | None = 1

    def setUp(self) -> None:
        self.site = SharedSite(self.limit)
        self.addCleanup(self.site.close)
        self.store = self.site.store
        self.site.begin_lease()

    def asked(self) -> list[str]:
        return [one.what for one in self.store.asked]

    def held(self) -> list[str]:
        return [one.owner for one in self.store.units]

    def assert_quiet(self) -> None:
        self.site.settle()
        self.assertEqual(self.store.units, [])
        self.assertEqual(self.store.waiting, {})
        self.assertTrue(self.site.sharing.quiet)


class Asking(SharingCase):
    def test_nothing_is_available_before_it_is_granted(self) -> None:
        request = self.site.request(1, ('a', units()))
        self.assertFalse(self.site.is_free_for(request))
        self.site.turn()
        self.assertFalse(self.site.is_free_for(request))
        self.store.answer()
        self.assertTrue(self.site.is_free_for(request))
        self.assertEqual(self.held(), ['request:1'])

    def test_what_is_granted_to_one_is_nobody_elses(self) -> None:
        first = self.site.request(1, ('a', units()))
        self.site.settle()
        second = self.site.step(('a', units()))
        self.site.settle()
        self.assertTrue(self.site.is_free_for(first))
        self.assertFalse(second.has)

    def test_one_waiter_is_asked_for_once_at_a_time(self) -> None:
        self.site.step(('a', units()))
        self.site.turn()
        for _ in range(3):
            self.site.sharing.opened(A)
            self.site.turn(5.0)
        self.assertEqual(self.asked(), ['take'])

    def test_it_is_asked_again_at_once_where_something_was_freed_meanwhile(self) -> None:
        self.store.other_takes('x', Want('a'))
        step = self.site.step(('a', units()))
        self.site.turn()
        taking = self.store.asked[0].work
        refused = taking()
        self.store.asked[0].work = lambda: refused  # decided, and not heard yet
        self.store.other_gives_back()
        self.store.answer()
        self.site.settle()
        self.assertTrue(step.has)

    def test_a_lost_message_costs_seconds(self) -> None:
        self.site.deaf = True
        self.store.other_takes('x', Want('a'))
        step = self.site.step(('a', units()))
        self.site.settle()
        self.store.other_gives_back()
        self.site.settle()
        self.assertFalse(step.has)
        self.site.turn(2 * asking.POLL)
        self.site.settle()
        self.assertTrue(step.has)

    def test_a_release_asks_for_one_and_for_the_next_only_when_that_was_granted(self) -> None:
        self.store.other_takes('x', Want('a'))
        for number in range(5):
            self.site.request(number, ('a', units()))
        self.site.settle()
        asked = self.count_takes()
        self.store.other_gives_back()
        self.site.settle()
        self.assertEqual(self.held(), ['request:0'])
        self.assertEqual(len(asked), 2)

    def test_one_that_lacks_another_lock_keeps_a_freed_one_from_nobody(self) -> None:
        self.store.other_takes('x', Want('a'))
        self.store.other_takes('y', Want('b'))
        for number in range(5):
            self.site.request(number, ('a', units()), ('b', units()))
        last = self.site.request(5, ('b', units()))
        self.site.settle()
        asked = self.count_takes()
        self.store.give_back_now('y')
        self.site.settle()
        self.assertTrue(self.site.is_free_for(last))
        self.assertEqual(len(asked), 1)  # of the others it is known what they lack

    def test_where_the_first_is_refused_for_another_lock_the_next_is_asked(self) -> None:
        self.store.other_takes('x', Want('a'))
        self.store.other_takes('y', Want('b'))
        self.site.request(1, ('a', units()), ('b', units()))
        second = self.site.request(2, ('b', units()))
        self.site.settle()
        self.site.sharing.opened(A)  # and was taken again before anybody asked
        self.store.give_back_now('y')
        self.site.settle()
        self.assertTrue(self.site.is_free_for(second))

    def test_who_comes_first_in_the_database_is_asked_where_another_is_first_here(
        self,
    ) -> None:
        self.store.other_takes('x', Want('a'))
        first, second = (self.site.request(number, ('a', units())) for number in (1, 2))
        self.site.turn()
        self.store.answer(1)  # of two that are asked at once
        self.site.settle()
        self.store.give_back_now('x')
        self.site.settle()
        self.assertFalse(self.site.is_free_for(first))
        self.assertTrue(self.site.is_free_for(second))

    def test_of_a_long_line_few_stand_in_the_one_of_the_database(self) -> None:
        self.store.other_takes('x', Want('a'))
        for number in range(3 * bids.WINDOW):
            self.site.request(number, ('a', units()))
        self.site.settle()
        self.assertEqual(len(self.store.waiting), bids.WINDOW)

    def test_all_of_a_long_line_are_served_in_turn(self) -> None:
        requests = [self.site.request(n, ('a', units())) for n in range(3 * bids.WINDOW)]
        for request in requests:
            self.site.settle()
            self.site.turn(6.0)
            self.site.settle()
            self.assertTrue(self.site.is_free_for(request), request.id)
            self.site.leave(request)
        self.assert_quiet()

    def test_a_database_that_fails_is_asked_again(self) -> None:
        step = self.site.step(('a', units()))
        self.site.turn()
        self.store.answer(how='failed')
        self.site.turn(2 * asking.POLL)
        self.site.settle()
        self.assertTrue(step.has)

    def test_a_grant_whose_answer_was_lost_is_heard_of_the_next_time(self) -> None:
        step = self.site.step(('a', units()))
        self.site.turn()
        self.store.answer(how='unheard')
        self.site.turn(2 * asking.POLL)
        self.site.settle()
        self.assertTrue(step.has)
        self.assertEqual(len(self.store.units), 1)
        step.release()
        self.assert_quiet()

    def count_takes(self) -> list[Any]:
        stock, counted = self.store.take, []

        def take(*args: Any, **kwargs: Any) -> Any:
            counted.append(args)
            return stock(*args, **kwargs)

        self.store.take = take  # type: ignore[method-assign]
        return counted


class GoingAway(SharingCase):
    def test_a_grant_that_comes_after_its_request_has_gone_is_given_back(self) -> None:
        request = self.site.request(1, ('a', units()))
        self.site.turn()
        self.site.leave(request)
        self.store.answer()
        self.assertEqual(self.held(), ['request:1'])
        self.assert_quiet()

    def test_a_grant_that_nobody_heard_of_is_given_back_when_its_request_goes(self) -> None:
        request = self.site.request(1, ('a', units()))
        self.site.turn()
        self.store.answer(how='unheard')
        self.site.leave(request)
        self.assert_quiet()

    def test_a_grant_that_a_waiter_never_heard_of_is_given_back_when_it_goes(self) -> None:
        self.store.other_takes('x', Want('a'))
        step = self.site.step(('a', units()))
        self.site.settle()
        self.store.other_gives_back()
        self.site.turn()
        self.store.answer(how='unheard')
        self.assertEqual(self.held(), ['other:Step'])
        step.stop()
        self.assert_quiet()

    def test_a_request_that_comes_again_before_it_was_given_back_keeps_what_it_gets(self) -> None:
        request = self.site.request(1, ('a', units()))
        self.site.turn()
        self.site.leave(request)
        self.site.line_up(request)
        self.site.settle()
        self.site.turn(2 * asking.POLL)
        self.site.settle()
        self.assertTrue(self.site.is_free_for(request))
        self.assertEqual(len(self.held()), 1)

    def test_a_step_that_is_interrupted_while_it_waits_leaves_the_line(self) -> None:
        self.store.other_takes('x', Want('a'))
        step = self.site.step(('a', units()))
        self.site.settle()
        self.assertEqual(len(self.store.waiting), 1)
        step.stop()
        self.store.other_gives_back()
        self.assert_quiet()
        self.assertFalse(step.has)

    def test_what_is_released_while_the_database_fails_is_given_back_later(self) -> None:
        step = self.site.step(('a', units()))
        self.site.settle()
        step.release()
        for _ in range(3):
            self.site.turn(20.0)
            self.store.answer(how='failed')
        self.assertEqual(len(self.held()), 1)
        self.site.turn(20.0)
        self.assert_quiet()

    def test_a_build_that_ends_before_its_name_was_told_leaves_nothing(self) -> None:
        request = self.site.request(1, ('a', units()))
        self.site.settle()
        build = self.started(request)
        build.acquire()
        build.release()
        self.assert_quiet()

    def started(self, request: Any) -> Any:
        build = self.site.step()
        build._locks_to_acquire, build.has = request.pairs, False
        for door, access in request.pairs:
            self.assertTrue(door.reserve(request, access))
            door.hand_over(request, build, access)
        return build

    def test_a_request_s_units_are_its_builds_in_the_database_too(self) -> None:
        request = self.site.request(1, ('a', units()))
        self.site.settle()
        build = self.started(request)
        build.acquire()
        self.site.settle()
        self.assertEqual(self.held(), ['other:Step'])
        build.release()
        self.assert_quiet()


class Several(SharingCase):
    def test_nothing_is_held_while_something_is_missing(self) -> None:
        self.store.other_takes('x', Want('b'))
        step = self.site.step(('a', ALONE), ('b', ALONE))
        self.site.settle()
        self.assertFalse(step.has)
        self.assertEqual(self.held(), ['x'])
        self.store.other_gives_back()
        self.site.settle()
        self.assertTrue(step.has)
        self.assertEqual(len(self.store.units), 2)

    def test_a_request_that_needs_more_by_now_keeps_nothing_meanwhile(self) -> None:
        request = self.site.request(1, ('a', ALONE))
        self.site.settle()
        self.store.other_takes('x', Want('b'))
        request.pairs = self.site.pairs(('a', ALONE), ('b', ALONE))
        self.site.line_up(request)
        self.assertFalse(self.site.locks['a'].is_offered(request))
        self.site.settle()
        self.assertEqual(self.held(), ['x'])
        self.store.other_gives_back()
        self.site.turn(2 * asking.POLL)
        self.site.settle()
        self.assertTrue(self.site.is_free_for(request))

    def test_units_go_back_when_all_locks_are_released(self) -> None:
        step = self.site.step(('a', ALONE), ('b', ALONE))
        self.site.settle()
        door, access = step._locks_to_acquire[0]
        door.release(step, access)
        self.site.settle()
        self.assertEqual(len(self.store.units), 2)
        step.release()
        self.assert_quiet()

    def test_one_lock_twice_in_a_list_is_had_once(self) -> None:
        step = self.site.step(('a', units()), ('a', units()))
        self.site.settle()
        self.assertTrue(step.has)
        self.assertEqual(len(self.store.units), 1)
        step.release()
        self.assert_quiet()


class TheLease(SharingCase):
    def test_nothing_is_available_while_it_is_not_sure(self) -> None:
        request = self.site.request(1, ('a', units()))
        self.site.settle()
        self.site.lease.sure = False
        self.assertFalse(self.site.is_free_for(request))
        self.site.lease.sure = True
        self.assertTrue(self.site.is_free_for(request))

    def test_who_was_woken_while_it_was_not_sure_is_woken_again(self) -> None:
        step = self.site.step(('a', units()))
        self.site.lease.sure = False
        self.site.settle()
        self.assertFalse(step.has)
        self.site.lease.sure = True
        self.site.turn(2 * asking.POLL)
        self.assertTrue(step.has)

    def test_what_was_in_hand_when_it_was_lost_is_asked_for_anew(self) -> None:
        request = self.site.request(1, ('a', units()))
        self.site.settle()
        self.site.lose_lease()
        self.store.other_takes('x', Want('a'))
        self.site.begin_lease()
        self.site.settle()
        self.assertFalse(self.site.is_free_for(request))
        self.store.other_gives_back()
        self.site.settle()
        self.assertTrue(self.site.is_free_for(request))

    def test_an_answer_to_a_run_that_was_lost_counts_for_nothing(self) -> None:
        request = self.site.request(1, ('a', units()))
        self.site.turn()
        taken = self.store.asked[0].work()
        self.store.asked[0].work = lambda: taken  # granted, and not heard yet
        self.site.lose_lease()
        self.store.answer()
        self.assertFalse(self.site.is_free_for(request))
        self.site.begin_lease()
        self.store.other_takes('x', Want('a'))
        self.assertFalse(self.site.is_free_for(request))
        self.site.settle()
        self.assertFalse(self.site.is_free_for(request))

    def test_a_build_that_runs_goes_on_and_is_named(self) -> None:
        step = self.site.step(('a', units()))
        self.site.settle()
        lines = LogLines(self)
        self.site.lose_lease()
        self.assertIn('other:Step (a) may share', ' '.join(lines.ours()))
        self.site.begin_lease()
        self.store.other_takes('x', Want('a'))
        step.release()
        self.site.turn()
        self.assertEqual(self.asked(), [])
        self.assertEqual(self.held(), ['x'])

    def test_a_waiter_stands_in_the_line_of_the_new_run(self) -> None:
        self.store.other_takes('x', Want('a'))
        step = self.site.step(('a', units()))
        self.site.settle()
        self.site.lose_lease()
        self.site.begin_lease()
        self.site.settle()
        self.assertEqual(list(self.store.waiting), [('run 2', 'other:Step')])
        self.store.other_gives_back()
        self.site.settle()
        self.assertTrue(step.has)

    def test_a_reservation_does_not_outlive_it(self) -> None:
        request = self.site.request(1, ('a', units()))
        self.site.settle()
        (door, access) = request.pairs[0]
        self.assertTrue(door.reserve(request, access))
        self.site.lose_lease()
        self.assertFalse(door.isAvailable(request, access))
        self.site.begin_lease()
        self.site.settle()
        self.assertTrue(door.isAvailable(request, access))
        door.give_up(request, access)
        self.assert_quiet()


class TheLimit(SharingCase):
    def test_one_that_is_raised_lets_in_who_waits(self) -> None:
        self.store.other_takes('x', Want('a'))
        step = self.site.step(('a', units()))
        self.site.settle()
        self.assertFalse(step.has)
        self.site.locks['a'].setMaxCount(2)
        self.site.settle()
        self.assertTrue(step.has)

    def test_one_that_is_lowered_takes_nothing_back(self) -> None:
        request = self.site.request(1, ('a', units()))
        self.site.settle()
        self.site.locks['a'].setMaxCount(0)
        self.assertTrue(self.site.is_free_for(request))

    def test_more_than_the_limit_waits_until_it_is_raised_and_holds_up_nobody(self) -> None:
        heavy = self.site.step(('a', units(2)))
        light = self.site.step(('a', units()))
        self.site.settle()
        self.assertTrue(light.has)
        self.assertFalse(heavy.has)
        light.release()
        self.site.settle()
        self.site.locks['a'].setMaxCount(2)
        self.site.settle()
        self.assertTrue(heavy.has)

    def test_none_is_no_limit_but_for_who_wants_it_alone(self) -> None:
        self.site.locks['a'].setMaxCount(None)
        steps = [self.site.step(('a', units(3))) for _ in range(3)]
        alone = self.site.step(('a', ALONE))
        self.site.settle()
        self.assertTrue(all(one.has for one in steps))
        self.assertFalse(alone.has)
        for one in steps:
            one.release()
        self.site.settle()
        self.assertTrue(alone.has)


class WithoutIt(SharingCase):
    def test_nobody_gets_anything_and_who_waits_is_asked_for_when_it_begins(self) -> None:
        lock, stock = self.site.locks['a'], self.site.locks['a'].sharing
        lock.sharing = lambda: None
        step = self.site.step(('a', units()))
        self.assertFalse(lock.isAvailable(None, units()))
        self.site.settle()
        self.assertFalse(step.has)
        lock.sharing = stock
        lock.bid_again()
        self.site.settle()
        self.assertTrue(step.has)

    def test_what_is_not_claimed_goes_back_when_it_ends(self) -> None:
        self.site.request(1, ('a', units()))
        step = self.site.step(('b', units()))
        self.site.settle()
        self.site.sharing.stop()
        self.successResultOf(defer.ensureDeferred(self.drained()))
        self.assertEqual([one.lock.name for one in self.store.units], ['b'])
        self.assertTrue(step.has)

    async def drained(self) -> None:
        flushing = defer.ensureDeferred(self.site.sharing.flush())
        while self.store.asked:
            self.store.answer()
        await flushing
