# SPDX-License-Identifier: GPL-2.0-or-later
"""A master is killed with a queue for a worker whose owner said no: nothing starts there."""

from __future__ import annotations

import random
import time

import pytest
from support.drains import FREE
from support.farm import Farm
from support.farm import on_both_protocols
from twisted.trial.unittest import SynchronousTestCase

SERVED = ''
UNSERVED = "builders=['other']"


def start_drained(farm: Farm, balancer: str) -> None:
    farm.start(balancer, builders=('b', 'other'))
    assert farm.drain().code() == FREE
    farm.request(3)
    farm.diary.let_go()


def the_queue_is_kept_until_resume(farm: Farm) -> None:
    """Or the test would have shown nothing."""
    farm.wait_for_master()
    assert farm.pending() == 3
    assert farm.diary.started == 0
    farm.worker.say('resume')
    farm.diary.wait_for_start(3)


class RestartOfAMasterWithADrainedWorker(SynchronousTestCase):
    def the_worker_reconnects(self, farm: Farm, balancer: str) -> None:
        start_drained(farm, balancer)
        farm.master.kill()
        farm.master.start()
        farm.diary.stays_silent(1)
        farm.until_heard()
        farm.diary.stays_silent(1)
        the_queue_is_kept_until_resume(farm)

    def the_worker_is_there_before_its_master(self, farm: Farm, balancer: str) -> None:
        start_drained(farm, balancer)
        farm.master.kill()
        farm.worker.kill()
        farm.worker.start(wait=False)
        farm.master.start()
        farm.until_heard()
        farm.diary.stays_silent(1.5)
        the_queue_is_kept_until_resume(farm)

    @on_both_protocols
    def test_nothing_starts_when_it_reconnects(self, farm: Farm) -> None:
        self.the_worker_reconnects(farm, SERVED)

    @pytest.mark.slow
    @on_both_protocols
    def test_nothing_starts_for_a_builder_that_is_not_served(self, farm: Farm) -> None:
        self.the_worker_is_there_before_its_master(farm, UNSERVED)

    @pytest.mark.slow
    @on_both_protocols
    def test_nothing_starts_over_a_slow_wire(self, farm: Farm) -> None:
        start_drained(farm, UNSERVED)
        farm.master.kill()
        farm.wire.slow_down(0.3)  # its first report comes long after it has attached
        farm.master.start()
        farm.diary.stays_silent(1)
        farm.until_heard()
        farm.diary.stays_silent(1)
        farm.wire.slow_down(0)
        the_queue_is_kept_until_resume(farm)

    @pytest.mark.slow
    @on_both_protocols
    def test_a_word_that_was_said_while_the_worker_was_down_holds_at_once(self, farm: Farm) -> None:
        farm.start(UNSERVED, builders=('b', 'other'))
        farm.worker.kill()
        (farm.worker.basedir / 'availability').write_text('offline\n')  # as a crontab would
        farm.request(3)
        farm.wire.slow_down(0.2)
        farm.diary.let_go()
        farm.worker.start()
        farm.diary.stays_silent(1)
        farm.until_heard()
        farm.diary.stays_silent(1)
        farm.wire.slow_down(0)
        the_queue_is_kept_until_resume(farm)


@pytest.mark.slow
class RestartsAgainAndAgain(SynchronousTestCase):
    def restart(self, farm: Farm, balancer: str) -> None:
        chance = random.Random(f'{farm.proto}{balancer}')
        start_drained(farm, balancer)
        for turn in range(8):
            farm.wire.slow_down(chance.choice((0, 0, 0.02, 0.2)))
            farm.master.kill()
            if turn % 4 == 3:
                time.sleep(chance.uniform(0, 3))  # the worker waits longer after each attempt
            if turn % 2:
                farm.worker.kill()
            if turn % 4 == 1:
                farm.worker.start(wait=False)
            farm.master.launch()
            time.sleep(chance.uniform(0, 2))  # in the midst of its start
            if turn % 4 == 3:
                farm.worker.start(wait=False)
            farm.wait_for_master()
            farm.until_heard()
            farm.diary.stays_silent(1)
            assert farm.pending() == 3
        farm.wire.slow_down(0)
        the_queue_is_kept_until_resume(farm)

    @on_both_protocols
    def test_nothing_starts_for_any_builder(self, farm: Farm) -> None:
        self.restart(farm, SERVED)

    @on_both_protocols
    def test_nothing_starts_for_a_builder_that_is_not_served(self, farm: Farm) -> None:
        self.restart(farm, UNSERVED)
