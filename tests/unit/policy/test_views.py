# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import SourceView
from buildbot_balancer.policy.views import WorkerView


class Views(SynchronousTestCase):
    def branch(self, *branches):
        sources = tuple(SourceView(branch=branch) for branch in branches)
        return RequestView(id=1, builder='b', sources=sources).branch

    def test_the_branch_is_that_of_the_only_sourcestamp(self):
        self.assertEqual(self.branch('main'), 'main')
        self.assertIsNone(self.branch(None))

    def test_with_several_sourcestamps_or_none_there_is_no_branch(self):
        self.assertIsNone(self.branch('main', 'main'))
        self.assertIsNone(self.branch())

    def test_a_filter_cannot_change_what_the_next_one_sees(self):
        for view, name in (
            (RequestView(id=1, builder='b'), 'waited'),
            (WorkerView(name='w'), 'load'),
        ):
            self.assertRaises(attrs.exceptions.FrozenInstanceError, setattr, view, name, 0)

    def test_what_is_not_said_of_a_worker_is_unknown_and_not_zero(self):
        worker = WorkerView(name='w')
        for name in ('load', 'foreign_load', 'cpu', 'memory', 'cpus', 'idle', 'compatible'):
            self.assertIsNone(getattr(worker, name), name)
