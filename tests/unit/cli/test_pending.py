# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from support.stage import request
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cli import pending
from buildbot_balancer.cli.pending import Outcome


def waiting(builder, reason, number=1, state='waiting'):
    return [request(buildername=builder, reason=reason, state=state)] * number


class Groups(SynchronousTestCase):
    def groups(self, items):
        return [(one.builder, one.requests, one.reason) for one in pending.groups(items)]

    def test_the_builder_with_most_requests_comes_first_and_its_commonest_reason(self):
        items = [*waiting('a', 'x', 2), *waiting('b', 'x'), *waiting('b', 'y', 3)]
        self.assertEqual(self.groups(items), [('b', 3, 'y'), ('b', 1, 'x'), ('a', 2, 'x')])

    def test_builders_that_wait_alike_come_by_name(self):
        self.assertEqual(
            self.groups([*waiting('b', 'x'), *waiting('a', 'x')]), [('a', 1, 'x'), ('b', 1, 'x')]
        )

    def test_rare_reasons_are_counted_together(self):
        items = [*waiting('a', 'common', 9), *waiting('a', 'p', 3), *waiting('a', 'q', 2)]
        self.assertEqual(self.groups([*items, *waiting('a', 'r')])[-1], ('a', 1, '1 other reason'))
        self.assertEqual(
            self.groups([*items, *waiting('a', 'r'), *waiting('a', 's')])[-1],
            ('a', 2, '2 other reasons'),
        )

    def test_one_reason_in_two_states_is_two(self):
        items = [*waiting('a', 'x'), *waiting('a', 'x', state='stuck')]
        self.assertEqual({one.state for one in pending.groups(items)}, {'waiting', 'stuck'})


class Hindrances(SynchronousTestCase):
    def test_what_hinders_most_requests_comes_first_with_its_commonest_names(self):
        def of(*verdicts):
            return request(
                verdicts=[
                    {'code': code, 'count': len(names), 'names': [*names]}
                    for code, names in verdicts
                ]
            )

        found = pending.hindrances(
            [
                of(('busy', 'ab'), ('lock', 'h')),
                of(('lock', 'g')),
                of(('lock', 'gg'), ('lock', 'g')),
            ]
        )
        self.assertEqual(
            [(one.code, one.requests, one.names) for one in found],
            [('lock', 3, ('g', 'h')), ('busy', 1, ('a', 'b'))],
        )

    def test_verdicts_of_a_wrong_kind_are_none(self):
        items = [request(verdicts=None), request(verdicts=[1, {'code': 'busy', 'names': 'w1'}])]
        self.assertEqual([one.names for one in pending.hindrances(items)], [()])


class Outcomes(SynchronousTestCase):
    def test_the_worst_counts(self):
        for states, outcome in (
            ((), Outcome.NOTHING),
            (('running', 'complete'), Outcome.NOTHING),
            (('running', 'queued'), Outcome.WAITS),
            (('waiting',), Outcome.WAITS),
            (('paused',), Outcome.WAITS),
            (('unheard of',), Outcome.WAITS),
            (('stuck', 'waiting'), Outcome.STUCK),
        ):
            items = [request(state=state) for state in states]
            self.assertIs(pending.outcome(items), outcome)
