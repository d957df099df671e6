# SPDX-License-Identifier: GPL-2.0-or-later
"""Reporter: what it costs a worker, with every probe on, beside a worker that has none.

Two real workers on a real master, which has nothing for them to build.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from twisted.internet import threads

from benchmarks.site import Site
from demo.processes import Master
from demo.processes import Worker
from demo.processes import free_ports

REST = 15.0  # seconds in which a worker that has just started comes to rest
CONFIG = """\
from buildbot.plugins import util, worker
c = BuildmasterConfig = {{
    'workers': [worker.Worker(name, 'pw') for name in ('with', 'without')],
    'builders': [
        util.BuilderConfig(
            name='b', workernames=['with', 'without'], factory=util.BuildFactory()
        ),
    ],
    'protocols': {{'pb': {{'port': 'tcp:{port}:interface=127.0.0.1'}}}},
    'multiMaster': True,
    'buildbotNetUsageData': None,
    'configurators': [util.BalancerConfigurator()],
}}
"""
EVERYTHING = """\
[[window]]
days = "Mon-Fri"
from = "09:00"
to = "17:30"
timezone = "Europe/Berlin"
mood = "reluctant"

[load]
busy = 2.0
free = 1.0

[idle]
for = "15m"
otherwise = "reluctant"

[battery]
below = "40 %"

[pressure]
cpu = { busy = 50, free = 20 }

[busy_with]
programs = ["obs", "ardour*"]

[disk]
least = "1 MB"

[command]
run = ["/bin/echo", "eager"]
every = "60s"
"""


async def measure(site: Site) -> dict[str, Any]:
    """CPU as a share of one core, memory in MB; the master of `site` is not started."""
    found: dict[str, Any] = await threads.deferToThread(_measure, site.plan.seconds)
    return found


def _measure(seconds: float) -> dict[str, Any]:
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix='benchmark-') as name:
        folder = Path(name)
        master = Master(folder / 'master', CONFIG.format(port=port))
        workers = {
            'with': Worker(folder / 'with', 'with', port),
            'without': Worker(folder / 'without', 'without', port, reporter=False),
        }
        (folder / 'with' / 'availability.toml').write_text(EVERYTHING, encoding='utf-8')
        try:
            master.start()
            for worker in workers.values():
                worker.start()
            time.sleep(REST)
            return _costs({one: worker.pid for one, worker in workers.items()}, seconds)
        finally:
            for process in (*workers.values(), master):
                process.stop()


def _costs(pids: dict[str, int], seconds: float) -> dict[str, Any]:
    processes = {name: psutil.Process(pid) for name, pid in pids.items()}
    began, before = time.monotonic(), {name: _cpu(one) for name, one in processes.items()}
    time.sleep(seconds)
    took = time.monotonic() - began
    return {
        'reporter': {
            name: {
                'cpu_share': (_cpu(one) - before[name]) / took,
                'memory': one.memory_info().rss / 1024 / 1024,
            }
            for name, one in processes.items()
        },
        'seconds': took,
    }


def _cpu(process: psutil.Process) -> float:
    """Seconds, with those of the programs that it has started and that have ended."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)
