# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m benchmarks.sharer URL NUMBER LIMIT WARMUP COUNT``: one master, as far as shared
locks go: Buildbot's engine and threads, and our store. Its times go to standard output as JSON.
"""

from __future__ import annotations

import json
import random
import sys
import time
from types import SimpleNamespace
from typing import Any

from buildbot.db import enginestrategy
from buildbot.db import pool
from twisted.internet import defer
from twisted.internet import task

from buildbot_balancer.cluster.store import Store
from buildbot_balancer.cluster.want import Taken
from buildbot_balancer.cluster.want import Want
from buildbot_balancer.master.database import Database


async def _run(reactor: Any, url: str, number: int, limit: int, counts: tuple[int, int]) -> None:
    engine = enginestrategy.create_engine(url, basedir='.')
    threads = pool.DBThreadPool(engine, reactor)
    threads.start()
    database = Database(SimpleNamespace(db=SimpleNamespace(pool=threads)))
    await database.prepare()
    store = Store(database, reactor, random.random)
    incarnation = await store.begin(f'm{number}', number, 3600.0)
    want = Want('host', 'esx1', limit=limit)
    take, both = [], []
    for turn in range(sum(counts)):
        begun = time.perf_counter()
        answer = await store.take(incarnation, f'build:{number}:{turn}', [want])
        taken = time.perf_counter()
        if not isinstance(answer, Taken):
            raise RuntimeError(f'refused: {answer.because}')  # noqa: TRY004  it is no argument
        await store.give_back(incarnation, [f'build:{number}:{turn}'])
        if turn >= counts[0]:
            take.append(taken - begun)
            both.append(time.perf_counter() - begun)
    sys.stdout.write(json.dumps({'take': take, 'both': both}) + '\n')
    await threads.stop()


def main() -> None:
    url = sys.argv[1]
    number, limit, warmup, count = (int(word) for word in sys.argv[2:])
    counts = (warmup, count)
    task.react(lambda reactor: defer.ensureDeferred(_run(reactor, url, number, limit, counts)))


if __name__ == '__main__':
    main()
