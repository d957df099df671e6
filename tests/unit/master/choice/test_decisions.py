# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.choice import decisions as module
from buildbot_balancer.master.choice.decisions import Decisions
from buildbot_balancer.policy.decision import Decision
from buildbot_balancer.policy.verdict import Verdict


def a_decision(request=1, builder='b', code='busy', at=0.0, **more):
    verdicts = {'w1': Verdict.not_now(code, f'is {code}')}
    return Decision.of(verdicts, request=request, builder=builder, at=at, **more)


class DecisionsCase(SynchronousTestCase):
    def setUp(self):
        self.now = 0.0
        self.said = []
        self.patch(module, 'say', self.said.append)
        self.told = []
        self.decisions = Decisions(lambda: self.now)
        self.decisions.told = self.told.append


class Keeping(DecisionsCase):
    def test_the_last_one_of_each_request_is_known(self):
        self.decisions.waits(a_decision(1, code='busy'))
        self.decisions.waits(a_decision(1, code='paused'))
        self.assertEqual(list(self.decisions[1].reasons), ['paused'])
        self.assertIs(self.decisions.get(1), self.decisions[1])
        self.assertIsNone(self.decisions.get(2))
        self.assertEqual((list(self.decisions), len(self.decisions)), ([1], 1))

    def test_one_builder_takes_the_place_of_no_other(self):
        self.patch(module, 'OF_ONE_BUILDER', 3)
        self.decisions.waits(a_decision(1, builder='calm'))
        for request in range(2, 9):
            self.decisions.waits(a_decision(request, builder='flood'))
        self.assertEqual(list(self.decisions), [1, 6, 7, 8])

    def test_one_that_is_said_again_is_the_youngest(self):
        self.patch(module, 'OF_ONE_BUILDER', 2)
        for request in (1, 2, 1, 3):
            self.decisions.waits(a_decision(request))
        self.assertEqual(list(self.decisions), [1, 3])

    def test_there_is_a_limit_over_all_builders(self):
        self.patch(module, 'KEPT', 3)
        for request in range(9):
            self.decisions.waits(a_decision(request, builder=f'b{request}'))
        self.assertEqual(list(self.decisions), [6, 7, 8])
        self.assertEqual(list(self.decisions._of_builder), ['b6', 'b7', 'b8'])

    def test_it_is_recent_for_so_many_seconds(self):
        self.decisions.waits(a_decision(1))
        self.now = 9.0
        self.assertTrue(self.decisions.is_recent(1, 10))
        self.assertFalse(self.decisions.is_recent(1, 9))
        self.assertFalse(self.decisions.is_recent(2, 10))


class Telling(DecisionsCase):
    def test_it_tells_when_something_else_is_said(self):
        self.decisions.waits(a_decision(1))
        self.decisions.waits(a_decision(1, at=5.0))
        self.assertEqual(self.told, [1])
        self.decisions.waits(a_decision(1, code='paused'))
        self.decisions.waits(a_decision(1, code='paused', locks=(('disk', ''),)))
        self.assertEqual(self.told, [1, 1, 1])

    def test_it_tells_when_the_build_has_started_and_not_before(self):
        self.decisions.propose(a_decision(1, worker='w2'))
        self.assertEqual((self.told, self.decisions.get(1)), ([], None))
        self.decisions.started(1)
        self.decisions.started(1)
        self.assertEqual((self.told, self.decisions[1].worker), ([1], 'w2'))

    def test_nobody_need_listen(self):
        decisions = Decisions(lambda: 0.0)
        decisions.waits(a_decision(1))
        self.assertIn(1, decisions)


class Log(DecisionsCase):
    def test_one_line_for_the_same_reason_of_many_requests(self):
        for request in range(5):
            self.decisions.waits(a_decision(request))
        self.assertEqual(len(self.said), 1)
        self.now = module.SAY_AGAIN
        self.decisions.waits(a_decision(1))
        self.assertEqual(len(self.said), 2)
