# SPDX-License-Identifier: GPL-2.0-or-later
"""Gauges: what Prometheus is told of this moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.master import compat
from buildbot_balancer.master.choice.decisions import Decisions
from buildbot_balancer.master.distribution.roll import Distributed
from buildbot_balancer.master.sight.measures import Gauge
from buildbot_balancer.master.workers.fleet import Fleet

QUEUED = 'queued'  # nobody has looked at it yet, or that is long ago
NOTED = 'other'  # the reason is none of a worker's


class Gauges:
    """`distributed()` None: only requests that were looked at are counted."""

    def __init__(self, master: Any, fleet: Fleet, decisions: Decisions, distributed: Any) -> None:
        self._master = master
        self._fleet = fleet
        self._decisions = decisions
        self._distributed = distributed

    def all(self) -> Iterator[Gauge]:
        yield Gauge('waiting_requests', 'Requests that wait, by reason', 'code', self._waiting)
        yield Gauge('workers', 'Workers of the config, by mood', 'mood', self._moods)
        yield Gauge('running_builds', 'Builds that run, or are about to start', '', self._running)
        yield Gauge('report_age_seconds', 'Since the last report', 'worker', self._ages)

    def _waiting(self) -> dict[str, float]:
        known = {one.request: one for one in self._decisions.values() if one.worker is None}
        ours: Distributed | None = self._distributed()
        if ours is None:
            found = Counter(map(_code, known.values()))
        else:
            decided = (known.get(request) for _, request, _ in ours.entries())
            found = Counter(map(_code, decided))
        return {code: float(count) for code, count in found.items()}

    def _standings(self) -> list[Any]:
        return [self._fleet.standing(one) for one in compat.all_workers(self._master)]

    def _moods(self) -> dict[str, float]:
        found = Counter(one.mood.label for one in self._standings())
        return {mood.label: float(found[mood.label]) for mood in Mood}

    def _running(self) -> dict[str, float]:
        return {'': float(sum(one.presence.running for one in self._standings()))}

    def _ages(self) -> dict[str, float]:
        now = self._master.reactor.seconds()
        return {
            one.name: max(now - one.reported_at, 0.0)
            for one in self._standings()
            if one.reported_at is not None
        }


def _code(decision: Any) -> str:
    if decision is None:
        return QUEUED
    return NOTED if decision.note else next(iter(decision.reasons), NOTED)
