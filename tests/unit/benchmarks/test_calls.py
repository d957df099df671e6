# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace

from twisted.internet import defer
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.calls import Calls


class Counting(SynchronousTestCase):
    def setUp(self):
        self.answers = []
        self.pool = SimpleNamespace(do=self.ask, do_with_engine=self.ask)
        self.calls = Calls(self.pool)

    def ask(self, what, **more):
        self.asked = (what, more)
        self.answers.append(defer.Deferred())
        return self.answers[-1]

    def test_a_call_is_passed_on_and_open_until_it_is_answered(self):
        answer = self.pool.do('rows', limit=1)
        self.assertEqual(self.asked, ('rows', {'limit': 1}))
        self.assertEqual((self.calls.made, self.calls.open), (1, 1))
        self.answers[0].callback(5)
        self.assertEqual(self.successResultOf(answer), 5)
        self.assertEqual((self.calls.made, self.calls.open), (1, 0))

    def test_a_call_that_fails_is_answered_too(self):
        answer = self.pool.do_with_engine('rows')
        self.assertEqual((self.calls.made, self.calls.open), (1, 1))
        self.answers[0].errback(KeyError('rows'))
        self.failureResultOf(answer, KeyError)
        self.assertEqual((self.calls.made, self.calls.open), (1, 0))
