# SPDX-License-Identifier: GPL-2.0-or-later
"""BalancedDistributor: Buildbot's distributor by a queue in memory, looking only where it can help.

It stands in the place of ``botmaster.brd`` while the Balancer serves all builders. Events say what
has changed (a new request, a worker, a wake of Buildbot's); the loop then starts one request after
the other until none can start. No query is made for what cannot.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from buildbot.process.buildrequestdistributor import BuildRequestDistributor
from twisted.internet import defer
from twisted.internet import task
from twisted.python.failure import Failure

from buildbot_balancer.log import failed
from buildbot_balancer.master.agenda import Agenda
from buildbot_balancer.master.backlog import Backlog
from buildbot_balancer.master.calls import Calls
from buildbot_balancer.master.explainer import Explainer
from buildbot_balancer.master.lane import Lane
from buildbot_balancer.master.limits import Limits
from buildbot_balancer.master.look import Look
from buildbot_balancer.master.opinions import Opinions
from buildbot_balancer.master.ordering import Ordering
from buildbot_balancer.master.parking import Parked
from buildbot_balancer.master.parking import Parking
from buildbot_balancer.master.parking import Reason
from buildbot_balancer.master.patience import patience
from buildbot_balancer.master.urgency import Key

WAIT = 0.1  # seconds for which the loop waits for one builder before it goes on to the next
EACH = 1e-6  # seconds: twenty times what it costs to look at one worker of a builder anew
LEAST = 0.05  # seconds: a moment that has just passed is no reason to spin


class BalancedDistributor(BuildRequestDistributor):  # type: ignore[misc]  # Buildbot has no types
    """`look` tries to start one request, `ordering` says which is next, `limits` who may."""

    def __init__(
        self,
        botmaster: Any,
        reactor: Any,
        agenda: Agenda,
        ordering: Ordering,
        limits: Limits,
        backlog: Backlog,
        look: Look,
        opinions: Opinions,
        explainer: Explainer,
        calls: Calls,
    ) -> None:
        super().__init__(botmaster)
        self.agenda = agenda
        self.ordering = ordering
        self.parking = Parking()
        self._limits = limits
        self._backlog = backlog
        self._look = look
        self._opinions = opinions
        self._explainer = explainer
        self._calls = calls
        self._reactor = reactor
        self.active: bool = False
        self._stopping = False
        self._held: set[str] = set()  # builders at which a look goes on
        self._timer: Any = None
        self._all_soon: Any = None
        self._all_at = -math.inf  # epoch seconds of the last look at all workers
        self._recheck = 30.0
        self._beat = task.LoopingCall(self._look_at_all)
        self._beat.clock = reactor

    # the service

    def configure(self, workers: Mapping[str, frozenset[str]], recheck: float) -> None:
        """By builder; everything is looked at anew."""
        self._recheck = recheck
        if self._beat.running:
            self._beat.interval = recheck
        parked = self.parking.all()
        self.agenda.set_builders(workers)
        self._again(parked)
        self.stir()

    def startService(self) -> Any:
        self._stopping = False
        result = super().startService()
        self._beat.start(self._recheck, now=False)
        self.stir()
        return result

    @defer.inlineCallbacks
    def stopService(self) -> Any:
        self._stopping = True
        if self._beat.running:
            self._beat.stop()
        for timer in (self._timer, self._all_soon):
            if timer is not None and timer.active():
                timer.cancel()
        self._explainer.stop()
        self._calls.cancel()  # a hook that never answers holds up nobody
        yield super().stopService()

    # what has happened

    def maybeStartBuildsOn(self, new_builders: Iterable[str]) -> None:
        """Buildbot's wake: something about these builders is worth another look."""
        for builder in new_builders:
            self.agenda.builder_changed(builder)
            self._again(self.parking.builder_woken(builder))
        self._changed()

    def everybody_woken(self) -> None:
        """As above for all builders, which Buildbot says at each end of a build with locks: the
        workers are looked at anew only so often that it costs little.
        """
        for builder in self.agenda.builders():
            self._again(self.parking.builder_woken(builder))
        wait = self._all_at + self.agenda.size * EACH - self._reactor.seconds()
        if wait <= 0:
            self._look_at_all()
        elif self._all_soon is None or not self._all_soon.active():
            self._all_soon = self._reactor.callLater(wait, self._look_at_all)
        self._changed()

    def worker_changed(self, worker: str) -> None:
        """It may have a place, or another opinion of who may have it."""
        self._opinions.forget(worker)
        self.agenda.worker_changed(worker)
        self._again(self.parking.worker_changed(worker, self.agenda.builders_of(worker)))
        self._changed()

    def requests_woken(self, requests: Iterable[int]) -> None:
        """What they waited for has come, such as a lock."""
        parked = [self.parking.leave(request) for request in requests]
        self._again(one for one in parked if one is not None)
        self._changed()

    def request_came(self, builder: str, request: int, key: Key) -> None:
        """Or it has another priority than before."""
        self.parking.leave(request)
        self.agenda.add(builder, request, key)
        self._changed()

    def request_went(self, request: int) -> None:
        self.agenda.discard(request)
        self.parking.leave(request)

    # the loop

    def _changed(self) -> None:
        """As `stir`, where the order of the builders may be another one now."""
        self.ordering.new_pass()
        self.stir()

    def stir(self) -> None:
        """Starts what can start."""
        if self.active or not self.can_distribute:
            return
        self.active = True
        self._activity_loop_deferred = defer.ensureDeferred(self._loop())
        self._deferwaiter.add(self._activity_loop_deferred)

    async def _loop(self) -> None:
        try:
            while await self.activity_lock.run(self._one):
                pass
        except Exception:
            failed(Failure(), 'distributing requests')
        finally:
            self.active = False

    def _one(self) -> defer.Deferred[bool]:
        return defer.ensureDeferred(self._next())

    async def _next(self) -> bool:
        """False: nothing can start."""
        going_on = self.can_distribute and not self._stopping
        found = await self.ordering.next(self._may) if going_on else None
        if found is None:
            if going_on:
                self._explainer.soon(self.agenda.heads)
            return False
        lane, request, only = found
        self._held.add(lane.builder)
        looking = defer.ensureDeferred(self._try(lane, request, only))
        self._deferwaiter.add(looking)
        await patience(self._reactor, looking, WAIT)
        return True

    def _may(self, builder: str) -> bool:
        return builder not in self._held and self._limits.may_start(builder)

    async def _try(self, lane: Lane, request: int, only: str | None) -> None:
        try:
            await self._attempt(lane, request, only)
        except defer.CancelledError:
            pass  # the distributor leaves
        except Exception:
            failed(Failure(), f'looking at request {request} of {lane.builder}')
            self._park(lane, request, Reason(at=self._reactor.seconds() + self._recheck))
        finally:
            self._held.discard(lane.builder)
            self.stir()

    async def _attempt(self, lane: Lane, request: int, only: str | None) -> None:
        pending = self._backlog.get(request)
        if pending is None:
            self.agenda.discard(request)
            return
        if self.distribute_only_waited_childs and not await self._backlog.has_parent(pending):
            self._park(lane, request, Reason(unnamed=True))
            return
        free = self.agenda.free if only is None else [only]
        workers = [name for name in free if name in lane.open]
        waiting = self.agenda.requests_of(lane.builder)
        outcome = await self._look.at(lane, pending, workers, waiting)
        for worker in outcome.full:
            self.agenda.worker_full(worker)
        for worker in outcome.shut:
            self.agenda.refused(lane, worker)
        for one, reason in outcome.parked.items():
            self._park(lane, one, reason)

    def _park(self, lane: Lane, request: int, reason: Reason) -> None:
        if request not in self.agenda:
            return  # it was claimed or cancelled meanwhile
        key = self.agenda.key_of(request)
        self.agenda.discard(request)
        only = lane.workers if reason.only is None else reason.only
        self.parking.park(Parked(request, lane.builder, key, only, reason))
        self._set_timer()

    def _again(self, parked: Iterable[Parked]) -> None:
        for one in parked:
            self.agenda.add(one.builder, one.request, one.key, one.lane)

    # what the time alone changes

    def _look_at_all(self) -> None:
        """So that an event that nobody heard costs a delay, and never a build."""
        self._all_at = self._reactor.seconds()
        self._opinions.clear()
        self.agenda.everything_changed()
        self.stir()

    def _set_timer(self) -> None:
        at = self.parking.next_time()
        if at is None or not self.running or self._stopping:
            return
        if self._timer is not None and self._timer.active():
            if self._timer.getTime() <= at:
                return
            self._timer.cancel()
        self._timer = self._reactor.callLater(max(at - self._reactor.seconds(), LEAST), self._due)

    def _due(self) -> None:
        self._again(self.parking.time_passed(self._reactor.seconds() + LEAST))
        self._set_timer()
        self.stir()
