# SPDX-License-Identifier: GPL-2.0-or-later
"""Hundreds of builds that compete for locks, while at their starts all goes wrong that can."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from buildbot.plugins import util
from buildbot.process.buildstep import BuildStepCancelled
from buildbot.process.workerforbuilder import PingException
from buildbot.util.twisted import async_to_deferred
from support.lock_faults import InjectedError
from support.lock_load import Figures
from support.lock_load import LoadCase
from support.lock_meter import Meter
from support.lock_meter import Taking
from twisted.spread import pb
from twisted.trial import unittest

STOCK = 'STOCK_LOAD'  # in the environment: the stock master is run


class TheMeter(unittest.TestCase):
    """What counts must be right before what it counts can be."""

    def setUp(self) -> None:
        self.now = 0.0
        self.meter = Meter(lambda: self.now)
        self.meter.limit('host', 2)

    def test_units_above_the_limit_are_said(self) -> None:
        self.meter.enter('a', [Taking('host')], 0)
        self.meter.enter('b', [Taking('host')], 0)
        self.assertEqual(self.meter.violations, [])
        self.meter.enter('c', [Taking('host')], 0)
        self.assertEqual(self.meter.violations, ['c: host has 3 units of 2'])
        self.assertEqual(self.meter.peaks(), {'host': (3, 2)})

    def test_whoever_has_all_of_it_is_alone(self) -> None:
        self.meter.enter('a', [Taking('host')], 0)
        self.meter.enter('b', [Taking('host', exclusive=True)], 0)
        self.assertEqual(self.meter.violations, ['b: host has 1 alone beside 1 units'])

    def test_a_lowered_limit_binds_those_who_were_chosen_later(self) -> None:
        self.now = 10.0
        self.meter.limit('host', 1)
        self.meter.enter('a', [Taking('host')], 12)
        self.meter.enter('b', [Taking('host')], 9)
        self.assertEqual(self.meter.violations, [])
        self.meter.leave([Taking('host')])
        self.meter.enter('c', [Taking('host')], 11)
        self.assertEqual(self.meter.violations, ['c: host has 2 units of 1'])

    def test_a_raised_limit_is_full_only_when_all_of_it_was_in_use(self) -> None:
        self.meter.enter('a', [Taking('host', 2)], 0)
        self.assertEqual(self.meter.not_yet_full(['host']), [])
        self.meter.limit('host', 3)
        full = self.meter.until_full(['host'])
        self.assertNoResult(full)
        self.meter.enter('b', [Taking('host')], 1)
        self.successResultOf(full)


class LoadedMaster(LoadCase):
    timeout = 300

    @pytest.fixture(autouse=True)
    def _terminal(self, capsys: Any) -> None:
        self._capsys = capsys

    async def load(self, seed: int, builds: int, seconds: float, services: list[Any]) -> Figures:
        await self.start_load(seed, builds, services)
        figures = await self.run_load(seconds)
        title = f'{"Balancer" if services else "stock master"}, seed {seed}'
        with self._capsys.disabled():
            print(f'\n{figures.line(title)}')  # noqa: T201  figures are for people
        return figures

    async def all_goes_well(self, seed: int, builds: int, seconds: float) -> None:
        services = [util.Balancer(builders=['served-*'])]
        figures = await self.load(seed, builds, seconds, services)
        self.assertEqual(figures.complaints(), [])
        self.assertEqual(await self.not_free_in_the_end(), [])
        self.assertEqual(await self.branches_again(), [])
        self.assertEqual(self.meter.violations, [])
        self.assertEqual(self.meter.in_use(), {})
        self.assertTrue(self.flushLoggedErrors(InjectedError))
        self.flush_what_lost_workers_raise()

    def flush_what_lost_workers_raise(self) -> None:
        """Build.startBuild goes on with a worker that is None."""
        self.flushLoggedErrors(pb.PBConnectionLost, PingException, BuildStepCancelled)
        for failure in self.flushLoggedErrors(AssertionError):
            self.assertEqual(failure.frames[-1][0], 'startBuild', failure.getTraceback())
        for failure in self.flushLoggedErrors(AttributeError):
            self.assertIn("'NoneType' object has no attribute", failure.getErrorMessage())


@pytest.mark.long
class UnderTheBalancer(LoadedMaster):
    @async_to_deferred
    async def test_each_lock_is_used_to_its_limit_and_no_build_waits_on_a_worker(self) -> None:
        await self.all_goes_well(seed=1, builds=150, seconds=240)


@pytest.mark.slow
class UnderTheBalancerForLong(LoadedMaster):
    @async_to_deferred
    async def test_with_500_builds(self) -> None:
        await self.all_goes_well(seed=2, builds=500, seconds=240)

    @async_to_deferred
    async def test_with_other_faults(self) -> None:
        await self.all_goes_well(seed=3, builds=500, seconds=240)

    @async_to_deferred
    async def test_with_yet_other_faults(self) -> None:
        await self.all_goes_well(seed=4, builds=500, seconds=240)


if STOCK in os.environ:

    class UnderTheStockMaster(LoadedMaster):
        """Nothing is asserted of what Buildbot does alone; its figures stand beside ours."""

        @async_to_deferred
        async def test_the_same_work_for_comparison(self) -> None:
            self.addCleanup(self.flushLoggedErrors)
            self.addCleanup(self.drop_delayed_calls)
            figures = await self.load(seed=1, builds=500, seconds=120, services=[])
            self.stop_at_any_rate()
            self.assertTrue(figures.builds)


@pytest.mark.slow
class TheStockMaster(unittest.SynchronousTestCase):
    """In a process of its own: builds that it never ends keep such a master from stopping."""

    timeout = 300

    @pytest.fixture(autouse=True)
    def _terminal(self, capsys: Any) -> None:
        self._capsys = capsys

    def test_the_same_work_for_comparison(self) -> None:
        name = f'{__file__}::UnderTheStockMaster'
        command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', name]
        with subprocess.Popen(
            command, env={**os.environ, STOCK: '1'}, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            line = next((line for line in process.stdout if line.startswith('stock master')), '')
            process.kill()
        self.assertIn('stock master', line)
        with self._capsys.disabled():
            print(f'\n{line.strip()}')  # noqa: T201  figures are for people
