# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.sight import measures
from buildbot_balancer.master.sight.measures import Measures


class Locks(SynchronousTestCase):
    def setUp(self) -> None:
        self.measures = Measures()

    def labels(self, *names: str) -> set[str]:
        for name in names:
            self.measures.lock_ended(self.measures.lock_hold_seconds, name, 1.0)
        metrics = self.measures.lock_hold_seconds.collect()
        return {sample.labels['lock'] for one in metrics for sample in one.samples}

    def test_names_that_never_end_are_one_from_some_number_on(self) -> None:
        self.patch(measures, 'LOCKS', 2)
        self.assertEqual(self.labels('a', 'b', 'c', 'd', 'a'), {'a', 'b', 'other'})

    def test_a_name_that_no_encoder_takes_does_not_end_the_figures(self) -> None:
        self.assertEqual(self.labels('half \ud800\x1b\n"', ''), {'half "', ''})
        self.assertIn(b'half \\"', self.measures.text())
