# SPDX-License-Identifier: GPL-2.0-or-later
"""Engine: asks the policy about one request and all workers of its builder."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from random import Random
from typing import Any

import attrs
from buildbot.process.build import Build
from buildbot.process.properties import Properties

from buildbot_balancer.availability.standing import Rules
from buildbot_balancer.availability.text import describe
from buildbot_balancer.log import failed
from buildbot_balancer.log import say
from buildbot_balancer.master import compat
from buildbot_balancer.master import locks
from buildbot_balancer.master.fleet import FACTS
from buildbot_balancer.master.fleet import GONE
from buildbot_balancer.master.fleet import LOAD
from buildbot_balancer.master.fleet import Fleet
from buildbot_balancer.master.settings import Settings
from buildbot_balancer.master.views import request_view
from buildbot_balancer.master.views import worker_view
from buildbot_balancer.master.wakes import Wakes
from buildbot_balancer.policy.decision import Decision
from buildbot_balancer.policy.ranking import Ranking
from buildbot_balancer.policy.verdict import Answer
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

KEPT_DECISIONS = 1000
GATE = 'gate'  # a fact, as those of the fleet are
# Facts whose changes wake every builder that has the worker, also one that is being looked at.
SURELY_HEARD = {'builds', 'mood', 'time'}
NAME = 'balancer'  # of the service


@attrs.frozen(eq=False)
class Outlook:
    """Where one request could start at `at`."""

    request: RequestView
    ranking: Ranking
    places: Mapping[str, Any]  # WorkerForBuilders that are free now, by worker's name
    at: float


class Engine:
    """`random` decides between equals; `reactor` is the clock."""

    def __init__(
        self, master: Any, reactor: Any, fleet: Fleet, wakes: Wakes | None, random: Random
    ) -> None:
        self.settings = Settings()
        self.fleet = fleet
        self.decisions: OrderedDict[int, Decision] = OrderedDict()  # the last one of each request
        self._master = master
        self._reactor = reactor
        self._wakes = wakes
        self._random = random
        self._logged: set[tuple[str, str]] = set()
        self._reasons: dict[str, tuple[Any, ...]] = {}  # why requests wait, by builder

    def now(self) -> float:
        return float(self._reactor.seconds())

    async def outlook(self, builder: Any, breq: Any) -> Outlook:
        """Ranks all workers of the builder for one request."""
        places = {wfb.worker.workername: wfb for wfb in builder.getAvailableWorkers()}
        real = await locks.real_locks(builder)
        request = request_view(breq, builder, self.now())
        workers = []
        for worker in self._workers(builder, places):
            name = worker.workername
            place = places.get(name)
            workers.append(
                worker_view(
                    worker,
                    self.fleet,
                    now=self.now(),
                    busy=_is_busy(builder, worker),
                    locks_held=locks.held(real, name) if place is not None else (),
                    compatible=await _compatible(builder, place, breq),
                )
            )
        return Outlook(request, self.rank(request, workers), places, self.now())

    def rank(self, request: RequestView, workers: list[WorkerView]) -> Ranking:
        policy = self.settings.policy_for(request.builder)
        ranking = policy.rank(request, workers, self.now(), self._random)
        for problem in ranking.problems:
            self._log_once(request.builder, problem.author, problem.error)
        return ranking

    def starts(self, decision: Decision) -> None:
        self._keep(decision)
        self._reasons.pop(decision.builder, None)
        say(decision.sentence)

    def is_explained(self, request: int) -> bool:
        """The reason why it waits was looked for not long ago."""
        last = self.decisions.get(request)
        return last is not None and self.now() - last.at < self.settings.recheck

    def waits(self, decision: Decision) -> None:
        """Keeps the reason, and arranges to be asked again when something named in it changes.

        The log gets a line when the reason of a builder's requests is another one than before.
        """
        self._keep(decision)
        reason = (decision.note, tuple(sorted((n, v.code) for n, v in decision.verdicts.items())))
        if self._reasons.get(decision.builder) != reason:
            self._reasons[decision.builder] = reason
            say(decision.sentence)
        self._arrange(decision.builder, decision.at, decision.verdicts, unnamed=bool(decision.note))

    def _arrange(
        self, builder: str, at: float, verdicts: Mapping[str, Verdict], *, unnamed: bool
    ) -> None:
        if self._wakes is None:
            return
        for name, verdict in verdicts.items():
            if verdict.fact in {LOAD, FACTS, GATE}:
                self._wakes.on(verdict.fact, name, builder)
            elif verdict.fact == 'peers':
                for peer in verdict.who:
                    self._wakes.on(GONE, peer, builder)
        moments = [v.again_at for v in verdicts.values() if v.again_at is not None]
        if unnamed or any(_may_change_unheard(v) for v in verdicts.values()):
            moments.append(at + self.settings.recheck)
        if moments:
            self._wakes.at(builder, min(moments))

    def watch(self, outlook: Outlook) -> None:
        """As `waits`, for a builder whose own chooser asked and may not start it."""
        request = outlook.request
        self._arrange(request.builder, outlook.at, outlook.ranking.verdicts, unnamed=False)

    def _workers(self, builder: Any, places: Mapping[str, Any]) -> list[Any]:
        found = {name: wfb.worker for name, wfb in places.items()}
        for name in builder.config.workernames:
            worker = None if name in found else compat.worker_named(self._master, name)
            if worker is not None:
                found[name] = worker
        return list(found.values())

    def _keep(self, decision: Decision) -> None:
        self.decisions.pop(decision.request, None)
        self.decisions[decision.request] = decision
        while len(self.decisions) > KEPT_DECISIONS:
            self.decisions.popitem(last=False)

    def _log_once(self, builder: str, author: str, error: Exception) -> None:
        """With its traceback; each author and error once, not for each worker of each pass."""
        key = (author, describe(error))
        if key in self._logged or len(self._logged) >= KEPT_DECISIONS:
            return
        self._logged.add(key)
        failed(compat.failure_of(error), f'from {author} in the policy of builder {builder}')


def for_master(master: Any) -> Engine:
    """The engine of the master's Balancer; without one, the default policy on what there is."""
    balancer = compat.service_named(master, NAME)
    if balancer is not None and balancer.engine is not None:
        engine: Engine = balancer.engine
        return engine
    fleet = Fleet(master, master.reactor, Rules(), _ignore)
    return Engine(master, master.reactor, fleet, None, Random())


def _may_change_unheard(verdict: Verdict) -> bool:
    """Code that names no fact may say something else at any time; and while one builder is looked
    at, a fact may change that it is not registered for yet.
    """
    return verdict.answer is not Answer.NEVER and verdict.fact not in SURELY_HEARD


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
