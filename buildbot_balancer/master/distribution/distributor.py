# SPDX-License-Identifier: GPL-2.0-or-later
"""BalancedDistributor: Buildbot's distributor by a queue in memory, looking only where it can help.

It stands in the place of ``botmaster.brd`` while the Balancer serves all builders. Events say what
has changed (a new request, a worker, a wake of Buildbot's); the loop then starts one request after
the other until none can start. No query is made for what cannot.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from buildbot.process.buildrequestdistributor import BuildRequestDistributor
from twisted.internet import defer
from twisted.internet import task
from twisted.python.failure import Failure

from buildbot_balancer.log import failed
from buildbot_balancer.master.calls import Calls
from buildbot_balancer.master.choice.look import Look
from buildbot_balancer.master.choice.look import Outcome
from buildbot_balancer.master.choice.opinions import Opinions
from buildbot_balancer.master.distribution.agenda import Agenda
from buildbot_balancer.master.distribution.barriers import Barriers
from buildbot_balancer.master.distribution.lane import Lane
from buildbot_balancer.master.distribution.limits import Limits
from buildbot_balancer.master.distribution.news import News
from buildbot_balancer.master.distribution.ordering import Ordering
from buildbot_balancer.master.distribution.parking import Parked
from buildbot_balancer.master.distribution.parking import Parking
from buildbot_balancer.master.distribution.parking import Reason
from buildbot_balancer.master.distribution.patience import patience
from buildbot_balancer.master.distribution.urgency import Key
from buildbot_balancer.master.requests.backlog import Backlog
from buildbot_balancer.master.requests.pending import Pending
from buildbot_balancer.master.sight.explainer import Explainer

WAIT = 0.1  # seconds for which the loop waits for one builder before it goes on to the next
EACH = 1e-6  # seconds: twenty times what it costs to look at one worker of a builder anew
A_BEAT = 200  # parked requests that are looked at anew at each beat
LEAST = 0.05  # seconds: a moment that has just passed is no reason to spin


class BalancedDistributor(BuildRequestDistributor):  # type: ignore[misc]  # Buildbot has no types
    """`look` tries to start one request, `ordering` says which is next, `limits` who may."""

    _only_children = False

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
        self.barriers = Barriers(self._barrier_opened)
        self._limits = limits
        self._backlog = backlog
        self._look = look
        self._releases = look.releases
        self._opinions = opinions
        self._explainer = explainer
        self._calls = calls
        self._reactor = reactor
        self.active: bool = False
        self._stopping = False
        self._held: dict[str, News] = {}  # builders at which a look goes on
        self._timer: Any = None
        self._all_soon: Any = None
        self._all_at = -math.inf  # epoch seconds of the last look at all workers
        self._recheck = 30.0
        self._beat = task.LoopingCall(self._look_at_some)
        self._beat.clock = reactor

    # the service

    @property
    def distribute_only_waited_childs(self) -> bool:
        """Buildbot sets it while a clean shutdown waits, and says nothing when that is over."""
        return self._only_children

    @distribute_only_waited_childs.setter
    def distribute_only_waited_childs(self, only: bool) -> None:
        before, self._only_children = self._only_children, only
        if before and not only:
            self._again(self.parking.all())
            self._changed()

    def configure(self, workers: Mapping[str, frozenset[str]], recheck: float) -> None:
        """By builder; everything is looked at anew."""
        if self._beat.running and recheck != self._recheck:
            self._beat.stop()
            self._beat.start(recheck, now=False)
        self._recheck = recheck
        parked = self.parking.all()
        self._releases.forget_requests()
        self.barriers.forget()
        self.agenda.set_builders(workers)
        self.ordering.everything_changed()
        for one in parked:  # its builder may have got the worker that it waits for
            self.agenda.add(one.builder, one.request, one.key)
        self._changed()

    def startService(self) -> Any:
        self._stopping = False
        result = super().startService()
        self._beat.start(self._recheck, now=False)
        self._due()
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
        self.barriers.stop()
        self._calls.cancel()  # a hook that never answers holds up nobody
        yield super().stopService()

    # what has happened

    def maybeStartBuildsOn(self, new_builders: Iterable[str]) -> None:
        """Buildbot's wake: something about these builders is worth another look."""
        for builder in new_builders:
            self._heard(builder, None)
            self.agenda.builder_changed(builder)
            self.ordering.everything_changed()
            self._again(self.parking.builder_woken(builder))
        self._changed()

    def everybody_woken(self) -> None:
        """As above for all builders, which Buildbot says at each end of a build with locks: the
        workers are looked at anew only so often that it costs little.
        """
        for builder in self.agenda.builders():
            self._heard(builder, None)
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
        self.ordering.worker_changed(worker)
        for builder in self._held:
            self._heard(builder, worker)
        self._again(self.parking.worker_changed(worker, self.agenda.builders_of(worker)))
        self._changed()
        if self._limits:  # Buildbot says so before it takes the build from those that run
            self._reactor.callLater(0, self.stir)

    def lock_opened(self, requests: Collection[int]) -> None:
        """These waited for it."""
        for news in self._held.values():
            news.requests.update(requests)
        parked = [self.parking.leave(request) for request in requests]
        self._again(one for one in parked if one is not None)
        self._changed()

    def _barrier_opened(self, builder: str, worker: str | None) -> None:
        """A lock that each of its requests needs, on one worker or (None) on all."""
        if worker is not None:
            self.agenda.unlock(builder, worker)
            self.ordering.worker_changed(worker)
            self._again(self.parking.worker_changed(worker, [builder]))
            if builder in self._held:
                self._heard(builder, worker)
        self._changed()

    def request_came(self, builder: str, request: int, key: Key) -> None:
        """Or it has another priority than before."""
        self.parking.leave(request)
        self.ordering.request_changed(request)
        self.agenda.add(builder, request, key)
        self._changed()

    def request_went(self, request: int) -> None:
        self.agenda.discard(request)
        self.parking.leave(request)
        self.ordering.request_changed(request)
        self._releases.gone(request)

    # the loop

    def _heard(self, builder: str, worker: str | None) -> None:
        """While a look goes on, what it is about to say may be of yesterday."""
        news = self._held.get(builder)
        if news is None:
            return
        if worker is None:
            news.woken = True
            news.workers |= self.agenda.workers_of(builder)
        else:
            news.workers.add(worker)

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
        while found is not None and not self._could_start(*found):
            found = await self.ordering.next(self._may)
        if found is None:
            if going_on:
                self._explainer.soon(self.agenda.heads)
            return False
        lane, request, only = found
        self._held[lane.builder] = News()
        looking = defer.ensureDeferred(self._try(lane, request, only))
        self._deferwaiter.add(looking)
        await patience(self._reactor, looking, WAIT)
        return True

    def _may(self, builder: str) -> bool:
        if builder in self._held or not self._limits.may_start(builder, self._held):
            return False
        return self.barriers.may_start(builder)

    def _could_start(self, lane: Lane, request: int, only: str | None) -> bool:
        """No lock is in the way that each of the lane needs; where one is, the worker is out."""
        free = [only] if only is not None else [one for one in lane.open if one in self.agenda.free]
        return not all(self._is_barred(lane.builder, worker) for worker in free)

    def _is_barred(self, builder: str, worker: str) -> bool:
        if self.barriers.may_start_on(builder, worker):
            return False
        self.agenda.lock(builder, worker)
        return True

    async def _try(self, lane: Lane, request: int, only: str | None) -> None:
        try:
            with self._look.timed():
                await self._attempt(lane, request, only)
        except defer.CancelledError:
            pass  # the distributor leaves
        except Exception:
            failed(Failure(), f'looking at request {request} of {lane.builder}')
            self._park(lane, request, Reason(at=self._reactor.seconds() + self._recheck))
        finally:
            del self._held[lane.builder]
            self.stir()

    async def _attempt(self, lane: Lane, request: int, only: str | None) -> None:
        pending = self._backlog.get(request)
        if pending is None:
            self.request_went(request)
            return
        if self.distribute_only_waited_childs and not await self._backlog.has_parent(pending):
            self._park(lane, request, Reason(unnamed=True))
            return
        outcome = await self._look_at(lane, pending, only)
        self._take_in(lane, outcome)
        if self._backlog.get(request) is None:  # it has started
            self.request_went(request)

    async def _look_at(self, lane: Lane, pending: Pending, only: str | None) -> Outcome:
        """`only`: the worker whose turn it is."""
        free = self.agenda.free if only is None else [only]
        workers = [name for name in free if name in lane.open]
        waiting = self.agenda.requests_of(lane.builder)
        outcome = await self._look.at(lane, pending, workers, waiting)
        others = [name for name in self.agenda.free if name in lane.open]
        if only is None or not outcome.parked or len(others) <= 1:
            return outcome
        if self.ordering.order == 'worker' and pending.id in outcome.parked:
            self._pass_over(lane, pending.id, only, outcome.parked.pop(pending.id))
            return outcome
        # before it is parked all others are asked
        return await self._look.at(lane, pending, others, self.agenda.requests_of(lane.builder))

    def _take_in(self, lane: Lane, outcome: Outcome) -> None:
        news = self._held[lane.builder]
        for worker in outcome.full - news.workers:
            self.agenda.worker_full(worker)
        for worker in outcome.shut - news.workers:
            self.agenda.refused(lane, worker)
        for one, reason in outcome.parked.items():
            if news.helps(one, reason):  # it is looked at anew
                self.ordering.request_changed(one)
            else:
                self._park(lane, one, reason)
        if outcome.barred:
            self.barriers.learn(lane.builder, outcome.barred)
            for worker in [one for one in lane.open if one in self.agenda.free]:
                self._is_barred(lane.builder, worker)

    def _pass_over(self, lane: Lane, request: int, worker: str, reason: Reason) -> None:
        """It waits for the turn of another worker."""
        if not self._held[lane.builder].helps(request, reason):
            self.ordering.pass_over(request, worker)

    def _park(self, lane: Lane, request: int, reason: Reason) -> None:
        if request not in self.agenda:
            return  # it was claimed or cancelled meanwhile
        key = self.agenda.key_of(request)
        self.agenda.discard(request)
        self.ordering.request_changed(request)
        # a reconfig may have given the builder other workers while the request was looked at
        all_workers = self.agenda.workers_of(lane.builder)
        only = all_workers if reason.only is None else reason.only
        self.parking.park(Parked(request, lane.builder, key, only, reason))
        alike = None if self._has_own_order(lane.builder) else (lane.builder, only)
        self._releases.sleep(request, key, reason.locks, alike)
        self._set_timer()

    def _has_own_order(self, builder: str) -> bool:
        """Its ``nextBuild`` is asked about all that could start."""
        found = self.botmaster.builders.get(builder)
        return found is not None and bool(found.config.nextBuild)

    def _again(self, parked: Iterable[Parked]) -> None:
        for one in parked:
            self.agenda.add(one.builder, one.request, one.key, one.lane)

    # what the time alone changes

    def _look_at_some(self) -> None:
        """Also at those who wait for an event: at a bounded number, the longest parked first."""
        self._again(self.parking.longest(A_BEAT))
        self._look_at_all()

    def _look_at_all(self) -> None:
        """So that an event that nobody heard costs a delay, and never a build."""
        self._all_at = self._reactor.seconds()
        self._opinions.clear()
        self.barriers.look_again()
        self.agenda.unlock_all()
        self.agenda.everything_changed()
        self.ordering.everything_changed()
        self._changed()

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
        self._changed()
