# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.answer import Answer
from buildbot_balancer.reporter.hearing import Hearing


class Promise(SynchronousTestCase):
    def setUp(self):
        self.hearing = Hearing()

    def answered(self, **said):
        return self.hearing.answered(Answer(**{'incarnation': 'me', **said}), 'me')

    def test_a_drain_that_goes_well_is_promised(self):
        self.assertTrue(self.hearing.answered(Answer(), 'me'))
        self.hearing.new_word(3)
        self.assertFalse(self.answered(seq=3, running=1))
        self.assertEqual((self.hearing.builds, self.hearing.promised), (1, False))
        self.answered(seq=3, free=True)
        self.assertEqual((self.hearing.builds, self.hearing.promised), (0, True))

    def test_an_answer_to_the_word_before_promises_nothing(self):
        self.hearing.new_word(5)
        self.answered(seq=4, free=True)
        self.assertFalse(self.hearing.promised)
        self.answered(seq=6, free=True)
        self.assertTrue(self.hearing.promised)

    def test_an_answer_to_the_word_before_takes_nothing_back(self):
        self.hearing.new_word(5)
        self.answered(seq=5, free=True)
        self.answered(seq=4, free=False)
        self.assertTrue(self.hearing.promised)

    def test_a_new_word_ends_the_promise_and_the_search(self):
        self.answered(seq=1, free=True)
        self.hearing.empty = True
        self.hearing.new_word(2)
        self.assertEqual((self.hearing.promised, self.hearing.empty), (False, False))

    def test_a_build_after_all_ends_the_promise_and_the_search(self):
        self.answered(seq=1, free=True)
        self.hearing.empty = True
        self.answered(seq=1, free=False, running=1)
        self.assertEqual((self.hearing.promised, self.hearing.empty), (False, False))

    def test_what_another_incarnation_was_told_is_not_for_this_one(self):
        self.answered(seq=9, free=True, incarnation='other')
        self.assertEqual((self.hearing.promised, self.hearing.builds), (False, None))
        self.assertFalse(self.hearing.hears)

    def test_a_greeting_promises_nothing_and_takes_nothing_back(self):
        self.answered(seq=1, free=True)
        self.assertTrue(self.hearing.answered(Answer(), 'me'))
        self.assertTrue(self.hearing.promised)

    def test_a_balancer_that_takes_its_leave_takes_its_promise_back(self):
        self.answered(seq=1, free=True)
        self.hearing.empty = True
        self.assertFalse(self.hearing.answered(Answer(serving=False), 'me'))
        self.assertEqual(self.hearing, Hearing(word_seq=self.hearing._word_seq))

    def test_a_promise_outlives_the_connection_and_the_count_does_not(self):
        self.answered(seq=1, free=True)
        self.hearing.lost()
        self.assertEqual((self.hearing.promised, self.hearing.builds), (True, None))
        self.assertFalse(self.hearing.hears)


class Listening(SynchronousTestCase):
    def test_a_master_hears_when_it_has_taken_the_last_report(self):
        hearing = Hearing()
        hearing.answered(Answer(), 'me')
        self.assertFalse(hearing.hears)
        hearing.taken()
        self.assertTrue(hearing.hears)
        hearing.not_taken()
        self.assertFalse(hearing.hears)

    def test_a_stock_master_that_refuses_a_knock_is_left_alone(self):
        hearing = Hearing()
        hearing.knock()
        self.assertTrue(hearing.refused())
        self.assertFalse(hearing.listening)

    def test_a_master_that_greeted_and_refuses_is_spoken_to_again(self):
        for way in ('greeting', 'taken'):
            hearing = Hearing()
            hearing.knock()
            hearing.answered(Answer(), 'me') if way == 'greeting' else hearing.taken()
            self.assertFalse(hearing.refused())
            self.assertTrue(hearing.listening)
            self.assertFalse(hearing.hears)
