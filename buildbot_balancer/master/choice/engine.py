# SPDX-License-Identifier: GPL-2.0-or-later
"""Engine: asks the policy about one request and all workers of its builder."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from random import Random
from typing import Any
from typing import Callable

import attrs
from buildbot.process.build import Build
from buildbot.process.properties import Properties

from buildbot_balancer.availability.standing import Rules
from buildbot_balancer.master import compat
from buildbot_balancer.master.calls import Calls
from buildbot_balancer.master.choice.decisions import Decisions
from buildbot_balancer.master.choice.views import request_view
from buildbot_balancer.master.choice.views import worker_view
from buildbot_balancer.master.complaints import Complaints
from buildbot_balancer.master.distribution.releases import Releases
from buildbot_balancer.master.distribution.wakes import Wakes
from buildbot_balancer.master.locks import locks
from buildbot_balancer.master.locks.guards import Guards
from buildbot_balancer.master.locks.lines import Lines
from buildbot_balancer.master.locks.parents import Parents
from buildbot_balancer.master.locks.reservations import Pair
from buildbot_balancer.master.locks.reservations import Reservations
from buildbot_balancer.master.settings import Settings
from buildbot_balancer.master.workers.fleet import FACTS
from buildbot_balancer.master.workers.fleet import GONE
from buildbot_balancer.master.workers.fleet import LOAD
from buildbot_balancer.master.workers.fleet import Fleet
from buildbot_balancer.policy.decision import Decision
from buildbot_balancer.policy.ranking import Ranking
from buildbot_balancer.policy.verdict import Answer
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

# Facts, beside those of the fleet.
GATE = 'gate'
LOCK = 'lock'
PEERS = 'peers'
# Facts whose changes wake every builder that has the worker, also one that is being looked at.
SURELY_HEARD = {'builds', 'mood', 'time'}
NAME = 'balancer'  # of the service


@attrs.frozen(eq=False)
class Outlook:
    """Where one request could start at `at`."""

    request: RequestView
    ranking: Ranking
    places: Mapping[str, Any]  # WorkerForBuilders that are free now, by worker's name
    wanted: locks.Wanted
    missing: dict[str, list[Pair]]  # locks that could not be had now, by worker's name
    at: float
    doubled: set[int] = attrs.field(
        factory=set
    )  # ids of those that are wanted twice, and free once


class Engine:
    """`random` decides between equals; `reactor` is the clock. `wakes` and `releases` None: nobody
    is woken.
    """

    def __init__(
        self,
        master: Any,
        reactor: Any,
        fleet: Fleet,
        wakes: Wakes | None = None,
        releases: Releases | None = None,
        random: Random | None = None,
    ) -> None:
        self.settings = Settings()
        self.fleet = fleet
        self.complaints = Complaints(self.now)
        self.calls = Calls(reactor)
        self.decisions = Decisions(self.now)
        self.parents = Parents(master)
        self.guards = Guards()
        self.lines = Lines(reactor)
        self.reservations = Reservations(
            reactor, self.guards.keeper, functools.partial(compat.when_no_choice_is_made, master)
        )
        self._master = master
        self._reactor = reactor
        self._wakes = wakes
        self._releases = releases
        self.random = random or Random()
        self.timed: Callable[[], Any] = contextlib.nullcontext  # around each look at a request

    def now(self) -> float:
        return float(self._reactor.seconds())

    def stop(self) -> None:
        self.calls.cancel()
        self.lines.stop()
        self.reservations.stop()
        self.guards.take_off()

    async def outlook(
        self, builder: Any, breq: Any, only: Collection[str] | None = None
    ) -> Outlook:
        """Ranks all workers of the builder for one request, or `only` these."""
        offered = self._offered(builder, only)
        wanted = await self.calls.ask(locks.wanted, builder, offered, self.lines.requester(breq))
        compatible = {
            wfb.worker.workername: await _compatible(builder, wfb, breq) for wfb in offered
        }
        # From here on nothing waits, so that all that is seen is of one moment.
        places = {
            wfb.worker.workername: wfb
            for wfb in self._offered(builder, only)
            if wanted.is_known(wfb.worker.workername)
        }
        request = request_view(breq, builder, self.now())
        found = self._workers(builder, places, only)
        missing = {one.workername: wanted.missing(one.workername) for one in found}
        workers = [
            worker_view(
                worker,
                self.fleet,
                now=self.now(),
                busy=_is_busy(builder, worker),
                locks_held=_names(missing[worker.workername]),
                locks_never=_names(filter(wanted.is_never, missing[worker.workername])),
                compatible=compatible.get(worker.workername),
            )
            for worker in found
        ]
        ranking = self.rank(request, workers)
        return Outlook(request, ranking, places, wanted, missing, self.now())

    def rank(self, request: RequestView, workers: list[WorkerView]) -> Ranking:
        policy = self.settings.policy_for(request.builder)
        ranking = policy.rank(request, workers, self.now(), self.random)
        for problem in ranking.problems:
            self.complaints.about(
                f'{problem.author} in the policy of builder {request.builder}', problem.error
            )
        return ranking

    def started(self, breqs: list[Any]) -> None:
        for breq in breqs:
            self.decisions.started(breq.id)

    def reserve(self, outlook: Outlook, breq: Any, place: Any) -> list[Pair]:
        """Keeps all locks for this start, or none of them: returns those that cannot be had."""
        builder, worker = place.builder, place.worker
        pairs = outlook.wanted.pairs(worker.workername)
        missing = self.reservations.reserve(outlook.wanted.request, builder.name, worker, pairs)
        if missing:
            outlook.missing[worker.workername] = missing
            request = outlook.wanted.request
            free = (lock for lock, access in missing if lock.isAvailable(request, access))
            outlook.doubled.update(map(id, free))
        else:
            self.lines.leave(breq.id)
        return missing

    def is_outdated(self, outlook: Outlook, place: Any) -> bool:
        """The config has changed since: other locks may be wanted."""
        return place.builder.config.locks is not outlook.wanted.locks

    def waits(
        self, decision: Decision, verdicts: Mapping[str, Verdict], outlook: Outlook | None = None
    ) -> None:
        """Keeps the reason, and arranges to be asked again when something named in it changes."""
        self.decisions.waits(decision)
        self._arrange(decision.builder, decision.at, verdicts, unnamed=bool(decision.note))
        if outlook is not None:
            if decision.note:  # something else than its turn keeps it
                self.lines.leave(decision.request)
            else:
                self._line_up(outlook, verdicts)
            self._wait_for_locks(outlook, verdicts)

    def watch(self, outlook: Outlook) -> None:
        """As `waits`, for a builder whose own chooser asked and may not start it."""
        verdicts = outlook.ranking.verdicts
        self._arrange(outlook.request.builder, outlook.at, verdicts, unnamed=False)
        self._wait_for_locks(outlook, verdicts)

    def _line_up(self, outlook: Outlook, verdicts: Mapping[str, Verdict]) -> None:
        """Where nothing but a lock is in the way it waits for the first that it cannot have."""
        missing = {name: outlook.missing[name] for name in outlook.places}
        first = first_in_the_way(missing, verdicts, outlook.doubled)
        shared = shared_in_the_way(missing, verdicts, outlook.wanted)
        self.lines.wait(outlook.wanted.request, outlook.request.builder, first, shared)

    def _wait_for_locks(self, outlook: Outlook, verdicts: Mapping[str, Verdict]) -> None:
        if self._releases is None or self._wakes is None:
            return
        request, builder = outlook.wanted.request, outlook.request.builder
        for name, pairs in outlook.missing.items():
            if not _waits_for_lock(verdicts.get(name)):
                continue
            for lock, access in pairs:
                if lock.isAvailable(request, access) and id(lock) not in outlook.doubled:
                    self._wakes.soon([builder])  # since we looked
                else:
                    self._releases.wait(builder, request, lock, access)

    def _arrange(
        self, builder: str, at: float, verdicts: Mapping[str, Verdict], *, unnamed: bool
    ) -> None:
        if self._wakes is None:
            return
        for name, verdict in verdicts.items():
            if verdict.fact in {LOAD, FACTS, GATE}:
                self._wakes.on(verdict.fact, name, builder)
            elif verdict.fact == PEERS:
                for one in verdict.who:
                    self._wakes.on(GONE, one, builder)
        moments = [v.again_at for v in verdicts.values() if v.again_at is not None]
        if unnamed or any(_may_change_unheard(v) for v in verdicts.values()):
            moments.append(at + self.settings.recheck)
        if moments:
            self._wakes.at(builder, min(moments))

    def _offered(self, builder: Any, only: Collection[str] | None) -> list[Any]:
        """WorkerForBuilders that are free."""
        if only is None:
            return list(builder.getAvailableWorkers())
        workers = [compat.worker_named(self._master, name) for name in only]
        places = [compat.place_of(builder, one) for one in workers if one is not None]
        return [wfb for wfb in places if wfb is not None and wfb.isAvailable()]

    def _workers(
        self, builder: Any, places: Mapping[str, Any], only: Collection[str] | None
    ) -> list[Any]:
        found = {name: wfb.worker for name, wfb in places.items()}
        for name in builder.config.workernames if only is None else only:
            worker = None if name in found else compat.worker_named(self._master, name)
            if worker is not None:
                found[name] = worker
        return list(found.values())


def for_master(master: Any) -> Engine:
    """The engine of the master's Balancer; without one, the default policy on what there is."""
    balancer = compat.service_named(master, NAME)
    if balancer is not None and balancer.engine is not None:
        engine: Engine = balancer.engine
        return engine
    fleet = Fleet(master, master.reactor, Rules(), _ignore)
    return Engine(master, master.reactor, fleet)


