# SPDX-License-Identifier: GPL-2.0-or-later
"""WorkerSights: what each worker does, or why it gets nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from typing import Callable

import attrs

from buildbot_balancer.availability.text import clean
from buildbot_balancer.explain import worker as words
from buildbot_balancer.explain.about import REASON
from buildbot_balancer.explain.about import About
from buildbot_balancer.explain.lock import held_by
from buildbot_balancer.explain.sights import LockSight
from buildbot_balancer.explain.sights import WorkerSight
from buildbot_balancer.master import compat
from buildbot_balancer.master.choice.engine import Engine
from buildbot_balancer.master.choice.obstacles import keys
from buildbot_balancer.master.choice.views import worker_view
from buildbot_balancer.master.distribution.roll import Listing
from buildbot_balancer.master.workers.people import about
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView

ASKED = 3  # builders whose requests could come to one worker
NAME = 60  # characters


Workers = frozenset[str]


@attrs.frozen(eq=False)
class _Config:
    """Which builders have which workers, for as long as this config counts."""

    config: Any
    workers: dict[str, Workers]
    used: Workers

    @classmethod
    def of(cls, master: Any) -> _Config:
        builders = list(master.botmaster.builders.values())
        known: dict[Workers, Workers] = {}  # many builders have the same workers
        workers = {}
        for one in builders:
            some = frozenset(one.config.workernames)
            workers[one.name] = known.setdefault(some, some)
        return cls(master.config, workers, frozenset().union(*known))


@attrs.define(eq=False)
class _Group:
    """What waits for builders that have the same workers."""

    waiting: int = 0
    builders: list[str] = attrs.field(factory=list)  # ASKED at most


@attrs.frozen(eq=False)
class _Waiting:
    listing: Listing
    config: _Config
    groups: dict[Workers, _Group]

    @classmethod
    def of(cls, listing: Listing, config: _Config) -> _Waiting:
        groups: dict[Workers, _Group] = {}
        for builder in listing.of_builder:
            workers = config.workers.get(builder)
            if workers is None:
                continue
            group = groups.setdefault(workers, _Group())
            group.waiting += listing.count(builder)
            if len(group.builders) < ASKED:
                group.builders.append(builder)
        return cls(listing, config, groups)

    def for_worker(self, name: str) -> _Group:
        groups = [group for workers, group in self.groups.items() if name in workers]
        builders = [one for group in groups for one in group.builders]
        return _Group(sum(group.waiting for group in groups), builders[:ASKED])


class WorkerSights:
    """`lock(name, group)` as in Sight; `listing()`: what waits, None where that is not known."""

    def __init__(
        self,
        master: Any,
        engine: Engine,
        listing: Callable[[], Listing | None],
        lock: Callable[[str, str], list[LockSight]],
    ) -> None:
        self._master = master
        self._engine = engine
        self._listing = listing
        self._lock = lock
        self._config: _Config | None = None
        self._waiting: _Waiting | None = None

    def all(self) -> list[WorkerSight]:
        """By name."""
        listing = self._listing()
        workers = sorted(compat.all_workers(self._master), key=lambda one: one.workername)
        return [self._sight(one, listing) for one in workers if one.workerid is not None]

    def one(self, workerid: int) -> WorkerSight | None:
        for worker in compat.all_workers(self._master):
            if worker.workerid == workerid:
                return self._sight(worker, self._listing(), closely=True)
        return None

    def _sight(self, worker: Any, listing: Listing | None, *, closely: bool = False) -> WorkerSight:
        known = about(worker, self._engine.fleet)
        standing = known.standing
        demand = self._demand(worker, known, listing, closely=closely)
        builds = tuple(
            f'{build.builder.name} #{build.number}'
            for build in self._engine.fleet.builds.of(standing.name)
            if build.number is not None
        )
        return WorkerSight(
            workerid=worker.workerid,
            name=clean(standing.name, NAME),
            mood=standing.mood.label,
            reason=clean(standing.reason, REASON) if standing.reason else None,
            source=standing.source,
            until=standing.until,
            load=standing.load,
            fresh=standing.fresh,
            reported_at=standing.reported_at,
            running=standing.presence.running,
            summary=words.summary(known, builds, demand, self._engine.now()),
        )

    def _demand(
        self, worker: Any, known: About, listing: Listing | None, *, closely: bool
    ) -> words.Demand:
        config = self._config_now()
        name = known.name
        if name not in config.used:
            return words.Demand(builders=0, waiting=0)
        if known.obstacles(self._engine.now()) or known.full or listing is None:
            return words.Demand()  # then it does not matter
        group = self._waiting_now(listing, config).for_worker(name)
        return words.Demand(
            waiting=group.waiting,
            why=tuple(self._why(worker, group.builders, listing, closely=closely)),
        )

    def _config_now(self) -> _Config:
        if self._config is None or self._config.config is not self._master.config:
            self._config = _Config.of(self._master)
        return self._config

    def _waiting_now(self, listing: Listing, config: _Config) -> _Waiting:
        known = self._waiting
        if known is None or known.listing is not listing or known.config is not config:
            known = self._waiting = _Waiting.of(listing, config)
        return known

    def _why(
        self, worker: Any, builders: list[str], listing: Listing, *, closely: bool
    ) -> Iterator[str]:
        """Why the requests that could come to it do not."""
        if closely and builders:
            yield from self._own_locks(worker)
        for builder in builders:
            request = listing.first_of(builder)
            said = '' if request is None else self._why_not(worker, builder, request, closely)
            if said:
                yield f'request {request} of {clean(builder, NAME)}: {said}'

    def _why_not(self, worker: Any, builder: str, request: int, closely: bool) -> str:
        decision = self._engine.decisions.get(request)
        verdict = decision.verdicts.get(worker.workername) if decision is not None else None
        if verdict is None and closely:
            verdict = self._alone(worker, builder)
        if decision is not None and decision.locks and (verdict is None or verdict.code == 'lock'):
            sights = [next(iter(self._lock(*key)), None) for key in decision.locks]
            held = held_by(one for one in sights if one is not None and one.holders)
            if held:
                return f'wants {held}'
        if verdict is not None:
            return f'this worker {clean(verdict.sentence, REASON)}'
        return '' if decision is None else clean(decision.note, REASON)

    def _alone(self, worker: Any, builder: str) -> Verdict | None:
        """What the filters say that look at nothing but the worker."""
        wfb = worker.workerforbuilders.get(builder)
        busy = wfb is not None and compat.runs_a_build(wfb)
        now = self._engine.now()
        view = worker_view(worker, self._engine.fleet, now=now, busy=busy)
        anybody = RequestView(id=0, builder=builder)
        policy = self._engine.settings.policy_for(builder)
        return next(policy.refusals(anybody, view, now, alone=True), None)

    def _own_locks(self, worker: Any) -> Iterator[str]:
        """``Worker(locks=[...])``"""
        missing = [
            (lock, access)
            for lock, access in worker.locks or ()
            if not lock.isAvailable(worker, access)
        ]
        for key in keys(worker, worker.workername, missing):
            sight = next(iter(self._lock(*key)), None)
            yield 'it waits itself for ' + (f'lock {key[0]}' if sight is None else held_by([sight]))
