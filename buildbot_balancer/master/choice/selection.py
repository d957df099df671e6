# SPDX-License-Identifier: GPL-2.0-or-later
"""Selection: a place for one request, or why there is none.

Of few workers the policy is asked about all, of many only about the best by kept opinions, one
after the other until one takes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from typing import Callable

import attrs

from buildbot_balancer.master import compat
from buildbot_balancer.master.choice.attempt import Attempt
from buildbot_balancer.master.choice.candidates import Candidates
from buildbot_balancer.master.choice.candidates import compares_workers
from buildbot_balancer.master.choice.engine import Engine
from buildbot_balancer.master.choice.engine import Outlook
from buildbot_balancer.master.choice.opinions import Opinions
from buildbot_balancer.master.choice.views import request_view
from buildbot_balancer.master.choice.views import worker_view
from buildbot_balancer.master.locks.reservations import Pair
from buildbot_balancer.policy.decision import Decision
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import WorkerView

FEW = 30  # workers


@attrs.define(eq=False)
class Choice:
    """`place` None: `verdicts` say of each worker that was asked why it did not take it.

    `full`: workers that take nothing now, `shut`: that take nothing of this builder.
    """

    place: Any = None
    decision: Decision | None = None
    outlook: Outlook | None = None  # the last one
    missing: dict[str, list[Pair]] = attrs.field(factory=dict)  # locks, by worker
    verdicts: dict[str, Verdict] = attrs.field(factory=dict)
    note: str = ''
    full: set[str] = attrs.field(factory=set)
    shut: set[str] = attrs.field(factory=set)


class Selection:
    """`guard(place)` is called before a WorkerForBuilder is asked whether it is free."""

    def __init__(
        self, master: Any, engine: Engine, opinions: Opinions, guard: Callable[[Any], None]
    ) -> None:
        self._master = master
        self._engine = engine
        self._opinions = opinions
        self._guard = guard
        self._candidates = Candidates(opinions, self._view, engine.random)

    def preselect(self, builder: Any, workers: Iterable[str], choice: Choice) -> list[str]:
        """Those that are worth asking; no request is needed for that."""
        policy = self._engine.settings.policy_for(builder.name)
        found = [name for name in workers if self._opinions.of(policy, name).passes]
        choice.shut.update(set(workers).difference(found))
        if self._asks_all(builder, found):
            return [name for name in found if self._has_place(builder, name, choice)]
        return found

    async def choose(self, builder: Any, breq: Any, workers: list[str], choice: Choice) -> None:
        """`workers`: the ones that were preselected."""
        if self._asks_all(builder, workers):
            await self._attempt(builder, breq, None, workers, choice)
            return
        policy = self._engine.settings.policy_for(builder.name)
        request, now = request_view(breq, builder, self._engine.now()), self._engine.now()
        for name in self._candidates.best_first(policy, workers, request, now):
            if not self._has_place(builder, name, choice):
                continue
            await self._attempt(builder, breq, (name,), (name,), choice)
            if choice.place is not None:
                return

    def _hook(self, builder: Any) -> Any:
        return builder.config.nextWorker or self._master.config.select_next_worker

    def _asks_all(self, builder: Any, workers: list[str]) -> bool:
        policy = self._engine.settings.policy_for(builder.name)
        few = len(workers) <= FEW
        return few or self._hook(builder) is not None or compares_workers(policy)

    def is_shut(self, builder: Any, worker: str) -> bool:
        """It takes nothing of this builder now, whatever the request."""
        policy = self._engine.settings.policy_for(builder.name)
        self._opinions.forget(worker)
        return not self._opinions.of(policy, worker).passes

    def _view(self, name: str) -> WorkerView | None:
        worker = compat.worker_named(self._master, name)
        if worker is None:
            return None
        return worker_view(worker, self._engine.fleet, now=self._engine.now(), busy=False)

    def _has_place(self, builder: Any, name: str, choice: Choice) -> bool:
        worker = compat.worker_named(self._master, name)
        place = None if worker is None else compat.place_of(builder, worker)
        if place is not None:
            self._guard(place)
        if place is not None and place.isAvailable():
            return True
        if place is not None and not place.isBusy():
            choice.full.add(name)
        choice.shut.add(name)
        return False

    async def _attempt(
        self,
        builder: Any,
        breq: Any,
        only: tuple[str, ...] | None,
        open_: Iterable[str],
        choice: Choice,
    ) -> None:
        outlook = await self._engine.outlook(builder, breq, only)
        # the policy is asked about all, so that all is explained; who has refused is not tried
        places = {name: outlook.places[name] for name in open_ if name in outlook.places}
        outlook = attrs.evolve(outlook, places=places)
        hook = self._hook(builder)
        attempt = Attempt(self._engine, builder, breq, outlook, builder.canStartBuild, hook)
        choice.place = await attempt.run()
        choice.outlook = outlook
        choice.note = attempt.note
        if choice.place is None:
            choice.verdicts.update(attempt.verdicts())
            for name in outlook.places:
                choice.missing[name] = outlook.missing[name] or outlook.wanted.missing(name)
        else:
            name = choice.place.worker.workername
            choice.decision = attempt.decision(name)
