# SPDX-License-Identifier: GPL-2.0-or-later
"""BalancedBuildChooser: Buildbot's chooser, with the policy in the place of chance."""

from __future__ import annotations

from typing import Any

from buildbot.process.buildrequestdistributor import BasicBuildChooser
from twisted.internet import defer

from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.text import describe
from buildbot_balancer.master import compat
from buildbot_balancer.master.choice import engine
from buildbot_balancer.master.choice.attempt import Attempt
from buildbot_balancer.policy.decision import Decision


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
            with self._engine.timed():
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
            outlook = await self._engine.outlook(self.bldr, breq)
            attempt = Attempt(
                self._engine, self.bldr, breq, outlook, self.canStartBuild, self._hook
            )
            place = await attempt.run()
            if place is None:
                await attempt.look_at_parents()
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
