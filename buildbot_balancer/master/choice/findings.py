# SPDX-License-Identifier: GPL-2.0-or-later
"""Findings: what keeps a request waiting, found without an attempt to start it."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import attrs

from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.text import describe
from buildbot_balancer.master import compat
from buildbot_balancer.master.choice.attempt import Attempt
from buildbot_balancer.master.choice.engine import Engine
from buildbot_balancer.master.choice.engine import Outlook
from buildbot_balancer.master.choice.obstacles import in_the_way
from buildbot_balancer.master.choice.views import worker_view
from buildbot_balancer.policy.decision import Decision
from buildbot_balancer.policy.filters import Connected
from buildbot_balancer.policy.filters import HasCapacity
from buildbot_balancer.policy.filters import LocksFree
from buildbot_balancer.policy.filters import Willing
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.verdict import Answer
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import WorkerView

NOTE = 300  # characters
ALSO = 2  # more reasons of one worker
# What holds for a builder that is not served: Buildbot's own rules, and the owner's word.
BINDING = Policy([Connected(), Willing(), HasCapacity(), LocksFree()], [])


class Findings:
    def __init__(self, master: Any, engine: Engine) -> None:
        self._master = master
        self._engine = engine

    async def say(
        self,
        builder: Any,
        breq: Any,
        verdicts: Mapping[str, Verdict],
        note: str,
        outlook: Outlook | None = None,
    ) -> str:
        """Keeps the reason; returns the note, to which a deadlock with a parent may have come."""
        decision = await self._decide(builder, breq, verdicts, note, outlook)
        self._engine.decisions.waits(decision)
        return decision.note

    async def look(self, builder: Any, breq: Any) -> Decision:
        """At all workers of the builder; the result is not kept."""
        try:
            outlook = await self._engine.outlook(builder, breq)
            if self._engine.settings.serves(builder.name):
                attempt = Attempt(self._engine, builder, breq, outlook, builder.canStartBuild)
                verdicts = attempt.verdicts()
            else:
                verdicts = self._binding(builder, outlook)
            return await self._decide(builder, breq, verdicts, '', outlook, closely=True)
        except Exception as e:
            self._engine.complaints.about(f'the choice for builder {builder.name}', e)
            return Decision(
                request=breq.id,
                builder=builder.name,
                at=self._engine.now(),
                note=clean(f'its choice failed: {describe(e)}', NOTE),
            )

    async def _decide(
        self,
        builder: Any,
        breq: Any,
        verdicts: Mapping[str, Verdict],
        note: str,
        outlook: Outlook | None,
        *,
        closely: bool = False,
    ) -> Decision:
        deadlock = None
        if not note:
            able = [name for name, one in verdicts.items() if one.answer is not Answer.NEVER]
            deadlock = await self._engine.parents.deadlock(builder, breq, able)
            note = deadlock.sentence if deadlock is not None else ''
        workers = len(self._workers(builder))
        decision = Decision.of(
            verdicts,
            request=breq.id,
            builder=builder.name,
            at=self._engine.now(),
            workers=workers,
            able=max(workers - len(verdicts), 0) if closely else 0,
            locks=() if outlook is None else in_the_way(outlook),
            stuck=deadlock is not None,
            note=clean(note, NOTE),
        )
        if not closely or outlook is None:
            return decision
        return attrs.evolve(decision, also=self._also(builder, outlook, decision))

    def _binding(self, builder: Any, outlook: Outlook) -> dict[str, Verdict]:
        found = {}
        for view in self._views(builder, outlook, self._workers(builder)):
            first = next(BINDING.refusals(outlook.request, view, outlook.at), None)
            if first is not None:
                found[view.name] = first
        return found

    def _also(
        self, builder: Any, outlook: Outlook, decision: Decision
    ) -> dict[str, tuple[Verdict, ...]]:
        """What the filters behind the first one that refused have to say."""
        served = self._engine.settings.serves(builder.name)
        policy = self._engine.settings.policy_for(builder.name) if served else BINDING
        found = {}
        for view in self._views(builder, outlook, decision.verdicts):
            code = decision.verdicts[view.name].code
            more = [
                one
                for one in policy.refusals(outlook.request, view, outlook.at)
                if one.code != code
            ]
            if more:
                found[view.name] = tuple(more[:ALSO])
        return found

    def _views(self, builder: Any, outlook: Outlook, names: Iterable[str]) -> Iterator[WorkerView]:
        for name in names:
            worker = compat.worker_named(self._master, name)
            if worker is None:
                continue
            wfb = worker.workerforbuilders.get(builder.name)
            yield worker_view(
                worker,
                self._engine.fleet,
                now=outlook.at,
                busy=wfb is not None and compat.runs_a_build(wfb),
                locks_held=tuple(lock.lockName for lock, _ in outlook.missing.get(name, ())),
            )

    def _workers(self, builder: Any) -> list[str]:
        """Of the config, those that there are."""
        names = dict.fromkeys(builder.config.workernames)
        return [name for name in names if compat.worker_named(self._master, name) is not None]