def _may_change_unheard(verdict: Verdict) -> bool:
    """Code that names no fact may say something else at any time; and while the hooks of a builder
    are asked, a fact may change that nobody is registered for yet.
    """
    return verdict.answer is not Answer.NEVER and verdict.fact not in SURELY_HEARD


def first_in_the_way(
    missing: Mapping[str, list[Pair]], verdicts: Mapping[str, Verdict], doubled: set[int]
) -> list[Pair]:
    """Of each worker that only a lock keeps from taking the request, the first such lock."""
    return [
        pairs[0]
        for name, pairs in missing.items()
        if pairs and _waits_for_lock(verdicts.get(name)) and id(pairs[0][0]) not in doubled
    ]


def shared_in_the_way(
    missing: Mapping[str, list[Pair]], verdicts: Mapping[str, Verdict], wanted: locks.Wanted
) -> list[list[Pair]]:
    """Of each worker that only locks of all masters keep from taking the request, all of these."""
    return [
        wanted.shared(name)
        for name, pairs in missing.items()
        if pairs and all(map(locks.is_shared, pairs)) and _waits_for_lock(verdicts.get(name))
    ]


def _waits_for_lock(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.fact == LOCK


def _names(pairs: Iterable[Pair]) -> tuple[str, ...]:
    return tuple(lock.lockName for lock, _ in pairs)


def _ignore(event: str, worker: Any) -> None:
    """Nobody is to be told."""


def _is_busy(builder: Any, worker: Any) -> bool:
    wfb = worker.workerforbuilders.get(builder.name)
    return wfb is not None and compat.runs_a_build(wfb)


async def _compatible(builder: Any, place: Any, breq: Any) -> bool | None:
    """Whether an instance that runs suits the request; None where nobody could tell."""
    if place is None or not place.worker.builds_may_be_incompatible:
        return None
    properties = Properties()
    await Build.setup_properties_known_before_build_starts(properties, [breq], builder, place)
    return bool(await place.worker.isCompatibleWithBuild(properties))
