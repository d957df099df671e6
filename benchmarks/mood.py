# SPDX-License-Identifier: GPL-2.0-or-later
"""Mood: from the report of a worker that becomes willing to the start that waited for it.

No other worker is willing, so that the report is all that can start the build.
"""

from __future__ import annotations

from typing import Any

from benchmarks import requests
from benchmarks.site import Site
from benchmarks.waits import summary
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import Report


class _Owner:
    """Speaks for one worker, over the connection as a reporter does."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._seq = 0

    def say(self, mood: Mood) -> None:
        self._seq += 1
        report = Report(incarnation='benchmark', seq=self._seq, mood=mood)
        problem = self._worker.conn.perspective_balancer(report.to_wire())
        if problem:
            raise RuntimeError(problem)


async def measure(site: Site) -> dict[str, Any]:
    size, journal = site.plan.size, site.journal
    await site.start()
    await site.connect()
    workers = site.master.workers.workers
    owners = {name: _Owner(workers[name]) for name in size.worker_names()}
    for owner in owners.values():
        owner.say(Mood.OFFLINE)
    site.wake()
    await site.settle()
    waits = []
    for number in range(site.plan.starts):
        builder = number % size.builders
        owner = owners[size.workers_of(builder)[number % len(size.workers_of(builder))]]
        await requests.submit(site.master, size.builder_names()[builder])
        await site.settle()
        said, before = journal.now(), len(journal.starts)
        owner.say(Mood.EAGER)
        if not await site.until(before + 1):
            break
        waits.append(journal.starts[-1].at - said)
        owner.say(Mood.OFFLINE)
        await site.settle()
    return {'starts': len(waits), 'after_report': summary(waits)}
