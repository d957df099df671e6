# SPDX-License-Identifier: GPL-2.0-or-later
"""EndsInTime: before a worker's hours are over, only builds start that will be over by then."""

from __future__ import annotations

import attrs
from zope.interface import implementer

from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.interfaces import IFilter
from buildbot_balancer.policy.past import PastBuild
from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

KEPT = 5  # builds of one builder on one worker
MOST = 100_000  # pairs of a builder and a worker that are remembered


@implementer(IFilter)
@attrs.define
class EndsInTime:
    """The Balancer adds it to each policy where an ``Availability`` has a ``clear_by``.

    A build is expected to take as long as the longest of the last ones of its builder on that
    worker, or on any worker where there were none on that one.
    """

    _seconds: dict[tuple[str, str], tuple[float, ...]] = attrs.field(
        factory=dict, init=False, eq=False, repr=False
    )
    _longest: dict[str, float] = attrs.field(  # by builder
        factory=dict, init=False, eq=False, repr=False
    )

    def began(self, builder: str, worker: str) -> None:
        """As scorers that learn are told."""

    def ended(self, build: PastBuild) -> None:
        if not build.succeeded:
            return
        key = (build.builder, build.worker)
        before = self._seconds.pop(key, ())
        self._seconds[key] = (*before, build.seconds)[-KEPT:]
        while len(self._seconds) > MOST:
            del self._seconds[next(iter(self._seconds))]
        known = self._longest.get(build.builder, 0.0)
        self._longest[build.builder] = max(known, build.seconds)

    def expected(self, builder: str, worker: str) -> float | None:
        """Seconds; None where no build of that builder is known."""
        here = self._seconds.get((builder, worker))
        return max(here) if here else self._longest.get(builder)

    def check(self, request: RequestView, worker: WorkerView, now: float) -> Verdict:
        if worker.clears_at is None:
            return Verdict.yes()
        closes = f'closes at {clock_text(worker.clears_at, now)}'
        seconds = self.expected(request.builder, worker.name)
        if seconds is None:
            return Verdict.unknown(
                'duration-unknown',
                f'{closes}, and no past build tells how long one of {request.builder} takes',
                (worker.name,),
                fact='mood',
            )
        if now + seconds <= worker.clears_at:
            return Verdict.yes()
        return Verdict.not_now(
            'closes-soon',
            f'{closes}, before a build of {request.builder} would be over',
            (worker.name,),
            fact='mood',
        )
