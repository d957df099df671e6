# SPDX-License-Identifier: GPL-2.0-or-later
"""Scene: the workers and requests at one moment, as their owners and the master tell."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.cli import picture
from demo.api import Api

RESULTS = ('success', 'warnings', 'failure', 'skipped', 'exception', 'retry', 'cancelled')
WAITS = 'waits'
RUNS = 'runs'
SUCCESS = RESULTS[0]


@attrs.frozen(kw_only=True)
class WorkerRow:
    name: str
    protocol: str
    mood: str
    reason: str
    until: str
    load: float | None
    connected: bool
    running: tuple[int, ...]  # requests
    done: int  # builds


@attrs.frozen(kw_only=True)
class RequestRow:
    id: int
    state: str
    worker: str = ''
    seconds: float | None = None


@attrs.frozen(kw_only=True)
class Build:
    request: int
    worker: str
    complete: bool


@attrs.frozen
class Scene:
    workers: tuple[WorkerRow, ...] = ()
    requests: tuple[RequestRow, ...] = ()
    builds: tuple[Build, ...] = ()

    def states(self, wanted: list[int]) -> list[str]:
        """Of these requests; one that the master does not list yet waits."""
        known = {row.id: row.state for row in self.requests}
        return [known.get(request, WAITS) for request in wanted]

    def mood(self, name: str) -> str:
        return next((row.mood for row in self.workers if row.name == name), '')

    def built_on(self, name: str) -> set[int]:
        """Requests with a build there, whether it still runs or not."""
        return {build.request for build in self.builds if build.worker == name}


def status(basedir: Path) -> dict[str, Any]:
    """What ``buildbot-balancer status BASEDIR --json`` prints, without a process for each look."""
    return picture.to_json(picture.take(basedir, time.time()))


def take(api: Api, names: Mapping[int, str], protocols: Mapping[str, str], folder: Path) -> Scene:
    """`names`: of the workers, by the master's id. Raises ApiError."""
    raw = api.builds()
    builds = tuple(
        Build(
            request=one['buildrequestid'],
            worker=names.get(one['workerid'], '?'),
            complete=bool(one['complete']),
        )
        for one in raw
    )
    latest = {one['buildrequestid']: one for one in reversed(raw)}
    requests = [_request(one, latest.get(one['buildrequestid']), names) for one in api.requests()]
    workers = [_worker(name, protocols[name], folder / name, builds) for name in protocols]
    return Scene(tuple(workers), tuple(sorted(requests, key=lambda row: row.id)), builds)


def _request(
    request: dict[str, Any], build: dict[str, Any] | None, names: Mapping[int, str]
) -> RequestRow:
    made = RequestRow(id=request['buildrequestid'], state=WAITS)
    if build is not None:
        end = build['complete_at'] or time.time()
        made = attrs.evolve(
            made,
            state=RUNS,
            worker=names.get(build['workerid'], '?'),
            seconds=max(end - build['started_at'], 0.0),
        )
    if request['complete']:
        results = request['results']
        known = results is not None and 0 <= results < len(RESULTS)
        made = attrs.evolve(made, state=RESULTS[results] if known else 'ended')
    return made


def _worker(name: str, protocol: str, basedir: Path, builds: tuple[Build, ...]) -> WorkerRow:
    said = status(basedir)
    now = time.time()
    here = [build for build in builds if build.worker == name]
    return WorkerRow(
        name=name,
        protocol=protocol.split('_', 1)[0],
        mood=said['mood'] if said['connected'] else 'unknown',
        reason=said['reason'] or '',
        until='' if said['until'] is None else clock_text(said['until'], now),
        load=said['load'],
        connected=said['connected'],
        running=tuple(sorted(build.request for build in here if not build.complete)),
        done=sum(build.complete for build in here),
    )
