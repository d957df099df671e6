# SPDX-License-Identifier: GPL-2.0-or-later
"""Three real masters on one PostgreSQL, with Crossbar.io between them."""

from __future__ import annotations

import pytest
from support.cluster import ClusterCase


@pytest.mark.slow  # shared locks and shared sight have three masters in `make test`
class ThreeMasters(ClusterCase):
    def test_sixty_requests_are_built_once_each_also_when_a_master_is_killed(self) -> None:
        self.serve(seconds=0.1)
        requests = self.submit(30)
        self.until(lambda: self.completed(requests))
        self.diary.hold()
        requests += self.submit(30)
        self.until(lambda: len(self.diary.running()) == 6)
        built = {one['masterid'] for one in self.someone.api.builds()}
        self.assertEqual(len(built), 3, 'not all masters took part')
        claimed = self.running_on('m3')
        self.kill('m3')
        self.diary.let_go()
        others = [number for number in requests if number not in claimed]
        self.until(lambda: self.completed(others))
        self.quiet('m1', 'm2', 'm3')  # also about the races that each of them has lost
        self.masters['m3'].start()
        self.until(lambda: self.completed(requests))
        self.succeeded(requests)
        self.assertEqual(self.begun_again(), sorted(claimed))
