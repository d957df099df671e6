# SPDX-License-Identifier: GPL-2.0-or-later
"""Look: to start one request, or to find out what has to change before it is looked at again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from buildbot_balancer.master.choice.engine import LOCK
from buildbot_balancer.master.choice.engine import Engine
from buildbot_balancer.master.choice.engine import first_in_the_way
from buildbot_balancer.master.choice.engine import shared_in_the_way
from buildbot_balancer.master.choice.reasons import needed_everywhere
from buildbot_balancer.master.choice.reasons import reason_for
from buildbot_balancer.master.choice.selection import Choice
from buildbot_balancer.master.choice.selection import Selection
from buildbot_balancer.master.distribution.barriers import in_the_way
from buildbot_balancer.master.distribution.lane import Lane
from buildbot_balancer.master.distribution.parking import Reason
from buildbot_balancer.master.distribution.releases import Releases
from buildbot_balancer.master.distribution.rows import Obstacle
from buildbot_balancer.master.locks.reservations import Pair
from buildbot_balancer.master.requests.backlog import Backlog
from buildbot_balancer.master.requests.pending import Pending
from buildbot_balancer.master.sight.explainer import Explainer
from buildbot_balancer.master.starts.starter import Started
from buildbot_balancer.master.starts.starter import Starter
from buildbot_balancer.policy.verdict import Verdict

SOON = 5.0  # seconds after which a database that failed is asked again


@attrs.define(eq=False)
class Outcome:
    """`full`: workers that take nothing now. `shut`: that take nothing of this lane. `parked`: the
    requests that cannot start, and why. `barred`: locks that all requests of the builder need.
    """

    full: set[str] = attrs.field(factory=set)
    shut: set[str] = attrs.field(factory=set)
    parked: dict[int, Reason] = attrs.field(factory=dict)
    barred: list[Pair] = attrs.field(factory=list)


class Look:
    """At one request of a lane, on the workers that may have a place for it."""

    def __init__(
        self,
        master: Any,
        engine: Engine,
        backlog: Backlog,
        selection: Selection,
        starter: Starter,
        releases: Releases,
        explainer: Explainer,
    ) -> None:
        self._master = master
        self._engine = engine
        self._backlog = backlog
        self._selection = selection
        self._starter = starter
        self.releases = releases
        self._explainer = explainer

    def timed(self) -> Any:
        return self._engine.timed()

    async def at(
        self,
        lane: Lane,
        first: Pending,
        workers: list[str],
        waiting: Iterable[int],
    ) -> Outcome:
        """`waiting`: the requests of the builder that could be next, for its ``nextBuild``."""
        outcome, choice = Outcome(), Choice()
        builder = self._master.botmaster.builders.get(lane.builder)
        if builder is None:  # a reconfig takes it away just now
            outcome.shut.update(workers)
            return outcome
        open_ = self._selection.preselect(builder, workers, choice)
        if open_:
            breq = await self._request(builder, first, waiting)
            if breq is None:
                if self._backlog.get(first.id) is not None:  # nextBuild wants none
                    outcome.shut.update(workers)
                return outcome
            await self._selection.choose(builder, breq, open_, choice)
            if choice.place is None and choice.outlook is None:  # none has a place
                outcome.full, outcome.shut = choice.full, choice.shut
                return outcome
            await self._settle(builder, lane, breq, choice, outcome, open_)
        outcome.full |= choice.full
        outcome.shut |= choice.shut
        return outcome

    async def _request(self, builder: Any, first: Pending, waiting: Iterable[int]) -> Any:
        """The first one, or the one that the builder's own ``nextBuild`` prefers."""
        if not builder.config.nextBuild:
            return await self._backlog.breq(first)
        known = [self._backlog.get(request) for request in sorted(waiting)]
        breqs = [await self._backlog.breq(one) for one in known if one is not None]
        breqs = [one for one in breqs if one is not None]
        try:
            chosen = await self._engine.calls.ask(builder.config.nextBuild, builder, breqs)
        except Exception as e:  # the first one is next
            self._engine.complaints.about(f'nextBuild of builder {builder.name}', e)
            return await self._backlog.breq(first)
        return chosen if chosen in breqs else None

    async def _settle(
        self,
        builder: Any,
        lane: Lane,
        breq: Any,
        choice: Choice,
        outcome: Outcome,
        asked: list[str],
    ) -> None:
        if choice.place is not None:
            worker = choice.place.worker.workername
            if choice.decision is not None:
                self._engine.decisions.propose(choice.decision)
            started = await self._starter.start(choice.place, breq)
            if started is Started.NOT_NOW:
                outcome.shut.add(worker)
            elif started is Started.LATER:
                outcome.parked[breq.id] = Reason(at=self._engine.now() + SOON)
            return
        shut = {name for name in asked if self._selection.is_shut(builder, name)} | choice.shut
        choice.shut |= shut
        left = {name: choice.verdicts.get(name) for name in asked if name not in shut}
        verdicts, outlook = choice.verdicts, choice.outlook
        note = await self._explainer.say(builder, breq, verdicts, choice.note, outlook)
        outcome.barred = needed_everywhere(choice, left)
        for real, access in outcome.barred:
            for name in in_the_way(real, access, left):
                del left[name], choice.missing[name]  # in no line: nobody would look at it then
        self._line_up(builder, choice, note)
        if left:
            outcome.parked[breq.id] = self._wait(lane, choice, left)

    def _wait(self, lane: Lane, choice: Choice, left: dict[str, Verdict | None]) -> Reason:
        """What stands in the way on workers that would take the request."""
        assert choice.outlook is not None  # noqa: S101
        request = choice.outlook.wanted.request
        reason = reason_for(lane, choice, left, self._recheck_at())
        obstacles: list[Obstacle] = []
        for name, verdict in left.items():
            if verdict is None or verdict.fact != LOCK:
                continue
            for lock, access in choice.missing.get(name, ()):
                one = Obstacle(lock, access, request)
                if one.is_open and id(lock) not in choice.outlook.doubled:  # since we looked
                    reason = attrs.evolve(reason, at=self._engine.now())
                else:
                    obstacles.append(one)
        return attrs.evolve(reason, locks=tuple(obstacles))

    def _line_up(self, builder: Any, choice: Choice, note: str) -> None:
        """Its turn in the line of a lock, if it waits for that alone."""
        if choice.outlook is None:
            return
        wanted = choice.outlook.wanted
        self.releases.awake(wanted.request.id)
        if self._backlog.get(wanted.request.id) is None:  # another master has it by now, say
            self._engine.lines.leave(wanted.request.id)
            return
        firsts = first_in_the_way(choice.missing, choice.verdicts, choice.outlook.doubled)
        shared = [] if note else shared_in_the_way(choice.missing, choice.verdicts, wanted)
        firsts = [] if note else firsts
        self._engine.lines.wait(wanted.request, builder.name, firsts, shared)

    def _recheck_at(self) -> float:
        return self._engine.now() + self._engine.settings.recheck
