# SPDX-License-Identifier: GPL-2.0-or-later
"""What somebody asks, checked before anything is done."""

from __future__ import annotations

from parameterized import parameterized
from support.facades import NOW
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.errors import BalancerError
from buildbot_balancer.www.parameters import Parameters
from buildbot_balancer.www.parameters import read

KNOWN = ('mood', 'reason', 'until')
NO_MOOD = (
    '"ofline!" is no mood (one of offline, going-on-holiday, reluctant, eager, or auto);'
    ' did you mean "offline"?'
)


class Reading(SynchronousTestCase):
    def read(self, **given):
        return read('set', {'mood': 'offline', **given}, KNOWN, NOW)

    def sentence(self, action='set', known=KNOWN, **given):
        return str(self.assertRaises(BalancerError, read, action, given, known, NOW))

    def test_all_of_them(self):
        self.assertEqual(
            self.read(mood=' Going_On_Holiday', reason='moving', until='2h', owner='ann'),
            Parameters(mood='going-on-holiday', reason='moving', until=NOW + 7200, user='ann'),
        )

    def test_what_is_not_given_is_none(self):
        self.assertEqual(
            read('drain', {'reason': None, 'until': None}, ('reason', 'until'), NOW), Parameters()
        )

    @parameterized.expand(
        [
            ('<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'),
            ('two\nlines\x1b[31m\u202e', 'two lines[31m'),
            (' ', None),
            ('x' * 10_000_000, 'x' * 200),
            ('\ud800half', 'half'),
        ]
    )
    def test_texts_are_cleaned_and_cut(self, text, kept):
        self.assertEqual(self.read(reason=text).reason, kept)
        self.assertEqual(self.read(owner=text).user, kept)

    @parameterized.expand([(NOW + 1, NOW + 1), (int(NOW) + 60, NOW + 60), ('1h30m', NOW + 5400)])
    def test_until_is_a_number_or_what_people_write(self, given, at):
        self.assertEqual(self.read(until=given).until, at)

    def test_auto_stands_alone(self):
        self.assertEqual(self.read(mood='AUTO ').mood, 'auto')

    @parameterized.expand(
        [
            ({}, '"mood" is missing'),
            ({'mood': 3}, '"mood" must be text'),
            ({'mood': ['offline']}, '"mood" must be text'),
            (
                {'mood': 'of\x1bline!'},
                NO_MOOD,
            ),
            (
                {'mood': 'auto', 'reason': 'x'},
                '"auto" ends what was set, and takes no reason and no until',
            ),
            ({'mood': 'eager', 'reason': {'a': 1}}, '"reason" must be text'),
            ({'mood': 'eager', 'until': NOW}, '"until" is over already'),
            ({'mood': 'eager', 'until': 0}, '"until" is over already'),
            ({'mood': 'eager', 'until': '2001-01-01 08:00'}, '"until" is over already'),
            (
                {'mood': 'eager', 'until': NOW * 1000},
                '"until" must be epoch seconds within the next ten years',
            ),
            (
                {'mood': 'eager', 'until': 10**400},
                '"until" must be epoch seconds within the next ten years',
            ),
            (
                {'mood': 'eager', 'until': float('nan')},
                '"until" must be epoch seconds within the next ten years',
            ),
            (
                {'mood': 'eager', 'until': float('inf')},
                '"until" must be epoch seconds within the next ten years',
            ),
            (
                {'mood': 'eager', 'until': True},
                '"until" must be epoch seconds, or text such as 18:00 or 2h',
            ),
            (
                {'mood': 'eager', 'until': []},
                '"until" must be epoch seconds, or text such as 18:00 or 2h',
            ),
            (
                {'mood': 'eager', 'until': 'soon'},
                '"soon" is no time (such as 18:00, "2026-12-24 08:00", 2h or 1h30m)',
            ),
            (
                {'mood': 'eager', 'wen\n': 1},
                '"wen" is no parameter of "set": it takes mood, reason, until',
            ),
        ]
    )
    def test_what_is_wrong_is_one_sentence(self, given, sentence):
        self.assertEqual(self.sentence(**given), sentence)

    def test_a_parameter_where_there_are_none(self):
        self.assertEqual(
            self.sentence('resume', (), reason='x'),
            '"reason" is no parameter of "resume": it takes none',
        )

    def test_sentences_stay_short(self):
        self.assertEqual(
            self.sentence(mood='offline' + ' ' * 93),
            '"mood" has 100 characters, over the limit of 60',
        )
        self.assertEqual(
            self.sentence(mood='eager', until='1h' * 1_000_000),
            '"until" has 2000000 characters, over the limit of 60',
        )
        self.assertLess(len(self.sentence(**{'y' * 10_000_000: 1})), 200)
