# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from support.logs import LogLines
from twisted.internet import defer
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.reporter.measured import Reading
from buildbot_balancer.reporter.probes.unknown import UnknownError
from buildbot_balancer.reporter.senses import Sense
from buildbot_balancer.reporter.senses import Senses


class Probe:
    def __init__(self, name):
        self.name = name

    def sample(self, now):
        raise AssertionError


class Case(SynchronousTestCase):
    def setUp(self):
        self.steady = 1000.0
        self.asked = []
        self.told = 0
        self.senses = Senses(
            [Sense(Probe('a'), 10.0), Sense(Probe('b'), 60.0)],
            self.run_later,
            lambda: self.steady,
            self.count,
        )
        self.lines = LogLines(self)

    def count(self):
        self.told += 1

    def run_later(self, function, now):
        done = defer.Deferred()
        self.asked.append((function.__self__.name, now, done))
        return done

    def ask(self, after=0.0):
        """The names of those that are asked now."""
        self.steady += after
        before = len(self.asked)
        self.senses.ask(5.0)
        return [name for name, _, _ in self.asked[before:]]

    def answer(self, name, value):
        done = next(d for n, _, d in reversed(self.asked) if n == name and not d.called)
        if isinstance(value, Exception):
            done.errback(value)
        else:
            done.callback(value)

    def reading(self, name='a'):
        return self.senses.readings[name]


class Asking(Case):
    def test_each_is_asked_at_once_and_then_in_its_own_time(self):
        self.assertEqual(self.ask(), ['a', 'b'])
        self.assertEqual(self.asked[0][1], 5.0)
        self.answer('a', 1)
        self.answer('b', 2)
        self.assertEqual(self.ask(9.9), [])
        self.assertEqual(self.ask(0.1), ['a'])
        self.answer('a', 1)
        self.assertEqual(self.ask(50), ['a', 'b'])

    def test_one_that_hangs_is_asked_no_more_and_the_others_go_on(self):
        self.ask()
        self.answer('b', 2)
        self.assertEqual(self.ask(60), ['b'])
        self.answer('a', 1)
        self.assertEqual(self.ask(0), ['a'])

    def test_after_the_end_nothing_is_heard(self):
        self.ask()
        self.senses.close()
        self.answer('a', 1)
        self.answer('b', ValueError('x'))
        self.assertEqual((self.senses.readings, self.told), ({}, 0))


class Hearing(Case):
    def test_an_answer_is_kept_with_its_time_and_told(self):
        self.ask()
        self.steady += 3
        self.answer('a', 1)
        self.assertEqual(self.reading(), Reading(1, 1003.0, ''))
        self.assertEqual(self.told, 1)

    def test_a_failure_keeps_the_last_good_answer_and_says_why(self):
        self.ask()
        self.answer('a', 1)
        self.ask(10)
        self.answer('a', UnknownError('tried in vain'))
        self.assertEqual(self.reading(), Reading(1, 1000.0, 'tried in vain'))
        self.ask(10)
        self.answer('a', ZeroDivisionError('a\nb'))
        self.assertEqual(self.reading().why, 'ZeroDivisionError: a b')
        self.ask(10)
        self.answer('a', None)
        self.assertEqual(self.reading().why, 'not measured')
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_it_is_one_line_until_it_is_another_or_was_mended(self):
        said = [UnknownError('x'), UnknownError('x'), UnknownError('y'), 1, UnknownError('y')]
        for one in said:
            self.ask(10)
            self.answer('a', one)
        found = [line.rpartition(' ')[2] for line in self.lines.ours() if 'a is unknown' in line]
        self.assertEqual(found, ['x', 'y', 'y'])

    def test_what_comes_by_another_way_is_kept_alike(self):
        self.senses.heard('load', 0.5)
        self.assertEqual(self.reading('load'), Reading(0.5, 1000.0, ''))
        self.steady += 5
        self.senses.heard('load', None)
        self.assertEqual(self.reading('load'), Reading(0.5, 1000.0, 'not measured'))
