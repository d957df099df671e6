# SPDX-License-Identifier: GPL-2.0-or-later
"""Build: one that does nothing for a while, without rows of its own in the database.

It starts and ends where Buildbot's does: below ``builder.maybeStartBuild``, and by way of
``workerforbuilder.buildFinished`` and ``builder.buildFinished``, which complete the request and
wake the builders of the worker.
"""

from __future__ import annotations

from typing import Any
from typing import Callable
from typing import ClassVar

from buildbot.process.build import Build
from buildbot.process.factory import BuildFactory
from twisted.internet import defer

from benchmarks.journal import Journal


class IdleBuild(Build):  # type: ignore[misc]  # Buildbot has no types
    journal: Journal
    duration: float

    def startBuild(self, workerforbuilder: Any) -> defer.Deferred[None]:
        self.workerforbuilder = workerforbuilder
        self.workername = workerforbuilder.worker.workername
        for request in self.requests:
            self.master.botmaster.remove_in_progress_buildrequest(request.id)
            self.journal.started(request.id, self.workername)
        self.master.reactor.callLater(self.duration, self._end)
        return defer.succeed(None)

    def _end(self) -> None:
        self.finished = True
        place = self.workerforbuilder
        self.journal.ended(self.workername)
        # the order of Build.buildFinished
        place.worker.resetQuarantine()
        place.buildFinished()
        self.builder.buildFinished(self, place)


class IdleFactory(BuildFactory):  # type: ignore[misc]  # Buildbot has no types
    """`duration()` is asked for each build."""

    buildClass: ClassVar[type[Build]] = IdleBuild

    def __init__(self, journal: Journal, duration: Callable[[], float]) -> None:
        super().__init__()
        self._journal = journal
        self._duration = duration

    def newBuild(self, requests: Any, builder: Any) -> IdleBuild:
        build: IdleBuild = super().newBuild(requests, builder)
        build.journal = self._journal
        build.duration = self._duration()
        return build
