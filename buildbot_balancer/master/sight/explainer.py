# SPDX-License-Identifier: GPL-2.0-or-later
"""Explainer: says why a request waits, also where nobody has looked at it, for a bounded cost."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from twisted.internet import defer

from buildbot_balancer.log import failed
from buildbot_balancer.master.choice.engine import Engine
from buildbot_balancer.master.choice.engine import Outlook
from buildbot_balancer.master.choice.findings import Findings
from buildbot_balancer.master.distribution.budget import Budget
from buildbot_balancer.master.requests.backlog import Backlog
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
        self._findings = Findings(master, engine)
        self._budget = Budget(reactor.seconds, AT_ONCE, A_SECOND)
        self._timer: Any = None
        self._explaining: defer.Deferred[None] | None = None

    async def say(
        self,
        builder: Any,
        breq: Any,
        verdicts: Mapping[str, Verdict],
        note: str,
        outlook: Outlook | None = None,
    ) -> str:
        """Keeps the reason; returns the note, to which a deadlock with a parent may have come."""
        return await self._findings.say(builder, breq, verdicts, note, outlook)

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
            if not self._budget.may_spend(len(builder.config.workernames)):
                return
            breq = await self._backlog.breq(pending)
            if breq is not None:
                await self._explain(builder, breq)

    async def _explain(self, builder: Any, breq: Any) -> None:
        decision = await self._findings.look(builder, breq)
        looked_at = self._is_recent(breq.id)  # meanwhile, and more closely
        if self._backlog.get(breq.id) is not None and not looked_at:
            self._engine.decisions.waits(decision)

    def _is_recent(self, request: int) -> bool:
        return self._engine.decisions.is_recent(request, self._engine.settings.recheck)
