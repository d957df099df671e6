# SPDX-License-Identifier: GPL-2.0-or-later
"""Explainer: says why a request waits, also where nobody has looked at it, for a bounded cost."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from twisted.internet import defer

from buildbot_balancer.availability.text import clean
from buildbot_balancer.log import failed
from buildbot_balancer.master.attempt import Attempt
from buildbot_balancer.master.backlog import Backlog
from buildbot_balancer.master.engine import Engine
from buildbot_balancer.policy.decision import Decision
from buildbot_balancer.policy.verdict import Answer
from buildbot_balancer.policy.verdict import Verdict

AT_ONCE = 3000.0  # workers that are asked about for explanations alone
A_SECOND = 300.0  # in the long run: some hundredths of the time of a processor
SOON = 0.02  # seconds: most requests start before anybody could ask


class Explainer:
    """`heads()`: (builder, request) of those that are next of their builder and wait."""

    def __init__(self, master: Any, reactor: Any, engine: Engine, backlog: Backlog) -> None:
        self._master = master
        self._reactor = reactor
        self._engine = engine
        self._backlog = backlog
        self._left = AT_ONCE
        self._left_at = reactor.seconds()
        self._timer: Any = None
        self._explaining: defer.Deferred[None] | None = None

    async def say(self, builder: Any, breq: Any, verdicts: Mapping[str, Verdict], note: str) -> str:
        """Keeps the reason; returns the note, to which a deadlock with a parent may have come."""
        if not note:
            able = [name for name, one in verdicts.items() if one.answer is not Answer.NEVER]
            deadlock = await self._engine.parents.deadlock(builder, breq, able)
            note = deadlock.sentence if deadlock is not None else ''
        self._engine.decisions.waits(
            Decision.of(
                verdicts,
                request=breq.id,
                builder=builder.name,
                at=self._engine.now(),
                note=clean(note, 300),
            )
        )
        return note

    def soon(self, heads: Any) -> None:
        """Of those that nobody has explained lately."""
        busy = self._explaining is not None or (self._timer is not None and self._timer.active())
        if not busy:
            self._timer = self._reactor.callLater(SOON, self._begin, heads)

    def stop(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._explaining is not None:
            self._explaining.cancel()

    def _begin(self, heads: Any) -> None:
        self._explaining = defer.ensureDeferred(self._explain_all(heads()))
        self._explaining.addErrback(lambda failure: failure.trap(defer.CancelledError) and None)
        self._explaining.addErrback(failed, 'explaining why requests wait')
        self._explaining.addBoth(self._ended)

    def _ended(self, _: Any) -> None:
        self._explaining = None

    async def _explain_all(self, heads: Iterable[tuple[str, int]]) -> None:
        for name, request in list(heads):
            builder = self._master.botmaster.builders.get(name)
            pending = self._backlog.get(request)
            if builder is None or pending is None or self._is_recent(request):
                continue
            if not self._may_cost(len(builder.config.workernames)):
                return
            breq = await self._backlog.breq(pending)
            if breq is not None:
                await self._explain(builder, breq)

    async def _explain(self, builder: Any, breq: Any) -> None:
        outlook = await self._engine.outlook(builder, breq)
        attempt = Attempt(self._engine, builder, breq, outlook, builder.canStartBuild)
        looked_at = self._is_recent(breq.id)  # meanwhile, and more closely
        if self._backlog.get(breq.id) is not None and not looked_at:
            await self.say(builder, breq, attempt.verdicts(), '')

    def _is_recent(self, request: int) -> bool:
        return self._engine.decisions.is_recent(request, self._engine.settings.recheck)

    def _may_cost(self, workers: int) -> bool:
        now = self._reactor.seconds()
        self._left = min(AT_ONCE, self._left + (now - self._left_at) * A_SECOND)
        self._left_at = now
        if self._left < min(workers, AT_ONCE):
            return False
        self._left -= workers
        return True
