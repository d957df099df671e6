# SPDX-License-Identifier: GPL-2.0-or-later
"""One side has the package and the other has not, or no more: both build as stock Buildbot does."""

from __future__ import annotations

import time

import pytest
from support.diary import until
from support.drains import FREE
from support.drains import NO_MASTER
from support.drains import TIMED_OUT
from support.farm import Farm
from support.farm import on_both_protocols
from twisted.trial.unittest import SynchronousTestCase


def builds(farm: Farm) -> None:
    """One more request is built."""
    before = farm.diary.started
    farm.diary.let_go()
    farm.request()
    farm.diary.wait_for_start(before + 1, seconds=30)
    until(lambda: farm.pending() == 0)


def assert_clean(*processes) -> None:
    for one in processes:
        for word in ('Traceback', 'Unhandled'):
            at = one.log.find(word)
            assert at < 0, one.log[max(0, at - 500) : at + 1500]


def ours(log: str) -> list[str]:
    """The lines of ours; msgpack itself logs whatever it sends, a listing of the folder too."""
    return [
        line
        for line in log.splitlines()
        if 'balancer' in line
        and ' -> WORKER message' not in line
        and ' -> MASTER message' not in line
    ]


def beat_fast(farm: Farm) -> None:
    """A heartbeat that shows within seconds whether it leaves a line."""
    tac = farm.worker.basedir / 'buildbot.tac'
    text = tac.read_text()
    assert 'attach(s)' in text
    tac.write_text(text.replace('attach(s)', 'attach(s, interval=0.5)'))


class WorkerWithoutReporter(SynchronousTestCase):
    @on_both_protocols
    def test_it_builds_as_before_for_a_master_with_a_balancer(self, farm: Farm) -> None:
        farm.start(reporter=False)
        builds(farm)
        farm.wire.cut()
        builds(farm)
        assert ours(farm.worker.log) == []

    @on_both_protocols
    def test_after_detach_it_is_as_it_was_made(self, farm: Farm) -> None:
        farm.start()
        farm.worker.say('set', 'offline')
        assert farm.drain().code() == FREE
        farm.worker.say('detach')
        assert 'balancer' not in (farm.worker.basedir / 'buildbot.tac').read_text()
        farm.worker.stop()
        begin = len(farm.worker.log)
        farm.worker.start()
        builds(farm)
        assert ours(farm.worker.log[begin:]) == []
        assert_clean(farm.worker, farm.master)

    @on_both_protocols
    def test_without_the_package_its_tac_starts_it_with_one_line_and_no_word_binds_it(
        self, farm: Farm
    ) -> None:
        farm.start()
        builds(farm)
        assert farm.drain().code() == FREE
        farm.worker.stop()
        begin = len(farm.worker.log)
        farm.worker.start(**farm.blocked())
        builds(farm)
        lines = ours(farm.worker.log[begin:])
        assert len(lines) == 1, lines
        assert_clean(farm.worker, farm.master)


class MasterWithoutBalancer(SynchronousTestCase):
    def stays_quiet(self, farm: Farm, seconds: float) -> None:
        """No line is written while nothing happens."""
        time.sleep(1)  # what an attach or a build writes late
        before = len(farm.master.log), len(farm.worker.log)
        time.sleep(seconds)
        assert farm.master.log[before[0] :] == ''
        assert farm.worker.log[before[1] :] == ''

    def beside_a_reporter(self, farm: Farm, seconds: float) -> None:
        farm.make_master(balancer=None)
        farm.worker = farm.make_worker()
        beat_fast(farm)
        farm.master.start()
        farm.worker.start()
        builds(farm)
        self.stays_quiet(farm, seconds)
        farm.worker.say('set', 'offline')
        drain = farm.drain('--master-timeout=2s', timeout=20)
        assert drain.code() == NO_MASTER, drain.said
        builds(farm)  # nobody there listens to the owner
        assert_clean(farm.worker, farm.master)

    @pytest.mark.slow
    @on_both_protocols
    def test_a_reporter_does_not_trouble_it(self, farm: Farm) -> None:
        self.beside_a_reporter(farm, 3)

    @pytest.mark.slow
    @on_both_protocols
    def test_a_reporter_does_not_trouble_it_for_long(self, farm: Farm) -> None:
        self.beside_a_reporter(farm, 45)

    @on_both_protocols
    def test_without_the_package_it_uses_every_worker_as_stock_does(self, farm: Farm) -> None:
        farm.start()
        assert farm.drain().code() == FREE
        farm.request()
        farm.diary.let_go()
        farm.master.kill()
        farm.master.configure(farm.make_config(balancer=None))
        begin = len(farm.master.log)
        farm.master.launch(**farm.blocked())
        farm.master.wait_for_log('BuildMaster is running', after=begin)
        farm.diary.wait_for_start()  # what had waited for the owner
        builds(farm)
        assert_clean(farm.master)
        assert ours(farm.master.log[begin:]) == []


class BalancerThatLeavesTheConfig(SynchronousTestCase):
    @on_both_protocols
    def test_a_drain_that_waits_is_told_and_one_that_comes_back_promises_again(
        self, farm: Farm
    ) -> None:
        builders = ('b', 'other')
        farm.start(builders=builders)
        farm.request()
        farm.diary.wait_for_start()
        drain = farm.drain('--master-timeout=3s', timeout=50)
        drain.keeps_waiting(0.5)
        farm.master.configure(farm.make_config(balancer=None, builders=builders))
        farm.master.reconfig()
        farm.request(2, 'other')  # stock again: the worker takes one beside the one that runs
        farm.diary.wait_for_start(2)
        assert drain.code() in {NO_MASTER, TIMED_OUT}, drain.said
        assert farm.diary.running()
        farm.master.configure(farm.make_config(builders=builders))
        farm.master.reconfig()
        drain = farm.drain()
        drain.keeps_waiting(1)
        assert len(farm.diary.running()) == 2
        farm.diary.let_go()
        assert drain.code() == FREE, drain.said
        farm.diary.stays_silent(1)
        assert farm.diary.after(drain.ended) == []
        assert_clean(farm.worker, farm.master)
