# SPDX-License-Identifier: GPL-2.0-or-later
"""Exchange: who is told of what, among the parts of the service."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from twisted.internet import defer

from buildbot_balancer.availability.cap import Caps
from buildbot_balancer.availability.schedule import together
from buildbot_balancer.explain.event import HELD
from buildbot_balancer.explain.event import Event
from buildbot_balancer.log import failed
from buildbot_balancer.master import compat
from buildbot_balancer.master.choice.engine import GATE
from buildbot_balancer.master.workers.fleet import ATTACHED
from buildbot_balancer.master.workers.fleet import COUNTED
from buildbot_balancer.master.workers.fleet import GONE
from buildbot_balancer.master.workers.fleet import HEARD
from buildbot_balancer.master.workers.fleet import LOST
from buildbot_balancer.master.workers.fleet import WILLING


class Exchange:
    """`parts`, a Parts, is set when all of them have been made; nobody tells anything before."""

    def __init__(self, master: Any) -> None:
        self._master = master
        self.parts: Any = None

    # what a part asks of others

    def wake(self, builders: list[str]) -> None:
        # the distributor may be another one by then
        self._master.botmaster.brd.maybeStartBuildsOn(builders)

    def builders_of(self, worker: str) -> list[str]:
        return [one.name for one in self._master.botmaster.getBuildersForWorker(worker)]

    def caps_of(self, worker: str, now: float) -> Caps:
        said = self.parts.control.caps_of(worker)
        hour: Caps = self.parts.hours.caps_of(worker, now)
        return together([Caps(said), hour]) if said else hour

    def left_of(self, worker: str) -> float | None:
        seconds: float | None = self.parts.remaining.left(worker)
        return seconds

    def more_known(self, worker: Any) -> None:
        """Of how long its builds take."""
        self.parts.link.counted(worker)

    def waiting(self, builderid: int) -> int | None:
        count: int | None = self.parts.sight.waiting(builderid)
        return count

    # what has happened

    def started(self, breqs: list[Any]) -> None:
        """The build of these requests."""
        self.parts.engine.started(breqs)
        now = self.parts.engine.now()
        for breq in breqs:
            waited = max(now - float(breq.submittedAt or now), 0)
            self.parts.measures.wait_seconds.observe(waited)
            self.parts.measures.decisions.labels('started').inc()

    def lock_event(self, event: Event) -> None:
        """Somebody has what it waited for, or lets go of what it held."""
        self.parts.history.record(event)
        measures = self.parts.measures
        measure = measures.lock_hold_seconds if event.kind == HELD else measures.lock_wait_seconds
        measures.lock_ended(measure, event.lock or '', event.duration or 0)

    def reported(self, end: str) -> None:
        """`end`: what became of a report."""
        self.parts.measures.reports.labels(end).inc()

    def lock_opened(self, waiters: Collection[str | int]) -> None:
        """Builders by name, requests by id."""
        self.parts.measures.wakes.labels('lock').inc()
        self.parts.wakes.soon(one for one in waiters if isinstance(one, str))
        self.parts.distribution.lock_opened({one for one in waiters if isinstance(one, int)})

    def worker_told(self, event: str, worker: Any) -> None:
        name, parts = worker.workername, self.parts
        parts.outside.news.worker_changed(name)
        parts.recorder.look(worker)
        parts.deadline.look(worker)
        parts.remaining.look(worker)
        if event in {ATTACHED, COUNTED}:  # one that was drained may be empty since an earlier start
            counted = defer.ensureDeferred(parts.control.counted(name))
            counted.addErrback(failed, f'looking whether {name} is empty')
        if event in {HEARD, ATTACHED}:
            return
        parts.measures.wakes.labels(event).inc()
        if event == WILLING:
            parts.wakes.worker(name)
        elif event == COUNTED:
            parts.link.counted(worker)
        elif event == LOST:
            parts.healer.lost(name)
            parts.wakes.happened(GONE, name)
        parts.wakes.happened(event, name)
        if event != COUNTED:
            parts.distribution.worker_changed(name)

    def gate_changed(self, worker: str) -> None:
        self.parts.measures.wakes.labels(GATE).inc()
        self.parts.wakes.happened(GATE, worker)
        self.parts.distribution.worker_changed(worker)

    def worker_limited(self, name: str) -> None:
        """By a user of the master."""
        worker = compat.worker_named(self._master, name)
        if worker is not None:
            self.parts.link.counted(worker)  # its owner is told
        self.parts.outside.news.worker_changed(name)

    def builder_changed(self, name: str) -> None:
        """It was paused, or is not any more."""
        self.parts.wakes.soon([name])
        builderid = self.parts.builders.id_of(name)
        if builderid is not None:
            self.parts.outside.news.builder_changed(builderid)

    def decided(self, request: int) -> None:
        decision = self.parts.engine.decisions.get(request)
        self.parts.ledger.decided(request, decision)
        if decision is not None and decision.worker is None:
            self.parts.measures.decisions.labels('waits').inc()
        self.request_changed(request)

    def request_changed(self, request: int) -> None:
        """Whatever it is that is said of it."""
        self.parts.sight.changed(request)
        self.parts.outside.news.request_changed(request)
