# SPDX-License-Identifier: GPL-2.0-or-later
"""Floor: what Buildbot itself does for each request, one at a time, without any distributor."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from typing import Any
from typing import Callable

from buildbot.process.buildrequest import BuildRequest
from buildbot.process.results import SUCCESS

from benchmarks.site import Site

PARTS = ('load', 'claim', 'complete')


async def measure(site: Site) -> dict[str, Any]:
    await site.master.botmaster.brd.disownServiceParent()  # it never runs
    await site.start()
    ledger = _Ledger(site)
    plan = site.plan
    first = plan.size.pending // 2  # far from any that a distributor may have looked at
    for number in range(plan.warmup + plan.starts):
        if number == plan.warmup:
            ledger.clear()
        await _one(site, ledger, first + number)
    return ledger.figures(plan.starts)


async def _one(site: Site, ledger: _Ledger, request: int) -> None:
    row = await site.master.db.buildrequests.getBuildRequest(request)
    updates = site.master.data.updates
    await ledger.enter('load', BuildRequest.fromBrdict, site.master, row)
    await ledger.enter('claim', updates.claimBuildRequests, [request])
    await ledger.enter('complete', updates.completeBuildRequests, [request], SUCCESS)


class _Ledger:
    def __init__(self, site: Site) -> None:
        self._calls = site.calls
        self.clear()

    def clear(self) -> None:
        self._cpu = dict.fromkeys(PARTS, 0.0)
        self._made = dict.fromkeys(PARTS, 0)

    async def enter(self, part: str, work: Callable[..., Awaitable[Any]], *args: Any) -> None:
        cpu, made = time.process_time(), self._calls.made
        await work(*args)
        self._cpu[part] += time.process_time() - cpu
        self._made[part] += self._calls.made - made

    def figures(self, count: int) -> dict[str, Any]:
        return {
            'starts': count,
            'cpu_per_start': sum(self._cpu.values()) / count,
            'calls_per_start': sum(self._made.values()) / count,
            'parts': {
                part: {'cpu': self._cpu[part] / count, 'calls': self._made[part] / count}
                for part in PARTS
            },
        }
