# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes are killed and connections cut while an owner drains: nobody says free too early."""

from __future__ import annotations

import time

import pytest
from support.diary import until
from support.drains import FREE
from support.drains import NO_MASTER
from support.drains import NOT_RUNNING
from support.drains import TIMED_OUT
from support.farm import Farm
from support.farm import on_both_protocols
from twisted.trial.unittest import SynchronousTestCase


class DrainWithoutCrash(SynchronousTestCase):
    @on_both_protocols
    def test_it_says_free_when_the_build_has_ended_and_nothing_starts_afterwards(
        self, farm: Farm
    ) -> None:
        farm.start()
        farm.request()
        farm.diary.wait_for_start()
        assert farm.drain(timeout=1).code() == TIMED_OUT
        drain = farm.drain()
        farm.request(2)
        drain.keeps_waiting(1)
        farm.diary.let_go()
        assert drain.code() == FREE, drain.said
        assert drain.said.strip()
        farm.wire.cut()
        farm.diary.stays_silent(2.5)
        assert farm.diary.after(drain.ended) == []
        farm.worker.say('resume')
        farm.diary.wait_for_start(3)


class DrainOfAKilledWorker(SynchronousTestCase):
    @on_both_protocols
    def test_the_build_that_outlives_its_worker_is_waited_for(self, farm: Farm) -> None:
        farm.start()
        farm.request()
        farm.diary.wait_for_start()
        drain = farm.drain()
        drain.keeps_waiting(0.5)
        farm.worker.kill()
        assert drain.code() == NOT_RUNNING, drain.said
        assert farm.diary.running(), 'the job was to outlive its worker'
        farm.worker.start()
        farm.until_heard()
        drain = farm.drain(timeout=3)
        assert drain.code() == TIMED_OUT, drain.said
        assert farm.diary.running()
        drain = farm.drain()
        drain.is_not_free_for(0.5)
        farm.diary.let_go()
        assert drain.code() == FREE, drain.said
        farm.diary.stays_silent(1)

    @pytest.mark.slow
    @on_both_protocols
    def test_a_worker_that_is_killed_idle_is_not_called_free_and_takes_nothing_later(
        self, farm: Farm
    ) -> None:
        farm.start()
        assert farm.drain().code() == FREE
        farm.worker.kill()
        drain = farm.drain()
        assert drain.code() == NOT_RUNNING, drain.said
        farm.request(2)
        farm.worker.start()
        farm.until_heard()
        farm.diary.stays_silent(1)
        assert farm.drain().code() == FREE


class DrainWithAKilledMaster(SynchronousTestCase):
    @on_both_protocols
    def test_nobody_says_free_while_the_build_goes_on_without_its_master(self, farm: Farm) -> None:
        farm.start()
        farm.request()
        farm.diary.wait_for_start()
        drain = farm.drain('--master-timeout=2s')
        drain.keeps_waiting(0.5)
        farm.master.kill()
        assert drain.code() == NO_MASTER, drain.said
        outlived = bool(farm.diary.running())
        if farm.proto == 'msgpack':
            assert outlived, 'the worker was to let its command run'
        farm.master.start()
        farm.until_heard()
        drain = farm.drain()
        if outlived:
            drain.is_not_free_for(2)
            assert farm.diary.running()
        farm.diary.let_go()
        assert drain.code() == FREE, drain.said
        farm.diary.stays_silent(1)


