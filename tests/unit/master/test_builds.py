# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import math
from types import SimpleNamespace

from buildbot.process.workerforbuilder import States
from support.masterparts import make_master
from support.masterparts import make_place
from support.masterparts import make_workers
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.builds import BUILD_LOAD
from buildbot_balancer.master.builds import WINDOW
from buildbot_balancer.master.builds import Builds


class Case(SynchronousTestCase):
    def setUp(self):
        self.workers = make_workers('w1', 'w2')
        self.worker = self.workers['w1']
        self.master = make_master(self.workers)
        self.builds = Builds(self.master)
        self.place = make_place(self.worker)
        self.place.state = States.AVAILABLE


class Counting(Case):
    def test_a_build_counts_from_the_moment_that_it_is_about_to_start(self):
        self.assertEqual(self.builds.count(self.worker), 0)
        self.builds.starting('w1', self.place, 0)
        self.assertEqual(self.builds.count(self.worker), 1)
        self.place.state = States.BUILDING
        self.assertEqual(self.builds.count(self.worker), 1)  # once
        self.builds.started('w1', self.place)
        self.assertEqual(self.builds.count(self.worker), 1)
        self.place.state = States.AVAILABLE
        self.builds.finished('w1', self.place)
        self.assertEqual(self.builds.count(self.worker), 0)

    def test_one_that_did_not_start_counts_no_more(self):
        self.builds.starting('w1', self.place, 0)
        self.builds.started('w1', self.place)
        self.assertEqual(self.builds.count(self.worker), 0)

    def test_builds_of_several_builders_and_workers_are_told_apart(self):
        other = make_place(self.worker, 'c')
        other.state = States.BUILDING
        self.builds.starting('w1', self.place, 0)
        self.assertEqual(self.builds.count(self.worker), 2)
        self.assertEqual(self.builds.count(self.workers['w2']), 0)

    def test_a_place_that_attaches_runs_nothing(self):
        self.place.state = States.DETACHED
        self.assertEqual(self.builds.count(self.worker), 0)

    def test_one_that_is_hidden_counts_only_where_the_whole_truth_is_wanted(self):
        hidden = object()
        build = SimpleNamespace(workername='w1', finished=False, workerforbuilder=hidden)
        self.master.botmaster.builders['b'] = SimpleNamespace(building=[build])
        self.assertEqual(self.builds.count(self.worker), 0)
        self.assertEqual(self.builds.count_all(self.worker), 1)
        self.assertEqual(self.builds.count_all(self.workers['w2']), 0)
        build.finished = True
        self.assertEqual(self.builds.count_all(self.worker), 0)

    def test_one_that_is_seen_both_ways_counts_once(self):
        self.place.state = States.BUILDING
        build = SimpleNamespace(workername='w1', finished=False, workerforbuilder=self.place)
        self.master.botmaster.builders['b'] = SimpleNamespace(building=[build])
        self.builds.starting('w1', self.place, 0)
        self.assertEqual(self.builds.count_all(self.worker), 1)

    def test_an_end_without_a_beginning_is_no_error(self):
        self.builds.started('w9', self.place)
        self.builds.finished('w9', self.place)
        self.assertEqual(self.builds.coming_load('w9', 0, 0), 0)


class Coming(Case):
    def test_a_build_that_started_after_the_sample_counts_in_full(self):
        self.builds.starting('w1', self.place, now=100)
        self.assertEqual(self.builds.coming_load('w1', sampled_at=90, now=101), BUILD_LOAD)

    def test_a_build_counts_less_the_more_of_it_the_sample_shows(self):
        self.builds.starting('w1', self.place, now=100)
        shown = [self.builds.coming_load('w1', at, at) for at in (100, 130, 160, 400)]
        self.assertEqual(shown, sorted(shown, reverse=True))
        self.assertEqual(shown[2], BUILD_LOAD * math.exp(-60 / WINDOW))
        self.assertLess(shown[3], 0.01)

    def test_without_a_newer_sample_time_alone_shows_nothing(self):
        self.builds.starting('w1', self.place, now=100)
        self.assertEqual(self.builds.coming_load('w1', sampled_at=90, now=500), BUILD_LOAD)

    def test_what_has_ended_will_not_come(self):
        self.builds.starting('w1', self.place, now=100)
        self.builds.started('w1', self.place)
        self.builds.finished('w1', self.place)
        self.assertEqual(self.builds.coming_load('w1', 90, 101), 0)

    def test_one_that_did_not_start_will_not_come(self):
        self.builds.starting('w1', self.place, now=100)
        self.builds.started('w1', self.place)  # and the place is not building
        self.assertEqual(self.builds.count(self.worker), 0)
        self.assertEqual(self.builds.coming_load('w1', 90, 101), 0)
