# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.policy.verdict import Answer
from buildbot_balancer.policy.verdict import Verdict


class Verdicts(SynchronousTestCase):
    def test_only_yes_passes(self):
        passing = {answer for answer in Answer if Verdict(answer).passes}
        self.assertEqual(passing, {Answer.YES})

    def test_each_way_to_make_one_gives_its_answer(self):
        made = [
            Verdict.yes(),
            Verdict.not_now('busy', 'is busy'),
            Verdict.never('incapable', 'has no jtag'),
            Verdict.unknown('load-unknown', 'has an unknown load'),
        ]
        self.assertEqual([v.answer for v in made], list(Answer))
        self.assertEqual([v.passes for v in made], [True, False, False, False])

    def test_a_verdict_is_never_taken_for_a_bool(self):
        for verdict in (Verdict.yes(), Verdict.not_now('busy', 'is busy')):
            self.assertRaises(TypeError, bool, verdict)

    def test_it_carries_why_who_when_and_what(self):
        verdict = Verdict.not_now('gate', 'cools down', ('w1',), again_at=12.5, fact='gate')
        self.assertEqual(
            attrs.asdict(verdict),
            {
                'answer': Answer.NOT_NOW,
                'code': 'gate',
                'sentence': 'cools down',
                'who': ('w1',),
                'again_at': 12.5,
                'fact': 'gate',
            },
        )

    def test_never_has_no_moment_to_ask_again(self):
        self.assertIsNone(Verdict.never('incapable', 'has no jtag').again_at)

    def test_a_verdict_cannot_be_changed(self):
        self.assertRaises(attrs.exceptions.FrozenInstanceError, setattr, Verdict.yes(), 'code', 'x')
