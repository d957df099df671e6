# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.distribution import wishes as module
from buildbot_balancer.master.distribution.wishes import Wishes

HOST, DISK = ('host', 'esx1'), ('disk', '')


class Waiting(SynchronousTestCase):
    def setUp(self) -> None:
        self.wishes = Wishes()

    def since(self, key: tuple[str, str]) -> list[tuple[int, float]]:
        return [(one.request, one.since[key]) for one in self.wishes.of(key)]

    def test_a_request_waits_since_the_lock_was_first_in_its_way(self) -> None:
        self.assertEqual(self.wishes.wait(7, 'b', [HOST], 10), {HOST})
        self.assertEqual(self.wishes.wait(7, 'b', [HOST, DISK], 20), {DISK})
        self.assertEqual(self.since(HOST), [(7, 10)])
        self.assertEqual(self.since(DISK), [(7, 20)])
        self.assertEqual(self.wishes.of_request(7), [HOST, DISK])

    def test_what_is_not_in_its_way_any_more_is_forgotten(self) -> None:
        self.wishes.wait(7, 'b', [HOST, DISK], 10)
        self.assertEqual(self.wishes.wait(7, 'b', [DISK], 20), {HOST})
        self.assertEqual(self.since(HOST), [])
        self.wishes.wait(7, 'b', [HOST, DISK], 30)
        self.assertEqual((self.since(HOST), self.since(DISK)), ([(7, 30)], [(7, 10)]))

    def test_the_oldest_request_comes_first(self) -> None:
        for request in (9, 7, 8):
            self.wishes.wait(request, 'b', [HOST], 10 + request)
        self.assertEqual([one for one, _ in self.since(HOST)], [7, 8, 9])

    def test_one_that_is_gone_leaves_nothing_behind(self) -> None:
        self.wishes.wait(7, 'b', [HOST], 10)
        self.wishes.opened(HOST, 11)
        self.assertEqual(self.wishes.drop(7), {HOST})
        self.assertEqual(self.wishes.drop(7), set())
        self.assertEqual(
            (self.wishes._wishes, self.wishes._by_lock, self.wishes._opened), ({},) * 3
        )

    def test_its_wait_ends_when_the_lock_was_let_go_of_and_not_when_a_worker_came(self) -> None:
        self.wishes.opened(HOST, 5)
        self.assertEqual(self.wishes._opened, {})  # as nobody waits
        self.wishes.wait(7, 'b', [HOST], 10)
        self.assertEqual(self.wishes.waited(7, HOST, 100), 90)
        self.wishes.opened(HOST, 30)
        self.assertEqual(self.wishes.waited(7, HOST, 100), 20)
        self.wishes.wait(8, 'b', [HOST], 40)
        self.assertEqual(self.wishes.waited(8, HOST, 100), 60)
        self.assertIsNone(self.wishes.waited(8, DISK, 100))
        self.assertIsNone(self.wishes.waited(9, HOST, 100))

    def test_there_is_an_end_to_what_is_kept(self) -> None:
        self.patch(module, 'KEPT', 2)
        for request in (1, 2, 3):
            self.wishes.wait(request, 'b', [HOST], 10)
        self.assertEqual(len(self.wishes), 2)
        self.wishes.drop(1)
        self.wishes.wait(3, 'b', [HOST], 20)
        self.assertEqual(self.since(HOST), [(2, 10), (3, 20)])
