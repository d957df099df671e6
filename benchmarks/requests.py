# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests: rows for the pending ones, by bulk inserts, for submission is not measured.

Each has a buildset of its own. All have one sourcestamp: Buildbot, too, keeps one row for equal
ones.
"""

from __future__ import annotations

from typing import Any

from benchmarks.size import Size

BATCH = 10_000
SOURCESTAMP = {'codebase': '', 'branch': 'main', 'repository': '', 'project': '', 'revision': None}


async def insert(master: Any, size: Size, now: int) -> None:
    """Round the builders, the oldest first, a second apart."""
    builders = [await master.db.builders.findBuilderId(name) for name in size.builder_names()]
    stamp = await master.db.sourcestamps.findSourceStampId(**SOURCESTAMP)
    for first in range(1, size.pending + 1, BATCH):
        numbers = range(first, min(first + BATCH, size.pending + 1))
        await master.db.pool.do(_insert, master.db.model, numbers, builders, stamp, now)


def _insert(
    connection: Any, model: Any, numbers: range, builders: list[int], stamp: int, now: int
) -> None:
    def at(number: int) -> int:
        return now - 100_000 + number

    sets = [
        {'id': n, 'reason': '', 'submitted_at': at(n), 'complete': 0, 'results': -1}
        for n in numbers
    ]
    links = [{'buildsetid': n, 'sourcestampid': stamp} for n in numbers]
    requests = [
        {
            'id': n,
            'buildsetid': n,
            'builderid': builders[n % len(builders)],
            'priority': 0,
            'complete': 0,
            'results': -1,
            'submitted_at': at(n),
            'waited_for': 0,
        }
        for n in numbers
    ]
    properties = [
        {'buildsetid': n, 'property_name': 'scheduler', 'property_value': '["bench", "Scheduler"]'}
        for n in numbers
    ]
    with connection.begin():
        connection.execute(model.buildsets.insert(), sets)
        connection.execute(model.buildset_sourcestamps.insert(), links)
        connection.execute(model.buildset_properties.insert(), properties)
        connection.execute(model.buildrequests.insert(), requests)


async def submit(master: Any, builder: str) -> int:
    """One, by Buildbot's own way, with its events; the id of the request."""
    builderid = await master.data.updates.findBuilderId(builder)
    _, requests = await master.data.updates.addBuildset(
        waited_for=False,
        scheduler='bench',
        builderids=[builderid],
        sourcestamps=[SOURCESTAMP],
    )
    return int(requests[builderid])
