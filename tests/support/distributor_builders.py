# SPDX-License-Identifier: GPL-2.0-or-later
"""Builders, builds and requests that do as Buildbot's do when a build starts, and no more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from buildbot.process.build import Build
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.properties import Properties
from buildbot.process.workerforbuilder import States
from buildbot.process.workerforbuilder import WorkerForBuilder
from twisted.internet import defer

from buildbot_balancer.master.requests.pending import Pending


def make_request(pending: Pending, builder: str, properties: dict[str, Any]) -> Any:
    made = Properties()
    made.update(properties, 'test')
    branch = properties.get('branch')
    request = BuildRequest()
    vars(request).update(
        id=pending.id,
        builderid=pending.builderid,
        buildername=builder,
        bsid=pending.buildsetid,
        priority=pending.priority,
        submittedAt=pending.submitted_at,
        waitedFor=pending.waited_for,
        reason='',
        sources={'': a_source(branch)} if branch else {},
        properties=made,
    )
    return request


def a_source(branch: str) -> Any:
    return SimpleNamespace(
        branch=branch, codebase='', repository='', project='', revision='', changes=[], patch=None
    )


class OneBuild(Build):  # type: ignore[misc]
    """Takes the locks of its builder as soon as it is made."""

    def __init__(self, builder: OneBuilder, place: Any, requests: list[Any]) -> None:
        self.builder, self.workerforbuilder, self.requests = builder, place, requests
        self.workername = place.worker.workername
        self.finished = self.stopped = False
        self.number = self.results = None
        self.buildid, self.currentStep, self.executedSteps = 1, object(), [object()]
        self.sources: list[Any] = [one for each in requests for one in each.sources.values()]
        self.claimed: list[Any] = []

    def startBuild(self, place: Any) -> Any:
        for real, access in self.builder.locks_of(self.requests[0]):
            lock = real.getLockForWorker(self.workername)
            assert lock.isAvailable(self, access), 'a build waits for its lock'
            lock.claim(self, access)
            self.claimed.append((lock, access))
        return defer.succeed(None)

    def release_locks(self) -> None:
        claimed, self.claimed = self.claimed, []
        for lock, access in claimed:
            lock.release(self, access)


class OneBuilder:
    """`asked(place, breq)` stands for the canStartBuild of the config."""

    def __init__(self, number: int, name: str, botmaster: Any) -> None:
        self.number, self.name, self.botmaster = number, name, botmaster
        self.config_version = 1
        self.master = SimpleNamespace(config=SimpleNamespace(properties=Properties()))
        self.config = SimpleNamespace(
            locks=[],
            workernames=[],
            nextWorker=None,
            nextBuild=None,
            defaultProperties=None,
            properties=None,
        )
        self.real_locks: list[Any] = []
        self.locks_of: Any = lambda breq: self.real_locks
        self.workers: list[Any] = []
        self.building: list[Any] = []
        self.started: list[tuple[int, str]] = []  # (request, worker), in order
        self.refuses_start = False  # the last look says no
        self.asked: Any = lambda place, breq: True

    def getAvailableWorkers(self) -> list[Any]:
        return [place for place in self.workers if place.isAvailable()]

    def setup_properties(self, properties: Any) -> Any:
        return defer.succeed(None)

    def canStartBuild(self, place: Any, breq: Any) -> Any:
        return self.asked(place, breq)

    def maybeStartBuild(self, place: Any, breqs: list[Any]) -> Any:
        if self.refuses_start:
            return defer.succeed(False)
        build = OneBuild(self, place, breqs)
        self.building.append(build)
        place.buildStarted()
        self.started.append((breqs[0].id, build.workername))
        build.startBuild(place)
        return defer.succeed(True)

    def buildFinished(self, build: Any, place: Any) -> None:
        self.building.remove(build)

    def attach(self, worker: Any) -> None:
        place = WorkerForBuilder(self)
        place.worker, place.state = worker, States.AVAILABLE
        worker.addWorkerForBuilder(place)
        self.workers.append(place)

    def detach(self, worker: Any) -> None:
        for place in [one for one in self.workers if one.worker is worker]:
            worker.removeWorkerForBuilder(place)
            self.workers.remove(place)
