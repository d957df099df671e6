# SPDX-License-Identifier: GPL-2.0-or-later
"""Distribution: puts our distributor in the place of Buildbot's, and takes it out again."""

from __future__ import annotations

from itertools import chain
from typing import Any
from typing import Callable

from buildbot.process.buildrequestdistributor import BuildRequestDistributor

from buildbot_balancer.master import compat
from buildbot_balancer.master.choice.engine import Engine
from buildbot_balancer.master.choice.look import Look
from buildbot_balancer.master.choice.opinions import Opinions
from buildbot_balancer.master.choice.selection import Selection
from buildbot_balancer.master.choice.views import request_view
from buildbot_balancer.master.choice.views import worker_view
from buildbot_balancer.master.distribution.agenda import Agenda
from buildbot_balancer.master.distribution.distributor import BalancedDistributor
from buildbot_balancer.master.distribution.lane import Lane
from buildbot_balancer.master.distribution.limits import Limits
from buildbot_balancer.master.distribution.ordering import Ordering
from buildbot_balancer.master.distribution.ordering import Pairs
from buildbot_balancer.master.distribution.releases import Releases
from buildbot_balancer.master.distribution.roll import Distributed
from buildbot_balancer.master.overlays import Overlays
from buildbot_balancer.master.requests.backlog import Backlog
from buildbot_balancer.master.settings import Settings
from buildbot_balancer.master.sight.explainer import Explainer
from buildbot_balancer.master.starts.starter import Starter
from buildbot_balancer.policy.views import WorkerView


class Distribution:
    """Over ``botmaster.maybeStartBuildsForWorker`` and ``maybeStartBuildsForAllBuilders``."""

    def __init__(
        self,
        master: Any,
        reactor: Any,
        engine: Engine,
        releases: Releases,
        guard: Callable[[Any], None],
        is_paused: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._master = master
        self._reactor = reactor
        self._engine = engine
        self._releases = releases
        self._guard = guard
        self._overlays = Overlays()
        self._distributor: BalancedDistributor | None = None
        self._backlog: Backlog | None = None
        self._limits = Limits(master, is_paused)
        self._opinions = Opinions(self._view, engine.now, engine.random)

    # what has happened

    def worker_changed(self, worker: str) -> None:
        if self._distributor is not None:
            self._distributor.worker_changed(worker)

    def lock_opened(self, requests: set[int]) -> None:
        """These waited for it."""
        if self._distributor is not None:
            self._distributor.lock_opened(requests)

    def distributed(self) -> Distributed | None:
        """What there is to be seen; None where Buildbot's own distributor is in place."""
        ours, backlog = self._distributor, self._backlog
        if ours is None or backlog is None:
            return None
        ordering = ours.ordering
        return Distributed(
            entries=lambda: chain(ours.agenda.waiting(), ours.parking.waiting()),
            pending=backlog.get,
            breq=backlog.breq,
            by_builder=ordering.order == 'builder',
            sequence=ordering.sequence,
        )

    # in and out

    async def put_in(self, settings: Settings) -> None:
        """Also where it is in already, at a reconfig."""
        if self._distributor is not None and self._backlog is not None:
            async with self._distributor.activity_lock:
                await self._configure(settings, self._backlog, self._distributor)
            return
        if self._master.botmaster.brd.parent is None:
            return  # a master that shuts down has taken it away, and starts nothing any more
        backlog = self._backlog = Backlog(self._master, self._reactor, self._engine.complaints)
        new = self._distributor = self._make(backlog)
        backlog.came, backlog.went = new.request_came, self._went
        self._engine.lines.hears_of_ends = True
        await self._replace(new)
        self._listen(new)
        # nothing is chosen before all is loaded, or the first row wins over more urgent ones
        async with new.activity_lock:
            await self._configure(settings, backlog, new)
            await backlog.start()

    async def take_out(self) -> None:
        ours, self._distributor = self._distributor, None
        backlog, self._backlog = self._backlog, None
        self._overlays.take_off()
        self._engine.lines.hears_of_ends = False
        # a master that shuts down has taken its distributor away itself
        if ours is not None and ours.parent is not None and self._master.running:
            await self._replace(BuildRequestDistributor(self._master.botmaster))
        if backlog is not None:
            await backlog.stop()

    async def _replace(self, new: Any) -> None:
        """The new one first, so that no wake is lost in between; what the old one was about to do
        is done by the wake of all builders that follows.
        """
        botmaster = self._master.botmaster
        old = botmaster.brd
        new.distribute_only_waited_childs = old.distribute_only_waited_childs
        botmaster.brd = new
        await old.disownServiceParent()
        await new.setServiceParent(botmaster)

    def _listen(self, distributor: BalancedDistributor) -> None:
        """Buildbot makes a list of builders of both."""
        botmaster = self._master.botmaster

        def put(name: str, ours: Callable[..., Any]) -> None:
            self._overlays.put(botmaster, name, lambda _: ours)

        put('maybeStartBuildsForWorker', distributor.worker_changed)
        put('maybeStartBuildsForAllBuilders', distributor.everybody_woken)

    async def _configure(
        self, settings: Settings, backlog: Backlog, distributor: BalancedDistributor
    ) -> None:
        builders = list(self._master.botmaster.builders.values())
        workers = {one.name: frozenset(one.config.workernames) for one in builders}
        self._opinions.clear()
        self._limits.configure(settings.max_running, workers)
        distributor.ordering.order = settings.order_for(self._master.config)
        distributor.configure(workers, settings.recheck)
        ids = {await one.getBuilderId(): one.name for one in builders}
        await backlog.serve(ids, settings.urgency)

    def _make(self, backlog: Backlog) -> BalancedDistributor:
        master, reactor, engine = self._master, self._reactor, self._engine
        agenda = Agenda()
        starter = Starter(master, reactor, engine, backlog)
        selection = Selection(master, engine, self._opinions, self._guard)
        explainer = Explainer(master, reactor, engine, backlog)
        return BalancedDistributor(
            master.botmaster,
            reactor,
            agenda,
            Ordering(
                master, agenda, engine.complaints, engine.calls, self._best_first, self._pairs
            ),
            self._limits,
            backlog,
            Look(master, engine, backlog, selection, starter, self._releases, explainer),
            self._opinions,
            explainer,
            engine.calls,
        )

    def _went(self, request: int) -> None:
        self._engine.lines.leave(request)
        if self._distributor is not None:
            self._distributor.request_went(request)

    def _best_first(self, workers: set[str]) -> Any:
        return self._opinions.best_first(self._engine.settings.policy, workers)

    async def _pairs(self, lane: Lane, request: int, free: set[str]) -> Pairs:
        """What an IOrder sees: (worker's name, the request, the worker)."""
        backlog, now = self._backlog, self._engine.now()
        pending = None if backlog is None else backlog.get(request)
        builder = self._master.botmaster.builders.get(lane.builder)
        breq = None if backlog is None or pending is None else await backlog.breq(pending)
        if breq is None or builder is None:
            return []
        view = request_view(breq, builder, now)
        workers = [(name, self._view(name)) for name in sorted(free & lane.open)]
        return [(name, view, worker) for name, worker in workers if worker is not None]

    def _view(self, name: str) -> WorkerView | None:
        worker = compat.worker_named(self._master, name)
        if worker is None:
            return None
        return worker_view(worker, self._engine.fleet, now=self._engine.now(), busy=False)
