# SPDX-License-Identifier: GPL-2.0-or-later
"""Build rows: the end of a build in Buildbot's own tables, with the steps and logs it left open.

`model` is Buildbot's. One transaction each, so that a database that fails has done nothing.
"""

from __future__ import annotations

from typing import Any

import attrs
import sqlalchemy as sa


@attrs.frozen(kw_only=True)
class Finished:
    """What has ended with a build; `results` as they are written."""

    buildid: int
    results: int | None = None
    steps: tuple[int, ...] = ()
    logs: tuple[int, ...] = ()


def finish(
    connection: sa.Connection, model: Any, buildid: int, results: int, at: int, text: str = ''
) -> Finished | None:
    """As Buildbot's housekeeping does; None where it is finished already. `at`: epoch seconds;
    `text`: what its page says, '' for what it says now.
    """
    builds = model.builds
    runs = sa.and_(builds.c.id == buildid, builds.c.complete_at.is_(None))
    said = {'state_string': text} if text else {}
    over = sa.update(builds).where(runs).values(complete_at=at, results=results, **said)
    if not connection.execute(over).rowcount:
        return None
    return close(connection, model, buildid, results, at)


def close(connection: sa.Connection, model: Any, buildid: int, results: int, at: int) -> Finished:
    """What of its steps and logs is open; `results`: of these steps."""
    query = sa.select(model.builds.c.results).where(model.builds.c.id == buildid)
    written = connection.execute(query).scalar()
    steps, logs = model.steps, model.logs
    of_it = sa.select(steps.c.id).where(steps.c.buildid == buildid)
    open_steps = list(connection.execute(of_it.where(steps.c.results.is_(None))).scalars())
    query = sa.select(logs.c.id).where(logs.c.stepid.in_(of_it), logs.c.complete == 0)
    open_logs = list(connection.execute(query).scalars())
    connection.execute(sa.update(logs).where(logs.c.id.in_(open_logs)).values(complete=1))
    ended = sa.update(steps).where(steps.c.id.in_(open_steps))
    connection.execute(ended.values(complete_at=at, results=results, hidden=0))
    return Finished(
        buildid=buildid, results=written, steps=tuple(open_steps), logs=tuple(open_logs)
    )


async def tell(master: Any, finished: Finished, *, build: bool = True) -> None:
    """As Buildbot tells of them; `build`: of the build, too."""
    types = master.data.rtypes
    for log in finished.logs:
        await types.log.generateEvent(log, 'finished')
    for step in finished.steps:
        await types.step.generateEvent(step, 'finished')
    if build:
        await types.build.generateEvent(finished.buildid, 'finished')
