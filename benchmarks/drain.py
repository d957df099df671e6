# SPDX-License-Identifier: GPL-2.0-or-later
"""Drain: every worker is free at once, and there is more to do than time to do it."""

from __future__ import annotations

from typing import Any

from benchmarks import meter
from benchmarks.journal import Journal
from benchmarks.journal import Start
from benchmarks.meter import Cost
from benchmarks.meter import Meter
from benchmarks.site import Site
from benchmarks.waits import summary

LEAST = 5.0  # seconds, for a distributor that starts so many builds in a moment


async def measure(site: Site) -> dict[str, Any]:
    plan, journal = site.plan, site.journal
    await site.start()
    started_with = meter.memory()
    await site.connect()
    woken = journal.now()
    site.wake()
    first = await site.until(1)
    await site.until(plan.warmup)
    before = len(journal.starts)
    counted = Meter(site.calls, plan.profile)
    await site.until(min(before + plan.starts, plan.size.pending))
    await site.sleep(max(0.0, LEAST - counted.read().seconds))
    cost = counted.close()
    found = figures(journal.starts[before:], cost, journal)
    found['first_start'] = journal.starts[0].at - woken if first else None
    found['memory'] = {'started': started_with, 'most': meter.most_memory()}
    return found


def figures(starts: list[Start], cost: Cost, journal: Journal) -> dict[str, Any]:
    """A worker that still waits at the end has waited at least so long, and counts with it."""
    count = len(starts)
    idle = [one.idle for one in starts if one.idle is not None]
    return {
        'starts': count,
        'seconds': cost.seconds,
        'starts_per_second': count / cost.seconds,
        'cpu_per_start': cost.cpu / count if count else None,
        'cpu_share': cost.per_second,
        'calls_per_start': cost.calls / count if count else None,
        'idle': summary([*idle, *journal.idle_now()]),
    }
