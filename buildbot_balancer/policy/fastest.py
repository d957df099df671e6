# SPDX-License-Identifier: GPL-2.0-or-later
"""FastestFirst: the workers that built a builder fastest, as past builds tell."""

from __future__ import annotations

import math
from collections.abc import Iterator

import attrs
from zope.interface import implementer

from buildbot_balancer.interfaces import IScorer
from buildbot_balancer.policy.past import PastBuild
from buildbot_balancer.policy.speeds import Speeds
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

WEEK = 7 * 24 * 3600.0  # seconds
MOST = 100_000  # pairs of a builder and a worker that are remembered


@implementer(IScorer)
@attrs.define
class FastestFirst:
    """100 for the worker that builds this builder fastest, 50 for one that takes twice as long.

    A worker that never built it gets 100, so that it is tried. Each `probe_every`-th build of a
    builder is a probe: the worker that has gone longest without one, and at least that many
    builds, comes before all others, so that a wrong first impression heals; None: no probes.
    What was measured `half_life` seconds before a worker's last build counts half.
    """

    probe_every: int | None = 20
    half_life: float = WEEK
    _builders: dict[str, Speeds] = attrs.field(factory=dict, init=False, eq=False, repr=False)
    _used: dict[tuple[str, str], None] = attrs.field(  # the one used longest ago first
        factory=dict, init=False, eq=False, repr=False
    )

    def problems(self) -> Iterator[str]:
        every, life = self.probe_every, self.half_life
        if every is not None and (type(every) is not int or every < 2):
            yield (
                'FastestFirst: probe_every must be a whole number of builds from 2 on, or None,'
                f' not {every!r}'
            )
        number = isinstance(life, (int, float)) and not isinstance(life, bool)
        if not number or not (math.isfinite(life) and life > 0):
            yield f'FastestFirst: half_life must be a number of seconds above 0, not {life!r}'

    def began(self, builder: str, worker: str) -> None:
        """A build of that builder begins there."""
        self._speeds(builder, worker).began(worker)

    def ended(self, build: PastBuild) -> None:
        if build.succeeded:
            self.learn(build.builder, build.worker, build.seconds, build.at)

    def learn(self, builder: str, worker: str, seconds: float, at: float) -> None:
        """A build that succeeded took that long, and ended then."""
        self._speeds(builder, worker).learn(worker, seconds, at, self.half_life)

    def score(self, request: RequestView, worker: WorkerView, now: float) -> float | None:
        known = self._builders.get(request.builder)
        return None if known is None else known.score(worker.name, self.probe_every)

    def _speeds(self, builder: str, worker: str) -> Speeds:
        self._used.pop((builder, worker), None)
        self._used[builder, worker] = None
        if len(self._used) > MOST:
            self._forget(*next(iter(self._used)))
        return self._builders.setdefault(builder, Speeds())

    def _forget(self, builder: str, worker: str) -> None:
        del self._used[builder, worker]
        speeds = self._builders[builder]
        speeds.forget(worker)
        if speeds.is_empty:
            del self._builders[builder]
