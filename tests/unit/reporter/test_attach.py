# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from support.reporters import ManualReactor
from support.reporters import new_folder
from support.reporters import new_worker
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.reporter import attach
from buildbot_balancer.reporter.reporter import Reporter


class Attaching(SynchronousTestCase):
    def setUp(self):
        self.worker = new_worker(new_folder(self))

    def reporters(self):
        return [one for one in self.worker if isinstance(one, Reporter)]

    def test_a_worker_gets_a_reporter_as_a_service_of_its_own(self):
        made = attach(self.worker)
        self.assertEqual(self.reporters(), [made])
        self.assertIs(made.parent, self.worker)
        self.assertFalse(made.running)

    def test_a_second_line_in_the_tac_file_changes_nothing(self):
        first = attach(self.worker, interval=3)
        self.assertIs(attach(self.worker, interval=5), first)
        self.assertEqual(self.reporters(), [first])
        self.assertEqual(first.report().interval, 3)

    def test_two_workers_of_one_process_have_a_reporter_each(self):
        other = new_worker(new_folder(self))
        self.assertIsNot(attach(self.worker), attach(other))

    def test_each_start_has_an_incarnation_of_its_own(self):
        other = new_worker(new_folder(self))
        self.assertNotEqual(attach(self.worker).incarnation, attach(other).incarnation)

    def test_a_heartbeat_is_ten_seconds_unless_told_otherwise(self):
        self.assertEqual(attach(self.worker).report().interval, 10)

    def test_attaching_alone_touches_nothing_of_the_worker(self):
        before = set(vars(self.worker.bot))
        attach(self.worker, reactor=ManualReactor())
        self.assertEqual(set(vars(self.worker.bot)), before)
