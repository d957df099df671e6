# SPDX-License-Identifier: GPL-2.0-or-later
"""``drain --wait --deadline`` says free only when what ran is gone, and nothing of it is lost."""

from __future__ import annotations

from support.diary import until
from support.drains import FREE
from support.drains import SUPERSEDED
from support.farm import Farm
from support.farm import on_both_protocols
from twisted.trial.unittest import SynchronousTestCase


class Deadline(SynchronousTestCase):
    @on_both_protocols
    def test_what_runs_is_stopped_before_it_says_free_and_runs_again(self, farm: Farm) -> None:
        farm.start()
        farm.diary.hold()
        farm.request()
        farm.diary.wait_for_start()
        drain = farm.drain('--deadline=2s')
        self.assertEqual(drain.code(), FREE, drain.said)
        self.assertIn('is stopped, and runs again elsewhere', drain.said)
        self.assertEqual(farm.diary.running(), [])
        self.assertEqual(farm.unclaimed(), 1)
        farm.diary.stays_silent(1)
        farm.worker.say('resume')
        farm.diary.wait_for_start(2)
        farm.diary.let_go()
        until(lambda: farm.pending() == 0)

    @on_both_protocols
    def test_who_resumes_before_it_keeps_the_build(self, farm: Farm) -> None:
        farm.start()
        farm.diary.hold()
        farm.request()
        farm.diary.wait_for_start()
        drain = farm.drain('--deadline=1h')
        until(lambda: '1 build still runs' in drain.said)
        farm.worker.say('resume')
        self.assertEqual(drain.code(), SUPERSEDED, drain.said)
        farm.diary.let_go()
        until(lambda: farm.pending() == 0)
        self.assertEqual(farm.diary.started, 1)
