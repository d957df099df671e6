# SPDX-License-Identifier: GPL-2.0-or-later
"""Hooks: where the owner's word meets Buildbot.

Every instance attribute that this package puts on objects of the master is listed here, but for
the receivers on connections (link.py):

- ``worker.canStartBuild``: no chooser, ours or Buildbot's, is offered a worker that refuses;
- ``worker.buildFinished``: tells the fleet that a place is free;
- ``worker.acquireLocks``, ``worker.releaseLocks``, ``builder.buildFinished``: workerlocks.py;
- ``builder.getAvailableWorkers``: no chooser finds a worker for a builder that is paused;
- ``builder.maybeStartBuild``: the last look, in the same turn in which the build starts;
- ``wfb.buildStarted`` for the time of a start, and ``build.startBuild``: starts.py;
- ``build.buildFinished`` and what runs a step of a build: endings.py;
- ``isAvailable`` and ``claim`` of Buildbot's own real locks: guards.py;
- ``claim``, ``release`` and the waits of the same, ``botmaster.getLockByID`` and a WorkerLock's
  ``getLockForWorker``: witness.py and reallocks.py, for who holds and waits since when;
- ``botmaster.brd.BuildChooser``: our chooser for the builders that are served.
"""

from __future__ import annotations

from typing import Any
from typing import Callable

from twisted.internet import defer

from buildbot_balancer.log import say
from buildbot_balancer.master import compat
from buildbot_balancer.master.complaints import Complaints
from buildbot_balancer.master.locks.reservations import Reservations
from buildbot_balancer.master.locks.workerlocks import WorkerLocks
from buildbot_balancer.master.overlays import Overlays
from buildbot_balancer.master.record.pauses import Pauses
from buildbot_balancer.master.starts.endings import Endings
from buildbot_balancer.master.starts.starts import Starts
from buildbot_balancer.master.workers.fleet import Fleet


class Hooks:
    """`on_started(breqs)` is called with the requests whose build has started."""

    def __init__(
        self,
        master: Any,
        fleet: Fleet,
        complaints: Complaints,
        reservations: Reservations,
        pauses: Pauses,
        endings: Endings,
        on_started: Callable[[list[Any]], None],
    ) -> None:
        self._master = master
        self._fleet = fleet
        self._complaints = complaints
        self._on_started = on_started
        self._reservations = reservations
        self._pauses = pauses
        self._endings = endings
        self._starts = Starts(reservations, endings)
        self._worker_locks = WorkerLocks(reservations)
        self._overlays = Overlays()

    def guard_all(self) -> None:
        """Every worker and every builder, served or not: the owner's word binds all builds."""
        workers = compat.all_workers(self._master)
        builders = list(self._master.botmaster.builders.values())
        for worker in workers:
            self.guard_worker(worker)
        for builder in builders:
            self.guard_builder(builder)
        # what has left the config keeps its guards until its last build has ended
        going_on = list(compat.builds_going_on(self._master))
        for *_, build in going_on:
            self._endings.watch(build)
        at_work = [wfb.worker for _, wfb, _ in going_on] + [build.builder for *_, build in going_on]
        brd = self._master.botmaster.brd
        current = {id(one) for one in (*workers, *builders, *at_work, brd)}
        self._overlays.forget(lambda owner: id(owner) in current)

    def guard_worker(self, worker: Any) -> None:
        def can_start(stock: Callable[[], bool]) -> Callable[[], bool]:
            return lambda: not self._refuses(worker) and stock() and self._has_room(worker)

        def build_finished(stock: Callable[[Any], Any]) -> Callable[[Any], Any]:
            def finished(wfb: Any) -> Any:
                result = stock(wfb)
                self._shielded(self._fleet.build_finished, worker)
                return result

            return finished

        self._overlays.put(worker, 'canStartBuild', can_start)
        self._overlays.put(worker, 'buildFinished', build_finished)
        self._worker_locks.guard_worker(self._overlays, worker)

    def _has_room(self, worker: Any) -> bool:
        """Beside what was chosen for it and is being claimed; one by one, nothing ever is."""
        coming = self._reservations.coming(worker) if worker.max_builds else 0
        return not coming or compat.busy_places(worker) + coming < worker.max_builds

    def _refuses(self, worker: Any) -> bool:
        # a defect here must not end the pass over a builder, nor start a build on this worker
        try:
            return self._fleet.refuses(worker)
        except Exception as e:
            self._complaints.about(f'the standing of worker {worker.workername}', e)
            return True

    def _shielded(self, function: Callable[..., Any], *args: Any) -> None:
        try:
            function(*args)
        except Exception as e:
            self._complaints.about(function.__qualname__, e)

    def guard_builder(self, builder: Any) -> None:
        def maybe_start(stock: Callable[..., Any]) -> Callable[..., Any]:
            return lambda wfb, breqs: self._maybe_start(builder, stock, wfb, breqs)

        def available(stock: Callable[[], list[Any]]) -> Callable[[], list[Any]]:
            return lambda: [] if self._pauses.is_paused(builder.name) else stock()

        self._overlays.put(builder, 'maybeStartBuild', maybe_start)
        self._overlays.put(builder, 'getAvailableWorkers', available)
        self._worker_locks.guard_builder(self._overlays, builder)

    def guard_places(self, builder: Any) -> None:
        """The workers that a chooser will be offered: some are newer than the reconfig."""
        for wfb in builder.workers:
            self.guard_place(wfb)
        self.guard_builder(builder)

    def guard_place(self, wfb: Any) -> None:
        self.guard_builder(wfb.builder)
        if wfb.worker is not None:
            self.guard_worker(wfb.worker)

    def put_chooser(self, make: Callable[[Any, Any, Any], Any]) -> None:
        """`make(stock, builder, master)` returns the chooser for one pass over one builder."""

        def chooser(stock: Any) -> Callable[[Any, Any], Any]:
            return lambda builder, master: make(stock, builder, master)

        self._overlays.put(self._master.botmaster.brd, 'BuildChooser', chooser)

    def take_off(self) -> None:
        self._overlays.take_off()

    def _maybe_start(
        self, builder: Any, stock: Callable[..., Any], wfb: Any, breqs: Any
    ) -> defer.Deferred[bool]:
        worker = wfb.worker
        if worker is None or self._pauses.is_paused(builder.name):
            return defer.succeed(False)
        if self._refuses(worker):
            say(
                f'a build of {builder.name} was about to start on {worker.workername}, which'
                f' refuses since; its request waits again'
            )
            return defer.succeed(False)
        reservation = self._reservations.begin(builder.name, worker, breqs)
        if reservation is None:  # of a builder that is not served; it is woken by the release
            return defer.succeed(False)
        # From here until the place is marked as building the build is counted as starting, so
        # that nobody is told meanwhile that the worker is free.
        self._fleet.builds.starting(worker.workername, wfb, self._master.reactor.seconds())
        started: defer.Deferred[bool] = self._starts.start(stock, reservation, wfb, breqs)
        started.addBoth(self._started, builder, worker, wfb, breqs)
        return started

    def _started(self, result: Any, builder: Any, worker: Any, wfb: Any, breqs: Any) -> Any:
        build = compat.build_on(builder, wfb) if result is True else None
        self._fleet.builds.started(worker.workername, wfb, build)
        self._shielded(self._fleet.build_started, worker)
        if result is True:
            self._shielded(self._on_started, list(breqs))
        return result
