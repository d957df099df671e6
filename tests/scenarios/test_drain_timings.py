# SPDX-License-Identifier: GPL-2.0-or-later
"""A drain again and again, with a crash or a start at a moment that chance chooses."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Callable

import pytest
from support.diary import until
from support.drains import FREE
from support.drains import NO_MASTER
from support.drains import NOT_RUNNING
from support.drains import TIMED_OUT
from support.farm import Farm
from support.farm import on_both_protocols
from twisted.trial.unittest import SynchronousTestCase

SEED = int(os.environ.get('FARM_SEED', time.time_ns() % 100000))  # to have a failure again


def lifes(farm: Farm) -> random.Random:
    """Moments; a failure's report has this line."""
    print(f'FARM_SEED={SEED}')  # noqa: T201
    return random.Random(f'{SEED} {farm.proto}')


def ends_free(farm: Farm) -> None:
    """When all is well again a drain comes to its end, and the promise is kept."""
    drain = farm.drain()
    assert drain.code() == FREE, drain.said
    farm.diary.stays_silent(0.7)
    assert farm.diary.after(drain.ended) == []
    farm.worker.say('resume')


@pytest.mark.slow
class DrainAtAnyMoment(SynchronousTestCase):
    @on_both_protocols
    def test_a_build_that_starts_while_a_drain_begins(self, farm: Farm) -> None:
        chance = lifes(farm)
        farm.start()
        for _ in range(20):
            farm.diary.live_for(chance.uniform(0, 0.5))
            drain = farm.drain()
            time.sleep(chance.uniform(0, 0.6))
            farm.request(2)
            assert drain.code() == FREE, drain.said
            farm.diary.stays_silent(0.7)
            assert farm.diary.after(drain.ended) == []
            farm.worker.say('resume')
            until(lambda: farm.pending() == 0)

    def crash(
        self, farm: Farm, crash: Callable[[Farm], None], heal: Callable[[Farm], None]
    ) -> None:
        chance = lifes(farm)
        farm.start()
        for _ in range(7):
            farm.diary.live_for(chance.uniform(0.2, 2))
            farm.request(2)
            time.sleep(chance.uniform(0, 0.6))
            drain = farm.drain('--master-timeout=2s', timeout=10)
            time.sleep(chance.uniform(0, 1.2))
            crash(farm)
            if (code := drain.code()) == FREE:
                farm.diary.stays_silent(0.7)
                assert farm.diary.after(drain.ended) == []
            else:
                assert code in {NOT_RUNNING, NO_MASTER, TIMED_OUT}, drain.said
            heal(farm)
            ends_free(farm)
            farm.wait_for_master()
            until(lambda: farm.pending() == 0)

    @on_both_protocols
    def test_the_worker_is_killed(self, farm: Farm) -> None:
        self.crash(farm, lambda f: f.worker.kill(), lambda f: f.worker.start())

    @on_both_protocols
    def test_the_master_is_killed(self, farm: Farm) -> None:
        self.crash(farm, lambda f: f.master.kill(), lambda f: f.master.start())

    @on_both_protocols
    def test_the_connection_is_reset(self, farm: Farm) -> None:
        self.crash(farm, lambda f: f.wire.cut(), lambda f: None)

    @on_both_protocols
    def test_the_connection_swallows_everything(self, farm: Farm) -> None:
        self.crash(farm, lambda f: f.wire.swallow(), lambda f: f.wire.heal())

    @on_both_protocols
    def test_the_connection_swallows_what_the_worker_sends(self, farm: Farm) -> None:
        self.crash(farm, lambda f: f.wire.swallow('up'), lambda f: f.wire.heal())

    @on_both_protocols
    def test_the_connection_swallows_what_the_master_sends(self, farm: Farm) -> None:
        self.crash(farm, lambda f: f.wire.swallow('down'), lambda f: f.wire.heal())


@pytest.mark.slow
class DrainAfterAnOddDeath(SynchronousTestCase):
    @on_both_protocols
    def test_a_child_that_outlives_the_worker_and_the_build_s_own_shell(self, farm: Farm) -> None:
        shell = farm.folder / 'shell'
        job = ' '.join(farm.diary.command)
        farm.start(command=['sh', '-c', f'echo $$ > {shell}; {job} & wait'])
        farm.request()
        farm.diary.wait_for_start()
        farm.worker.kill()
        os.kill(int(shell.read_text()), signal.SIGKILL)
        assert farm.diary.running()
        farm.worker.start()
        farm.until_heard()
        drain = farm.drain()
        drain.is_not_free_for(3)
        farm.diary.let_go()
        assert drain.code() == FREE, drain.said

    @on_both_protocols
    def test_master_and_worker_die_one_after_the_other_while_a_build_runs(self, farm: Farm) -> None:
        farm.start()
        farm.request()
        farm.diary.wait_for_start()
        drain = farm.drain('--master-timeout=5s')
        drain.keeps_waiting(0.5)
        farm.worker.kill()
        farm.master.kill()
        assert drain.code() == NOT_RUNNING, drain.said
        farm.worker.start(wait=False)
        farm.master.start()
        farm.until_heard()
        drain = farm.drain()
        drain.is_not_free_for(3)
        assert farm.diary.running()
        farm.diary.let_go()
        assert drain.code() == FREE, drain.said
        farm.diary.stays_silent(1)

    @on_both_protocols
    def test_a_worker_that_is_frozen_is_not_called_free(self, farm: Farm) -> None:
        farm.start()
        assert farm.drain().code() == FREE
        farm.worker.say('resume')
        farm.request()
        farm.diary.wait_for_start()
        os.kill(farm.worker.pid, signal.SIGSTOP)
        drain = farm.drain(timeout=3)
        assert drain.code() in {NO_MASTER, TIMED_OUT}, drain.said
        os.kill(farm.worker.pid, signal.SIGCONT)
        drain = farm.drain()
        drain.keeps_waiting(1)
        farm.diary.let_go()
        assert drain.code() == FREE, drain.said

    @on_both_protocols
    def test_a_master_that_is_frozen_promises_nothing(self, farm: Farm) -> None:
        farm.start()
        os.kill(farm.master.pid, signal.SIGSTOP)
        drain = farm.drain(timeout=3)
        assert drain.code() in {NO_MASTER, TIMED_OUT}, drain.said
        os.kill(farm.master.pid, signal.SIGCONT)
        assert farm.drain().code() == FREE

    @on_both_protocols
    def test_a_pid_file_of_a_dead_worker_that_names_another_program(self, farm: Farm) -> None:
        farm.start()
        assert farm.drain().code() == FREE
        farm.worker.kill()
        (farm.worker.basedir / 'twistd.pid').write_text(f'{farm.master.pid}\n')
        drain = farm.drain(timeout=3)
        assert drain.code() in {NOT_RUNNING, NO_MASTER, TIMED_OUT}, drain.said
