# SPDX-License-Identifier: GPL-2.0-or-later
"""Builders, builds and requests that do as Buildbot's do when a build starts, and no more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from buildbot.process.properties import Properties
from buildbot.process.workerforbuilder import States
from buildbot.process.workerforbuilder import WorkerForBuilder
from twisted.internet import defer

from buildbot_balancer.master.pending import Pending


def make_request(pending: Pending, builder: str, properties: dict[str, Any]) -> Any:
    made = Properties()
    made.update(properties, 'test')
    return SimpleNamespace(
        id=pending.id,
        builderid=pending.builderid,
        buildername=builder,
        bsid=pending.buildsetid,
        priority=pending.priority,
        submittedAt=pending.submitted_at,
        waitedFor=pending.waited_for,
        reason='',
        sources={},
        properties=made,
    )


class OneBuild:
    """Takes the locks of its builder as soon as it is made."""

    def __init__(self, builder: OneBuilder, place: Any, requests: list[Any]) -> None:
        self.builder, self.workerforbuilder, self.requests = builder, place, requests
        self.workername = place.worker.workername
        self.finished = self.stopped = False
        self.buildid, self.currentStep, self.executedSteps = 1, object(), [object()]
        self.sources: list[Any] = []
        self.claimed: list[Any] = []

    def startBuild(self, place: Any) -> Any:
        for lock, access in self.builder.real_locks:
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
        self.config = SimpleNamespace(
            locks=[],
            workernames=[],
            nextWorker=None,
            nextBuild=None,
            defaultProperties=None,
            properties=None,
        )
        self.real_locks: list[Any] = []
        self.workers: list[Any] = []
        self.building: list[Any] = []
        self.started: list[tuple[int, str]] = []  # (request, worker), in order
        self.refuses_start = False  # the last look says no
        self.asked: Any = lambda place, breq: True

    def getAvailableWorkers(self) -> list[Any]:
        return [place for place in self.workers if place.isAvailable()]

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
