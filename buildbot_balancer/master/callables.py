# SPDX-License-Identifier: GPL-2.0-or-later
"""The balancer's answer for builders that keep Buildbot's own chooser."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.master.choice import engine
from buildbot_balancer.policy.ranking import Ranking


def nextAvailableWorker(builder: Any, workers: list[Any], breq: Any) -> defer.Deferred[Any]:
    """``BuilderConfig(nextWorker=util.nextAvailableWorker)``: the best of `workers`, or None.

    None ends Buildbot's own pass over the builder, so it is said only where nobody may take it.
    """
    return defer.ensureDeferred(_best(builder, workers, breq))


def canStartWhenAvailable(builder: Any, wfb: Any, breq: Any) -> defer.Deferred[bool]:
    """``BuilderConfig(canStartBuild=util.canStartWhenAvailable)``: whether this worker may take
    the request now; a reluctant one only if no eager one of the builder can.
    """
    return defer.ensureDeferred(_may(builder, wfb, breq))


async def _best(builder: Any, workers: list[Any], breq: Any) -> Any:
    offered = {wfb.worker.workername: wfb for wfb in workers}
    for one in await _ranking(builder, breq):
        if one.worker.name in offered:
            return offered[one.worker.name]
    return None


async def _may(builder: Any, wfb: Any, breq: Any) -> bool:
    ranking = await _ranking(builder, breq)
    ranked = {one.worker.name: one.worker for one in ranking}
    mine = ranked.get(wfb.worker.workername)
    if mine is None:
        return False
    return mine.mood is not Mood.RELUCTANT or all(
        other.mood is Mood.RELUCTANT for other in ranked.values()
    )


async def _ranking(builder: Any, breq: Any) -> Ranking:
    brain = engine.for_master(builder.master)
    outlook = await brain.outlook(builder, breq)
    brain.watch(outlook)
    return outlook.ranking
