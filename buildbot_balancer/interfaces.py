# SPDX-License-Identifier: GPL-2.0-or-later
"""What a config author or another package can provide."""

# Methods of an interface have no self, and their arguments are only described.
# ruff: noqa: N805

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from zope.interface import Attribute
from zope.interface import Interface

if TYPE_CHECKING:
    from buildbot_balancer.policy.verdict import Verdict
    from buildbot_balancer.policy.views import RequestView
    from buildbot_balancer.policy.views import WorkerView


class IProbe(Interface):
    """Measures one thing on a worker's machine. May block: it is run in a thread."""

    name: str = Attribute('the field of the Report that it fills')

    def sample(now: float) -> Any:
        """The value; None where it is unknown. An exception counts as unknown too."""


class IFilter(Interface):
    """Says whether one worker may take one request now."""

    def check(request: RequestView, worker: WorkerView, now: float) -> Verdict:
        """Must not block or wait. An exception counts as "unknown" and is logged."""


class IFleetFilter(IFilter):
    """A filter whose answer depends on the other workers too; asked after all plain filters."""

    def check_among(
        request: RequestView, workers: Sequence[WorkerView], now: float
    ) -> Mapping[str, Verdict]:
        """By name, the verdicts of those that must not take it now; who is not named may.

        `workers`: all of the builder's workers that no filter has ruled out for ever.
        """

    def tier(worker: WorkerView) -> int:
        """Workers of a lower tier are tried first; the scores decide within one."""


class IScorer(Interface):
    """Says how well one worker suits one request."""

    def score(request: RequestView, worker: WorkerView, now: float) -> float | None:
        """0..100, larger is better; None: no opinion. Must not block or wait."""


class IOrder(Interface):
    """Ranks pairs of a request and a worker over all builders."""

    def rank(request: RequestView, worker: WorkerView, now: float) -> float:
        """Larger starts first."""
