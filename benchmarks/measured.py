# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m benchmarks.measured PLAN FOLDER``: one master, in a process of its own.

Its figures go to standard output as one line of JSON.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Awaitable
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.internet import task
from twisted.python import log

from benchmarks import calm
from benchmarks import database
from benchmarks import drain
from benchmarks import events
from benchmarks import floor
from benchmarks import memory
from benchmarks import mood
from benchmarks import reporter
from benchmarks import shared
from benchmarks.plan import CALM
from benchmarks.plan import DRAIN
from benchmarks.plan import EVENTS
from benchmarks.plan import FLOOR
from benchmarks.plan import MEMORY
from benchmarks.plan import MOOD
from benchmarks.plan import PREPARE
from benchmarks.plan import REPORTER
from benchmarks.plan import SHARED
from benchmarks.plan import Plan
from benchmarks.site import Site

MEASURES: Mapping[str, Callable[[Site], Awaitable[dict[str, Any]]]] = {
    CALM: calm.measure,
    DRAIN: drain.measure,
    EVENTS: events.measure,
    FLOOR: floor.measure,
    MEMORY: memory.measure,
    MOOD: mood.measure,
    PREPARE: database.prepare,
    REPORTER: reporter.measure,
    SHARED: shared.measure,
}


def main() -> None:
    plan, folder = Plan.from_json(sys.argv[1]), Path(sys.argv[2])
    log.startLogging((folder / 'twistd.log').open('w', encoding='utf-8'), setStdout=False)
    task.react(lambda reactor: defer.ensureDeferred(_run(plan, folder, reactor)))


async def _run(plan: Plan, folder: Path, reactor: Any) -> None:
    errors: list[Any] = []
    log.addObserver(lambda event: errors.append(event) if event['isError'] else None)
    found = await MEASURES[plan.scenario](Site(plan, folder, reactor, _durations(plan)))
    found['errors'] = len(errors)
    sys.stdout.write(json.dumps(found) + '\n')
    sys.stdout.flush()
    os._exit(0)  # the master is in the middle of its work, and its folder is thrown away


def _durations(plan: Plan) -> Callable[[], float]:
    if plan.scenario == CALM:
        return calm.Durations(plan, random.Random(plan.seed))
    return lambda: plan.build


if __name__ == '__main__':
    main()
