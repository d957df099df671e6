# SPDX-License-Identifier: GPL-2.0-or-later
"""BalancedBuildChooser: Buildbot's chooser, with the policy in the place of chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from buildbot.process.buildrequestdistributor import BasicBuildChooser
from twisted.internet import defer

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.text import describe
from buildbot_balancer.locks.requester import ASKING
from buildbot_balancer.master import compat
from buildbot_balancer.master import engine
from buildbot_balancer.master.complaints import Complaints
from buildbot_balancer.policy.decision import Decision
from buildbot_balancer.policy.ranking import Ranking
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView


class BalancedBuildChooser(BasicBuildChooser):  # type: ignore[misc]  # Buildbot has no types
    """One pass over one builder: pairs of a worker and a request until none is left.

    A request that cannot start never stops the ones behind it, and each is ranked afresh.
    Buildbot's own `canStartBuild` has the last word on every pair.
    """

    def __init__(self, bldr: Any, master: Any, brain: engine.Engine | None = None) -> None:
        super().__init__(bldr, master)
        self._engine = brain or engine.for_master(master)
        self._hook = bldr.config.nextWorker or master.config.select_next_worker
        self._engine.reservations.end_unbegun(bldr.name)

    def popNextBuild(self) -> defer.Deferred[tuple[Any, Any]]:
        """(WorkerForBuilder, BuildRequest), or (None, None) at the end of the pass."""
        return defer.ensureDeferred(self._pop_next_build())

    async def _pop_next_build(self) -> tuple[Any, Any]:
        self._engine.reservations.end_unbegun(self.bldr.name)  # what was popped before
        while True:
            breq = await self._next_request()
            if breq is None:
                return None, None
            anybody = bool(self.bldr.getAvailableWorkers())
            if not anybody:
                self._engine.lines.keep_only(self.bldr.name)
            if not anybody and self._is_explained(breq):
                return None, None
            # either it starts now, or it is left for the next pass
            self._removeBuildRequest(breq)
            place = await self._place(breq)
            if place is not None:
                return place, breq
            if not anybody:  # nor for the requests behind it
                return None, None

    async def _next_request(self) -> Any:
        fetched = self.unclaimedBrdicts is not None
        await self._fetchUnclaimedBrdicts()
        rows = compat.unclaimed(self.unclaimedBrdicts)
        if not fetched:
            requests = (row['buildrequestid'] for row in rows)
            self._engine.lines.keep_only(self.bldr.name, requests)
        if not rows:
            return None
        if self.nextBuild:
            try:
                return await self._ask_next_build()
            except Exception as e:  # the oldest of the highest priority is next
                self._engine.complaints.about(f'nextBuild of builder {self.bldr.name}', e)
        # sorted by id already, and the sort is stable: the oldest of the highest priority
        first = max(rows, key=lambda row: row['priority'])
        return await self._getBuildRequestForBrdict(first)

    async def _ask_next_build(self) -> Any:
        waiting = await self._getUnclaimedBuildRequests()
        chosen = await defer.maybeDeferred(self.nextBuild, self.bldr, waiting)
        return chosen if chosen in waiting else None

    async def _place(self, breq: Any) -> Any:
        """The WorkerForBuilder on which `breq` starts now; None: it waits."""
        try:
            attempt = _Attempt(self, breq, await self._engine.outlook(self.bldr, breq))
            place = await attempt.run()
            if place is None:
                verdicts = attempt.verdicts()
                self._engine.waits(attempt.decision(None), verdicts, attempt.outlook)
            else:
                self._engine.decisions.propose(attempt.decision(place.worker.workername))
        except Exception as e:
            self._engine.complaints.about(f'the choice for builder {self.bldr.name}', e)
            note = clean(f'its choice failed: {describe(e)}', 200)
            failed = Decision(
                request=breq.id, builder=self.bldr.name, at=self._engine.now(), note=note
            )
            self._engine.waits(failed, {})
            return None
        return place

    def _is_explained(self, breq: Any) -> bool:
        """The reason why it waits was looked for not long ago."""
        return self._engine.decisions.is_recent(breq.id, self._engine.settings.recheck)

    async def ask_next_worker(self, places: Sequence[Any], breq: Any) -> Any:
        """The builder's own `nextWorker`; None where it has none to say."""
        if self._hook is None:
            return places[0]
        chosen = await defer.maybeDeferred(self._hook, self.bldr, list(places), breq)
        return chosen if chosen in places else None


