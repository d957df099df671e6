# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cluster.want import EXCLUSIVE
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.cluster.want import Want
from buildbot_balancer.cluster.want import by_lock


class Keys(SynchronousTestCase):
    def test_an_id_is_the_same_on_every_master_and_for_ever(self):
        self.assertEqual(LockKey('host', 'esx1').id, 2419972342956026898)

    def test_the_id_fits_a_column_of_63_bits(self):
        for number in range(100):
            self.assertLess(LockKey(f'lock {number}').id, 2**63)

    def test_a_name_and_its_group_are_not_taken_for_another_pair(self):
        pairs = [('a', 'b c'), ('a b', 'c'), ('a b c', ''), ('', 'a b c'), ('1 a', 'b')]
        self.assertEqual(len({LockKey(*pair).id for pair in pairs}), len(pairs))

    def test_a_name_that_no_encoder_takes_has_an_id(self):
        self.assertNotEqual(LockKey('\udc80').id, LockKey('\udc81').id)


class Wants(SynchronousTestCase):
    def test_they_come_in_the_order_of_the_ids_however_they_were_named(self):
        wants = [Want(name) for name in 'abcdefgh']
        self.assertEqual(list(by_lock(wants)), sorted(by_lock(wants)))
        self.assertEqual(list(by_lock(wants)), list(by_lock(reversed(wants))))

    def test_a_lock_that_is_named_twice_is_taken_at_its_most(self):
        light, heavy = Want('a', limit=5, count=1), Want('a', limit=5, count=3)
        exclusive = Want('a', limit=5, mode=EXCLUSIVE)
        self.assertEqual(list(by_lock([light, heavy, light]).values()), [heavy])
        self.assertEqual(list(by_lock([exclusive, heavy]).values()), [exclusive])

    def test_no_units_are_not_wanted(self):
        self.assertEqual(by_lock([Want('a', count=0)]), {})

    def test_more_than_the_limit_can_never_be_had(self):
        self.assertTrue(Want('a', limit=2, count=3).is_never)
        self.assertTrue(Want('a', limit=0, mode=EXCLUSIVE).is_never)
        self.assertFalse(Want('a', limit=2, count=2).is_never)
        self.assertFalse(Want('a', limit=None, count=1000).is_never)

    def test_a_mode_that_there_is_not_is_refused(self):
        self.assertRaises(ValueError, Want, 'a', mode='shared')
