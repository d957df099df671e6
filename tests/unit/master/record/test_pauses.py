# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.record.pauses import Pause
from buildbot_balancer.master.record.pauses import Pauses


class Case(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.ended = []
        self.pauses = Pauses(self.clock, self.ended.append)


class ByTheClock(Case):
    def test_a_pause_without_an_end_lasts_until_it_is_ended(self):
        self.pauses.begin('b', Pause(at=0))
        self.clock.advance(10**6)
        self.assertTrue(self.pauses.is_paused('b'))
        self.assertEqual(self.pauses.end('b'), Pause(at=0))
        self.assertFalse(self.pauses.is_paused('b'))
        self.assertIsNone(self.pauses.end('b'))
        self.assertEqual(self.ended, [])  # who ends it knows

    def test_each_ends_at_its_own_time_and_says_so_once(self):
        for name, until in (('c', 20), ('b', 10), ('d', None)):
            self.pauses.begin(name, Pause(at=0, until=until))
        self.clock.advance(10)
        self.assertEqual(self.ended, ['b'])
        self.assertTrue(self.pauses.is_paused('c'))
        self.clock.advance(10)
        self.clock.advance(10)
        self.assertEqual(self.ended, ['b', 'c'])
        self.assertTrue(self.pauses.is_paused('d'))

    def test_a_longer_pause_takes_the_place_of_a_shorter_one(self):
        self.pauses.begin('b', Pause(at=0, until=10))
        self.pauses.begin('b', Pause(at=1, until=30, reason='more'))
        self.clock.advance(15)
        self.assertEqual(self.pauses.get('b').reason, 'more')
        self.assertEqual(self.ended, [])

    def test_one_that_was_over_while_the_master_was_down_ends_at_once(self):
        self.clock.advance(100)
        self.pauses.load({'b': Pause(at=0, until=50), 'c': Pause(at=0, until=150)})
        self.assertFalse(self.pauses.is_paused('b'))
        self.clock.advance(0)
        self.assertEqual(self.ended, ['b'])
        self.assertTrue(self.pauses.is_paused('c'))

    def test_no_timer_is_left_after_stop(self):
        self.pauses.begin('b', Pause(at=0, until=10))
        self.pauses.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class OfOtherMasters(Case):
    def test_only_what_is_another_one_now_is_told(self):
        self.pauses.begin('a', Pause(at=0))
        self.pauses.begin('b', Pause(at=0, reason='old'))
        self.pauses.begin('c', Pause(at=0))
        said = {'a': Pause(at=0), 'b': Pause(at=0, reason='new'), 'd': Pause(at=0, until=10)}
        self.assertEqual(self.pauses.change(said, ()), ['b', 'c', 'd'])
        self.assertEqual(self.pauses.get('b').reason, 'new')
        self.assertFalse(self.pauses.is_paused('c'))
        self.clock.advance(10)
        self.assertEqual(self.ended, ['d'])

    def test_one_that_is_over_is_none_however_often_it_is_read(self):
        said = {'a': Pause(at=0, until=10)}
        self.pauses.change(said, ())
        self.clock.advance(10)
        self.assertEqual((self.pauses.change(said, ()), self.ended), ([], ['a']))
        self.clock.advance(10)
        self.assertEqual(self.ended, ['a'])

    def test_what_is_known_better_here_stays(self):
        self.pauses.begin('a', Pause(at=0))
        self.assertEqual(self.pauses.change({'b': Pause(at=0)}, {'a', 'b'}), [])
        self.assertEqual((self.pauses.is_paused('a'), self.pauses.is_paused('b')), (True, False))