class DrainOverABrokenWire(SynchronousTestCase):
    @pytest.mark.slow
    @on_both_protocols
    def test_a_connection_that_is_reset_while_a_build_runs(self, farm: Farm) -> None:
        farm.start()
        farm.request()
        farm.diary.wait_for_start()
        drain = farm.drain()
        drain.keeps_waiting(0.5)
        farm.wire.cut()
        time.sleep(2)  # PB's worker ends the command with its connection, and is free then
        farm.diary.let_go()
        assert drain.code() == FREE, drain.said
        farm.diary.stays_silent(1)

    @pytest.mark.slow
    @on_both_protocols
    def test_the_end_of_a_build_that_never_reaches_the_master(self, farm: Farm) -> None:
        farm.start()
        farm.request()
        farm.diary.wait_for_start()
        farm.wire.hold('up')
        drain = farm.drain()
        farm.diary.let_go()
        farm.diary.wait_for_end()
        drain.keeps_waiting(1)
        farm.wire.heal()
        assert drain.code() == FREE, drain.said
        farm.diary.stays_silent(1)
        assert farm.diary.after(drain.ended) == []

    @on_both_protocols
    def test_a_connection_that_swallows_everything_confirms_nothing(self, farm: Farm) -> None:
        farm.start()
        farm.request()
        farm.diary.wait_for_start()
        drain = farm.drain(timeout=4)
        drain.keeps_waiting(0.5)
        farm.wire.swallow()
        farm.diary.let_go()  # the worker knows that it ended, the master does not
        assert drain.code() in {NO_MASTER, TIMED_OUT}, drain.said
        farm.wire.heal()
        drain = farm.drain()
        assert drain.code() == FREE, drain.said

    @pytest.mark.slow
    @on_both_protocols
    def test_a_drain_that_is_said_while_there_is_no_connection(self, farm: Farm) -> None:
        farm.start()
        farm.wire.refuse()
        drain = farm.drain('--master-timeout=1s')
        farm.request(2)
        assert drain.code() == NO_MASTER, drain.said
        farm.wire.heal()
        drain = farm.drain()
        assert drain.code() == FREE, drain.said
        farm.diary.stays_silent(1)
        assert farm.diary.started == 0


class DrainInARace(SynchronousTestCase):
    @staticmethod
    def wait_for_claim(farm: Farm) -> None:
        until(lambda: farm.unclaimed() == 0, why='(the request is claimed)')

    @staticmethod
    def ends_free_after_whatever_started(drain, farm: Farm) -> None:
        until(lambda: farm.diary.running() or not drain.waits)
        if farm.diary.running():
            drain.is_not_free_for(1)
        farm.diary.let_go()
        assert drain.code() == FREE, drain.said
        farm.diary.stays_silent(1)
        assert farm.diary.after(drain.ended) == []

    @pytest.mark.slow
    @on_both_protocols
    def test_a_build_whose_start_is_on_its_way_is_waited_for(self, farm: Farm) -> None:
        farm.start()
        farm.wire.hold('down')
        farm.request()
        self.wait_for_claim(farm)
        drain = farm.drain()
        drain.keeps_waiting(1.5)
        farm.wire.release()
        self.ends_free_after_whatever_started(drain, farm)

    @on_both_protocols
    def test_a_build_whose_start_was_lost_with_its_connection_is_not_waited_for_for_ever(
        self, farm: Farm
    ) -> None:
        farm.start()
        farm.wire.hold('down')
        farm.request()
        self.wait_for_claim(farm)
        farm.wire.heal()  # cuts: Buildbot 4.3.0 forgets such a build without ever ending it
        drain = farm.drain(timeout=30)
        assert drain.code() == FREE, drain.said
        farm.diary.stays_silent(1)
        farm.diary.let_go()
        farm.worker.say('resume')
        farm.diary.wait_for_start(seconds=30)

    @on_both_protocols
    def test_a_promise_for_an_earlier_drain_does_not_count_for_a_later_one(
        self, farm: Farm
    ) -> None:
        farm.start()
        farm.wire.hold('down')
        early = farm.drain()
        early.keeps_waiting(1.5)  # the master has promised; the promise is in the wire
        farm.request()
        farm.worker.say('resume')
        self.wait_for_claim(farm)
        later = farm.drain()
        later.keeps_waiting(1)
        farm.wire.release()
        self.ends_free_after_whatever_started(later, farm)
