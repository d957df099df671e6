# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.overlays import Overlays


class Thing:
    def say(self, word='hello'):
        return f'stock {word}'


def louder(stock):
    return lambda *args: f'our {stock(*args)}'


class Case(SynchronousTestCase):
    def setUp(self):
        self.thing = Thing()
        self.overlays = Overlays()


class PuttingOn(Case):
    def test_ours_stands_over_the_stock_one_and_can_use_it(self):
        self.overlays.put(self.thing, 'say', louder)
        self.assertEqual(self.thing.say('x'), 'our stock x')

    def test_the_class_and_other_instances_are_left_alone(self):
        self.overlays.put(self.thing, 'say', louder)
        self.assertEqual(Thing().say(), 'stock hello')

    def test_each_is_put_on_once(self):
        for _ in range(3):
            self.overlays.put(self.thing, 'say', louder)
        self.assertEqual(self.thing.say(), 'our stock hello')

    def test_keywords_are_passed_on(self):
        self.overlays.put(self.thing, 'say', lambda stock: stock)
        self.assertEqual(self.thing.say(word='y'), 'stock y')

    def test_a_name_that_there_is_not_is_an_error_and_changes_nothing(self):
        self.assertRaises(AttributeError, self.overlays.put, self.thing, 'shout', louder)
        self.overlays.take_off()
        self.assertEqual(vars(self.thing), {})

    def test_two_objects_that_are_equal_have_one_each(self):
        class Equal(Thing):
            def __eq__(self, other):
                return True

            __hash__ = None

        one, other = Equal(), Equal()
        self.overlays.put(one, 'say', louder)
        self.overlays.put(other, 'say', louder)
        self.assertEqual((one.say(), other.say()), ('our stock hello',) * 2)


class TakingOff(Case):
    def test_the_object_is_as_it_was(self):
        self.overlays.put(self.thing, 'say', louder)
        self.overlays.take_off()
        self.assertEqual(vars(self.thing), {})
        self.assertEqual(self.thing.say(), 'stock hello')

    def test_what_the_instance_itself_had_is_put_back(self):
        self.thing.say = mine = lambda word='hello': f'mine {word}'
        self.overlays.put(self.thing, 'say', louder)
        self.assertEqual(self.thing.say(), 'our mine hello')
        self.overlays.take_off()
        self.assertIs(self.thing.say, mine)

    def test_it_may_be_taken_off_twice_and_put_on_again(self):
        self.overlays.put(self.thing, 'say', louder)
        self.overlays.take_off()
        self.overlays.take_off()
        self.overlays.put(self.thing, 'say', louder)
        self.assertEqual(self.thing.say(), 'our stock hello')

    def test_where_somebody_put_theirs_on_top_ours_only_passes_on(self):
        self.overlays.put(self.thing, 'say', louder)
        below = self.thing.say
        self.thing.say = theirs = lambda word='hello': f'their {below(word)}'
        self.assertEqual(self.thing.say(), 'their our stock hello')
        self.overlays.take_off()
        self.assertIs(self.thing.say, theirs)
        self.assertEqual(self.thing.say('x'), 'their stock x')

    def test_a_call_that_was_taken_before_is_stock_afterwards(self):
        self.overlays.put(self.thing, 'say', louder)
        kept = self.thing.say
        self.overlays.take_off()
        self.assertEqual(kept(), 'stock hello')


class Forgetting(Case):
    def test_what_is_forgotten_passes_on_and_the_rest_stays(self):
        other = Thing()
        self.overlays.put(self.thing, 'say', louder)
        self.overlays.put(other, 'say', louder)
        self.overlays.forget(lambda owner: owner is other)
        self.assertEqual(self.thing.say(), 'stock hello')
        self.assertEqual(other.say(), 'our stock hello')
        self.overlays.take_off()
        self.assertEqual(vars(other), {})

    def test_one_that_comes_back_gets_ours_again_once(self):
        self.overlays.put(self.thing, 'say', louder)
        self.overlays.forget(lambda owner: False)
        self.overlays.put(self.thing, 'say', louder)
        self.assertEqual(self.thing.say(), 'our stock hello')

    def test_it_keeps_no_object_that_is_forgotten_alive(self):
        self.overlays.put(self.thing, 'say', louder)
        self.overlays.forget(lambda owner: False)
        self.assertEqual(self.overlays._overlays, {})
