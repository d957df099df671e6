# SPDX-License-Identifier: GPL-2.0-or-later
"""Events: from the ``new`` event of a request to its start, on a master with nothing else to do."""

from __future__ import annotations

from typing import Any

from benchmarks import requests
from benchmarks.site import Site
from benchmarks.waits import summary


async def measure(site: Site) -> dict[str, Any]:
    journal = site.journal
    heard: dict[int, float] = {}
    await site.start()
    await site.connect()
    site.wake()
    await site.settle()
    await site.master.mq.startConsuming(
        lambda _, message: heard.setdefault(message['buildrequestid'], journal.now()),
        ('buildrequests', None, 'new'),
    )
    names = site.plan.size.builder_names()
    for number in range(site.plan.starts):
        before = len(journal.starts)
        await requests.submit(site.master, names[number % len(names)])
        await site.until(before + 1)
        await site.settle()
    waits = [one.at - heard[one.request] for one in journal.starts]
    return {'starts': len(waits), 'after_new': summary(waits)}