@attrs.define(eq=False)
class _Attempt:
    """To start one request: the ranked workers in turn, until Buildbot says yes to one."""

    chooser: BalancedBuildChooser
    breq: Any
    outlook: engine.Outlook
    note: str = ''
    refused: dict[str, Verdict] = attrs.field(factory=dict)

    @property
    def request(self) -> RequestView:
        return self.outlook.request

    @property
    def complaints(self) -> Complaints:
        return self.chooser._engine.complaints  # noqa: SLF001  one file, one pass

    @property
    def ranking(self) -> Ranking:
        return self.outlook.ranking

    async def run(self) -> Any:
        # a reluctant worker is tried when no eager one could start it, whatever the hook prefers
        for reluctant in (False, True):
            places = [
                self.outlook.places[one.worker.name]
                for one in self.ranking
                if (one.worker.mood is Mood.RELUCTANT) is reluctant
                and one.worker.name in self.outlook.places
            ]
            place = await self._first_that_can(places)
            if place is not None or self.note:
                return place
        return None

    async def _first_that_can(self, places: list[Any]) -> Any:
        while places:
            try:
                place = await self.chooser.ask_next_worker(places, self.breq)
            except Exception as e:
                self.complaints.about(f'nextWorker of builder {self.request.builder}', e)
                self.note = f'its nextWorker raised {describe(e)}'
                return None
            if place is None:
                self.note = f'its nextWorker chose none of {len(places)} workers'
                return None
            places.remove(place)
            if await self._can_start(place):
                return place
        return None

    async def _can_start(self, place: Any) -> bool:
        name = place.worker.workername
        # Buildbot asks for locks in nobody's name
        asking = ASKING.set(self.outlook.wanted.request)
        try:
            can = await defer.maybeDeferred(self.chooser.canStartBuild, place, self.breq)
        except Exception as e:
            self.complaints.about(f'canStartBuild of builder {self.request.builder}', e)
            said = f'makes canStartBuild raise {describe(e)}'
            self.refused[name] = Verdict.unknown('can-start-build', said, (name,))
            return False
        finally:
            ASKING.reset(asking)
        # while that was asked, the worker may have gone, filled up, or its owner said no
        missing = self.outlook.wanted.missing(name)
        if can and place.isAvailable():
            missing = self.chooser._engine.reserve(self.outlook, self.breq, place)  # noqa: SLF001
            if not missing:
                return True
        self.refused[name] = _refusal(name, [lock.lockName for lock, _ in missing])
        return False

    def verdicts(self) -> dict[str, Verdict]:
        """Of all workers that could not take it, by name."""
        found = {**self.ranking.verdicts, **self.refused}
        for one in self.ranking:
            name = one.worker.name
            if name not in self.outlook.places and name not in found:
                found[name] = Verdict.not_now(
                    'unavailable', 'is not available to Buildbot', (name,), fact='builds'
                )
        return found

    def decision(self, chosen: str | None) -> Decision:
        scored = {one.worker.name: one for one in self.ranking}
        best = scored.get(chosen) if chosen is not None else None
        verdicts = self.verdicts()
        return Decision.of(
            verdicts,
            request=self.request.id,
            builder=self.request.builder,
            at=self.outlook.at,
            worker=chosen,
            score=best.total if best is not None else None,
            parts=best.parts if best is not None else (),
            beaten=tuple(
                (name, one.total)
                for name, one in scored.items()
                if name != chosen and name not in verdicts
            ),
            note=clean(self.note, 200),
        )


def _refusal(worker: str, locks: list[str]) -> Verdict:
    if locks:
        names = ', '.join(locks)
        return Verdict.not_now('lock', f'would wait for {names}', tuple(locks), fact='lock')
    said = 'is refused by canStartBuild or its type'
    return Verdict.not_now('can-start-build', said, (worker,))
