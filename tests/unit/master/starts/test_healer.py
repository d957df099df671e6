# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace

from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.starts.healer import PATIENCE
from buildbot_balancer.master.starts.healer import Healer
from buildbot_balancer.master.workers.builds import Builds


class Place:
    def __init__(self, worker):
        self.worker = worker


class Build(SimpleNamespace):
    """As much of Buildbot's as can be forgotten; the scenarios have the real one."""

    def buildFinished(self, text, results):
        self.finished = True
        self.ended = results
        return defer.succeed(None)


def a_build(worker=None, **values):
    return Build(
        **{
            'builder': SimpleNamespace(name='b'),
            'number': 7,
            'buildid': 1,
            'finished': False,
            'workerforbuilder': Place(worker),
            'currentStep': None,
            'executedSteps': [],
            'ended': None,
            **values,
        }
    )


class Healing(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.builds = Builds()
        self.healer = Healer(self.clock, self.builds)

    def started(self, build):
        self.builds.starting('w', build.workerforbuilder, 0)
        self.builds.started('w', build.workerforbuilder, build)
        return build

    def test_a_build_that_lost_its_worker_before_its_first_step_is_ended(self):
        build = self.started(a_build())
        self.healer.lost('w')
        self.assertFalse(build.finished)
        self.clock.advance(PATIENCE)
        self.assertEqual(build.ended, 5)  # RETRY
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_build_that_buildbot_ends_itself_is_left_to_it(self):
        build = self.started(a_build(executedSteps=['one']))
        self.healer.lost('w')
        self.clock.advance(PATIENCE)
        self.assertIsNone(build.ended)
        build.finished = True
        self.clock.advance(PATIENCE)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_that_is_about_to_start_is_looked_at_again(self):
        build = a_build()
        self.builds.starting('w', build.workerforbuilder, 0)
        self.healer.lost('w')
        self.clock.advance(PATIENCE)
        self.builds.started('w', build.workerforbuilder, build)
        self.clock.advance(PATIENCE)
        self.assertEqual(build.ended, 5)

    def test_a_build_of_the_next_connection_is_none_of_its_business(self):
        build = self.started(a_build(worker='w'))
        self.healer.lost('w')
        self.clock.advance(PATIENCE)
        self.assertIsNone(build.ended)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_builds_nothing_is_done(self):
        self.healer.lost('w')
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_stops(self):
        self.started(a_build())
        self.healer.lost('w')
        self.healer.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
