# SPDX-License-Identifier: GPL-2.0-or-later
"""The scorers that come with the package."""

from __future__ import annotations

from typing import ClassVar

import attrs
from zope.interface import implementer

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.interfaces import IScorer
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

BEST = 100.0


def less_is_better(amount: float, half: float) -> float:
    """The one way to turn an amount without an upper bound into a score.

    100 at nothing, 50 at `half`, falling towards 0 for ever, so that two overloaded workers can
    still be told apart.
    """
    return BEST * (half / (half + max(amount, 0.0)))


@implementer(IScorer)
@attrs.frozen
class EagerFirst:
    """An eager owner's machine before a reluctant one's."""

    looks_at_worker_only: ClassVar[bool] = True

    def score(self, request: RequestView, worker: WorkerView, now: float) -> float | None:
        return {Mood.EAGER: BEST, Mood.RELUCTANT: BEST / 2}.get(worker.mood, 0.0)


@implementer(IScorer)
@attrs.frozen
class LeastLoaded:
    """The least load per CPU, with what builds that just started there will add."""

    looks_at_worker_only: ClassVar[bool] = True

    def score(self, request: RequestView, worker: WorkerView, now: float) -> float | None:
        return None if worker.load is None else less_is_better(worker.load, half=1.0)


@implementer(IScorer)
@attrs.frozen
class FewestBuilds:
    """The fewest running builds."""

    looks_at_worker_only: ClassVar[bool] = True

    def score(self, request: RequestView, worker: WorkerView, now: float) -> float | None:
        return less_is_better(worker.running, half=1.0)


@implementer(IScorer)
@attrs.frozen
class RunningBeforeLatent:
    """A worker that is up before a latent one that would have to be started for this build."""

    looks_at_worker_only: ClassVar[bool] = True

    def score(self, request: RequestView, worker: WorkerView, now: float) -> float | None:
        if not worker.latent:
            return BEST
        # an instance that is up but of another type would have to be replaced
        return BEST if worker.connected and worker.compatible is not False else 0.0
