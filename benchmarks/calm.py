# SPDX-License-Identifier: GPL-2.0-or-later
"""Calm: builds are long enough that the master has time; how long does a freed worker wait?"""

from __future__ import annotations

import random
from typing import Any

from benchmarks.drain import figures
from benchmarks.meter import Meter
from benchmarks.plan import Plan
from benchmarks.site import Site

SPREAD = 0.25  # of a build's mean duration, to both sides


class Durations:
    """The first build of each worker is met somewhere in its middle, so that the workers do not
    end in step.
    """

    def __init__(self, plan: Plan, chance: random.Random) -> None:
        self._mean = plan.build
        self._first = plan.size.workers
        self._chance = chance

    def __call__(self) -> float:
        if self._first > 0:
            self._first -= 1
            return self._chance.uniform(0, self._mean)
        return self._chance.uniform(self._mean * (1 - SPREAD), self._mean * (1 + SPREAD))


async def measure(site: Site) -> dict[str, Any]:
    plan, journal = site.plan, site.journal
    await site.start()
    await site.connect()
    site.wake()
    await site.until(plan.size.workers)
    before = len(journal.starts)
    counted = Meter(site.calls, plan.profile)
    await site.sleep(plan.seconds)
    return figures(journal.starts[before:], counted.close(), journal)
