# SPDX-License-Identifier: GPL-2.0-or-later
"""Slows a master down between choice and claim, does the faults, and notes what builds went
through. All of it stands over the data API, so that it sees whoever starts builds.
"""

from __future__ import annotations

import itertools
import time
from random import Random
from typing import Any

import attrs
from buildbot.util.twisted import async_to_deferred
from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet import task

from support.lock_faults import Faults
from support.lock_faults import InjectedError

LONGEST = 0.05
SLOW = ('setBuildProperties', 'setBuildStateString', 'generateNewBuildEvent', 'setStepStateString')


@attrs.define
class Started:
    builder: str
    worker: str
    asked_at: float | None = None  # for its locks
    waited: float | None = None  # None: it got them in the same turn, or never asked


class Watch:
    """`master` is a started one; `patch` is the test case's, and is undone at the end of it."""

    def __init__(self, master: Any, patch: Any, random: Random, faults: Faults) -> None:
        self.master = master
        self.faults = faults
        self.builds: dict[int, Started] = {}
        self.chosen_at: dict[int, float] = {}  # by request
        self.lost: set[int] = set()  # requests that Buildbot 4.3 may never end
        self.quarantined: list[str] = []
        self.raised_on: list[str] = []  # the workers of the builds whose do_build_if raised
        self.busy: list[defer.Deferred[Any]] = []
        self._random = random
        self._steps: dict[int, int] = {}  # locks_acquire to its build
        self._claims, self._starts, self._ifs = (itertools.count() for _ in range(3))
        updates = master.data.updates
        for name in SLOW:
            patch(updates, name, self._slow(getattr(updates, name)))
        patch(updates, 'claimBuildRequests', self._claim(updates.claimBuildRequests))
        patch(updates, 'addBuild', self._add_build(updates.addBuild))
        patch(updates, 'addStep', self._add_step(updates.addStep))
        patch(updates, 'startStep', self._start_step(updates.startStep))
        acquired = updates.set_step_locks_acquired_at
        patch(updates, 'set_step_locks_acquired_at', self._acquired(acquired))
        for worker in master.workers.workers.values():
            quarantine = self._quarantine(worker.workername, worker.putInQuarantine)
            patch(worker, 'putInQuarantine', quarantine)
            if worker.conn is not None:  # the ping is a print
                patch(worker.conn, 'remotePrint', self._slow(worker.conn.remotePrint))

    def do_build_if(self, build: Any) -> bool:
        number = next(self._ifs)
        if number in self.faults.ifs_raise:
            self.lost.update(request.id for request in build.requests)
            self.raised_on.append(build.workerforbuilder.worker.workername)
            raise InjectedError('do_build_if')
        return number not in self.faults.ifs_false

    def waits(self, prefix: str) -> list[str]:
        """A sentence for each build of these builders that did not have its locks at once."""
        now = time.monotonic()
        said = []
        for buildid, one in self.builds.items():
            if not one.builder.startswith(prefix):
                continue
            if one.asked_at is not None:
                said.append(
                    f'build {buildid} of {one.builder} on {one.worker} waits for its locks'
                    f' since {1000 * (now - one.asked_at):.0f} ms'
                )
            elif one.waited is not None:
                said.append(
                    f'build {buildid} of {one.builder} on {one.worker} waited'
                    f' {1000 * one.waited:.0f} ms for its locks'
                )
        return said

    def longest_wait(self, prefix: str) -> float:
        return max(
            (one.waited or 0 for one in self.builds.values() if one.builder.startswith(prefix)),
            default=0,
        )

    async def _pause(self) -> None:
        await task.deferLater(reactor, self._random.uniform(0, LONGEST))

    def _slow(self, stock: Any) -> Any:
        @async_to_deferred
        async def slow(*args: Any, **kwargs: Any) -> Any:
            await self._pause()
            return await stock(*args, **kwargs)

        return slow

    def _claim(self, stock: Any) -> Any:
        @async_to_deferred
        async def claim(brids: list[int], **kwargs: Any) -> Any:
            number = next(self._claims)
            self.chosen_at.update(dict.fromkeys(brids, time.monotonic()))
            await self._pause()
            if number in self.faults.claims_raise:
                raise InjectedError('claimBuildRequests')
            if number in self.faults.claims_refused:
                return False
            return await stock(brids, **kwargs)

        return claim

    def _add_build(self, stock: Any) -> Any:
        @async_to_deferred
        async def add_build(builderid: int, buildrequestid: int, workerid: int) -> Any:
            number = next(self._starts)
            names = {one.workerid: name for name, one in self.master.workers.workers.items()}
            builders = {one._builderid: n for n, one in self.master.botmaster.builders.items()}
            await self._pause()
            if number in self.faults.cancelled_in_start:
                self.lost.add(buildrequestid)
                await self._control('cancel', 'buildrequests', buildrequestid)
                await task.deferLater(reactor, 4 * LONGEST)
            made = await stock(
                builderid=builderid, buildrequestid=buildrequestid, workerid=workerid
            )
            self.builds[made[0]] = Started(builders[builderid], names[workerid])
            if number in self.faults.stopped:
                self.busy.append(self._stop_soon(made[0]))
            return made

        return add_build

    @async_to_deferred
    async def _stop_soon(self, buildid: int) -> None:
        await task.deferLater(reactor, self._random.uniform(0, 16 * LONGEST))
        await self._control('stop', 'builds', buildid)

    async def _control(self, action: str, kind: str, number: int) -> None:
        await self.master.data.control(action, {'reason': 'load'}, (kind, str(number)))

    async def cancel(self, brid: int) -> None:
        """As a user would; a request that is just being claimed is one that may be lost."""
        self.lost.add(brid)
        await self._control('cancel', 'buildrequests', brid)

    def _add_step(self, stock: Any) -> Any:
        @async_to_deferred
        async def add_step(buildid: int, name: str) -> Any:
            made = await stock(buildid, name)
            if name == 'locks_acquire':
                self._steps[made[0]] = buildid
            return made

        return add_step

    def _start_step(self, stock: Any) -> Any:
        @async_to_deferred
        async def start_step(stepid: int, *args: Any, **kwargs: Any) -> Any:
            await self._pause()
            result = await stock(stepid, *args, **kwargs)
            if stepid in self._steps:
                self._asks(self.builds[self._steps[stepid]])
            return result

        return start_step

    def _asks(self, build: Started) -> None:
        """What follows in this turn of the reactor is Build.acquireLocks."""
        build.asked_at = time.monotonic()

        def next_turn() -> None:
            if build.asked_at is not None:
                build.waited = 0.0

        self.busy.append(task.deferLater(reactor, 0, next_turn))

    def _acquired(self, stock: Any) -> Any:
        def acquired(stepid: int, *args: Any, **kwargs: Any) -> Any:
            build = self.builds[self._steps[stepid]] if stepid in self._steps else None
            if build is not None and build.asked_at is not None:
                if build.waited is not None:
                    build.waited = time.monotonic() - build.asked_at
                build.asked_at = None
            return self._slow(stock)(stepid, *args, **kwargs)

        return acquired

    def _quarantine(self, name: str, stock: Any) -> Any:
        def quarantine() -> None:
            self.quarantined.append(name)
            stock()

        return quarantine
