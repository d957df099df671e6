# SPDX-License-Identifier: GPL-2.0-or-later
"""PendingSights: requests that wait, each with its reason."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any
from typing import Callable

import attrs

from buildbot_balancer.availability.text import clean
from buildbot_balancer.explain import request as words
from buildbot_balancer.explain.about import About
from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.explain.sights import LockSight
from buildbot_balancer.explain.sights import RequestSight
from buildbot_balancer.explain.verdicts import contradicted
from buildbot_balancer.explain.verdicts import counts
from buildbot_balancer.master import compat
from buildbot_balancer.master.choice.engine import Engine
from buildbot_balancer.master.choice.findings import Findings
from buildbot_balancer.master.distribution.roll import Listing
from buildbot_balancer.master.workers.people import about
from buildbot_balancer.policy.decision import Decision

LOOKED_AT = 200  # decisions of looks that were made because somebody asked
NAME = 60  # characters


@attrs.frozen(eq=False)
class _Scene:
    """What is looked up once for a page."""

    listing: Listing
    paused: dict[str, BuilderSight]
    abouts: dict[str, About] = attrs.field(factory=dict)
    locks: dict[tuple[str, str], LockSight | None] = attrs.field(factory=dict)
    first: dict[str, str] = attrs.field(factory=dict)  # why the first of a builder waits


class PendingSights:
    """`lock(name, group)` and `builders()` as in Sight."""

    def __init__(
        self,
        master: Any,
        engine: Engine,
        lock: Callable[[str, str], list[LockSight]],
        builders: Callable[[], list[BuilderSight]],
    ) -> None:
        self._master = master
        self._engine = engine
        self._lock = lock
        self._builders = builders
        self._findings = Findings(master, engine)
        self._looked_at: OrderedDict[int, Decision] = OrderedDict()

    def of(self, listing: Listing, requests: Iterable[int]) -> list[RequestSight]:
        """Those of them that still wait, by what has been recorded."""
        scene = self._scene(listing)
        found = (self._one(scene, request) for request in requests)
        return [one for one in found if one is not None]

    def needs_look(self, listing: Listing, request: int) -> bool:
        """What has been recorded is nothing, or may be out of date, or is not all."""
        decision = self._decision(request)
        if decision is None or decision.unasked:
            return True
        if 'lock' in decision.reasons and request not in self._looked_at:
            return True  # what else keeps it away was not asked when it was to start
        now = self._engine.now()
        if now - decision.at > self._engine.settings.recheck:
            return True
        return contradicted(decision, self._abouts(self._scene(listing), decision), now)

    async def look(self, builder: Any, breq: Any) -> None:
        decision = await self._findings.look(builder, breq)
        self._looked_at[breq.id] = decision
        self._looked_at.move_to_end(breq.id)
        if len(self._looked_at) > LOOKED_AT:
            self._looked_at.popitem(last=False)

    def _scene(self, listing: Listing) -> _Scene:
        return _Scene(listing, {one.name: one for one in self._builders() if one.paused})

    def _one(self, scene: _Scene, request: int) -> RequestSight | None:
        pending = scene.listing.pending(request)
        builder = scene.listing.builder_of(request)
        if pending is None or builder is None:
            return None
        case = self._case(scene, request, builder)
        place = scene.listing.places[request]
        return RequestSight(
            buildrequestid=request,
            builderid=pending.builderid,
            buildername=clean(builder, NAME),
            priority=pending.priority,
            submitted_at=float(pending.submitted_at),
            position=place + 1,
            state=case.state,
            reason=case.reason,
            verdicts=() if case.decision is None else counts(case.decision),
        )

    def _case(self, scene: _Scene, request: int, builder: str) -> words.Waiting:
        decision = self._decision(request)
        return words.Waiting(
            builder=builder,
            now=self._engine.now(),
            decision=decision,
            abouts={} if decision is None else self._abouts(scene, decision),
            locks=() if decision is None else self._locks(scene, decision),
            recheck=self._engine.settings.recheck,
            before=self._before(scene, request, builder) if decision is None else None,
            paused=scene.paused.get(builder),
            served=self._engine.settings.serves(builder),
        )

    def _decision(self, request: int) -> Decision | None:
        """The newer one; but a look that found a worker free has not tried to start it there."""
        recorded = self._engine.decisions.get(request)
        if recorded is not None and recorded.worker is not None:  # of a build that is over
            recorded = None
        looked_at = self._looked_at.get(request)
        if recorded is None or looked_at is None:
            return recorded or looked_at
        if looked_at.able or recorded.at >= looked_at.at:
            return recorded
        return looked_at

    def _before(self, scene: _Scene, request: int, builder: str) -> words.Before | None:
        first = scene.listing.first_of(builder)
        if first is None or first == request:
            return None
        if builder not in scene.first:
            case = self._case(scene, first, builder)
            scene.first[builder] = '' if case.decision is None else case.reason
        count = scene.listing.before(request)
        return words.Before(request=first, count=count, reason=scene.first[builder])

    def _abouts(self, scene: _Scene, decision: Decision) -> dict[str, About]:
        found = {}
        for name in decision.verdicts:
            known = scene.abouts.get(name)
            if known is None:
                worker = compat.worker_named(self._master, name)
                if worker is None:
                    continue
                known = scene.abouts[name] = about(worker, self._engine.fleet)
            found[name] = known
        return found

    def _locks(self, scene: _Scene, decision: Decision) -> tuple[LockSight, ...]:
        """Those of which something is known."""
        for key in decision.locks:
            if key not in scene.locks:
                scene.locks[key] = next(iter(self._lock(*key)), None)
        found = [scene.locks[key] for key in decision.locks]
        return tuple(one for one in found if one is not None)
