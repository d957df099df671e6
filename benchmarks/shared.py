# SPDX-License-Identifier: GPL-2.0-or-later
"""Shared: a lock of all masters, taken and given back, on PostgreSQL on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from benchmarks import postgres
from benchmarks.errors import BenchmarkError
from benchmarks.site import Site
from benchmarks.waits import summary


async def measure(site: Site) -> dict[str, Any]:
    """A process for each master; none is ever refused, and all want the row of one lock."""
    url = postgres.fresh_database()
    masters = [_start(site, url, number) for number in range(site.plan.masters)]
    said = [master.communicate()[0] for master in masters]
    if any(master.returncode for master in masters):
        raise BenchmarkError(f'{site.plan}: a master ended with an error')
    found = [json.loads(one) for one in said]
    both = [seconds for one in found for seconds in one['both']]
    return {
        'take': summary([seconds for one in found for seconds in one['take']]),
        'both': summary(both),
        'per_second': sum(len(one['both']) / sum(one['both']) for one in found),
    }


def _start(site: Site, url: str, number: int) -> subprocess.Popen[str]:
    plan = site.plan
    words = [url, str(number), str(plan.masters), str(plan.warmup), str(plan.starts)]
    return subprocess.Popen(  # noqa: S603  this program's own part
        [sys.executable, '-m', 'benchmarks.sharer', *words], stdout=subprocess.PIPE, text=True
    )
