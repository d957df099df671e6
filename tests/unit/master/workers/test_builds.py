# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import math
from types import SimpleNamespace

from buildbot.process.workerforbuilder import States
from support.masterparts import make_master
from support.masterparts import make_place
from support.masterparts import make_workers
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.workers.builds import BUILD_LOAD
from buildbot_balancer.master.workers.builds import WINDOW
from buildbot_balancer.master.workers.builds import Builds


def make_build():
    return SimpleNamespace(finished=False)


class Case(SynchronousTestCase):
    def setUp(self):
        self.workers = make_workers('w1', 'w2')
        self.worker = self.workers['w1']
        self.builds = Builds()
        self.place = make_place(self.worker)
        self.build = make_build()


class Counting(Case):
    def test_a_build_counts_from_the_moment_that_it_is_about_to_start_to_its_end(self):
        self.assertEqual(self.builds.count('w1'), 0)
        self.builds.starting('w1', self.place, 0)
        self.assertEqual(self.builds.count('w1'), 1)
        self.builds.started('w1', self.place, self.build)
        self.assertEqual(self.builds.count('w1'), 1)
        self.build.finished = True
        self.assertEqual(self.builds.count('w1'), 0)

    def test_one_that_did_not_start_counts_no_more(self):
        self.builds.starting('w1', self.place, 0)
        self.builds.started('w1', self.place, None)
        self.assertEqual(self.builds.count('w1'), 0)

    def test_builds_of_several_builders_and_workers_are_told_apart(self):
        self.builds.starting('w1', self.place, 0)
        self.builds.starting('w1', make_place(self.worker, 'c'), 0)
        self.assertEqual((self.builds.count('w1'), self.builds.count('w2')), (2, 0))

    def test_one_goes_on_also_when_its_place_was_taken_from_the_worker(self):
        self.builds.starting('w1', self.place, 0)
        self.builds.started('w1', self.place, self.build)
        self.worker.removeWorkerForBuilder(self.place)
        self.place.worker, self.place.state = None, States.DETACHED
        self.assertEqual(self.builds.count('w1'), 1)

    def test_the_next_build_on_a_place_takes_over_from_the_last(self):
        for _ in range(2):
            self.builds.starting('w1', self.place, 0)
            self.builds.started('w1', self.place, self.build)
            self.assertEqual(self.builds.count('w1'), 1)
            self.build.finished = True
            self.assertEqual(self.builds.count('w1'), 0)
            self.build = make_build()

    def test_a_start_that_nobody_was_told_of_is_no_error(self):
        self.builds.started('w9', self.place, None)
        self.builds.started('w9', self.place, self.build)
        self.assertEqual(self.builds.count('w9'), 0)

    def test_nothing_is_kept_of_what_is_over(self):
        for number in range(5):
            place = make_place(self.worker, f'b{number}')
            self.builds.starting('w1', place, 0)
            self.builds.started('w1', place, SimpleNamespace(finished=True))
        self.builds.count('w1')
        self.assertEqual(self.builds._places, {})


class Adopting(Case):
    def adopt(self):
        self.build.workername, self.build.workerforbuilder = 'w1', self.place
        self.place.builder = SimpleNamespace(building=[self.build])
        master = make_master({})
        master.workers.workers.update(self.workers)

        class Builder:
            building = (self.build,)

        self.place.builder = master.botmaster.builders['b'] = Builder()
        self.builds.adopt(master)

    def test_builds_that_began_before_anybody_counted_count(self):
        self.adopt()
        self.assertEqual(self.builds.count('w1'), 1)
        self.build.finished = True
        self.assertEqual(self.builds.count('w1'), 0)

    def test_their_load_is_in_the_reports_already(self):
        self.adopt()
        self.assertEqual(self.builds.coming_load('w1', 100, 100), 0)

    def test_what_is_known_already_keeps_its_beginning(self):
        self.builds.starting('w1', self.place, 100)
        self.adopt()
        self.assertEqual(self.builds.count('w1'), 1)
        self.assertEqual(self.builds.coming_load('w1', 100, 100), BUILD_LOAD)


class Coming(Case):
    def setUp(self):
        super().setUp()
        self.builds.starting('w1', self.place, now=100)

    def test_a_build_that_started_after_the_sample_counts_in_full(self):
        self.assertEqual(self.builds.coming_load('w1', sampled_at=90, now=101), BUILD_LOAD)

    def test_a_build_counts_less_the_more_of_it_the_sample_shows(self):
        shown = [self.builds.coming_load('w1', at, at) for at in (100, 130, 160, 400)]
        self.assertEqual(shown, sorted(shown, reverse=True))
        self.assertEqual(shown[2], BUILD_LOAD * math.exp(-60 / WINDOW))
        self.assertLess(shown[3], 0.01)

    def test_without_a_newer_sample_time_alone_shows_nothing(self):
        self.assertEqual(self.builds.coming_load('w1', sampled_at=90, now=500), BUILD_LOAD)

    def test_what_has_ended_will_not_come(self):
        self.builds.started('w1', self.place, self.build)
        self.build.finished = True
        self.assertEqual(self.builds.coming_load('w1', 90, 101), 0)

    def test_one_that_did_not_start_will_not_come(self):
        self.builds.started('w1', self.place, None)
        self.assertEqual(self.builds.coming_load('w1', 90, 101), 0)
