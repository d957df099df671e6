# SPDX-License-Identifier: GPL-2.0-or-later
"""Affinity: the worker that last built this builder and branch, whose checkout is warm."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from buildbot_balancer.interfaces import IScorer
from buildbot_balancer.policy.past import PastBuild
from buildbot_balancer.policy.scorers import BEST
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

MOST = 50_000  # pairs of a builder and a branch that are remembered, the last ones built


@attrs.frozen
class _Warm:
    worker: str
    at: float  # epoch seconds


@implementer(IScorer)
@attrs.define
class Affinity:
    """100 for the worker that last built this builder and branch, 0 for the others.

    No opinion on a branch that nobody has built, or that everybody has forgotten, nor on a request
    with several sourcestamps, which has no branch.
    """

    _warm: dict[tuple[str, str | None], _Warm] = attrs.field(
        factory=dict, init=False, eq=False, repr=False
    )

    def began(self, builder: str, worker: str) -> None:
        """Of a build that begins the branch is not known yet."""

    def ended(self, build: PastBuild) -> None:
        if build.ran and build.sources == 1:
            self.learn(build.builder, build.branch, build.worker, build.at)

    def learn(self, builder: str, branch: str | None, worker: str, at: float) -> None:
        """A build of that branch ended there and then; None is the default branch."""
        key = (builder, branch)
        known = self._warm.get(key)
        if known is not None and known.at > at:
            return  # it is heard of late
        self._warm.pop(key, None)  # the one built longest ago stands first
        self._warm[key] = _Warm(worker, at)
        if len(self._warm) > MOST:
            del self._warm[next(iter(self._warm))]

    def score(self, request: RequestView, worker: WorkerView, now: float) -> float | None:
        if len(request.sources) != 1:
            return None
        known = self._warm.get((request.builder, request.branch))
        if known is None:
            return None
        return BEST if known.worker == worker.name else 0.0
