# SPDX-License-Identifier: GPL-2.0-or-later
"""Candidates: many free workers, best first, for one request.

What is the same for all requests is kept as an `Opinion`; of the rest, such as who built this
branch last, only the scorers are asked, and by views that are kept as long.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from collections.abc import Iterator
from random import Random
from typing import Any
from typing import Callable

from buildbot_balancer.interfaces import IFleetFilter
from buildbot_balancer.master.choice.opinions import Opinion
from buildbot_balancer.master.choice.opinions import Opinions
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

KEPT = 10_000  # views


class Candidates:
    """`view(worker)`: None for one that is not there."""

    def __init__(
        self, opinions: Opinions, view: Callable[[str], WorkerView | None], random: Random
    ) -> None:
        self._opinions = opinions
        self._view = view
        self._random = random
        self._views: dict[str, tuple[Opinion, WorkerView | None]] = {}

    def best_first(
        self, policy: Policy, workers: Iterable[str], request: RequestView, now: float
    ) -> Iterator[str]:
        """As `Policy.rank` would, by what was last known; equal ones by chance."""
        found = {name: self._opinions.of(policy, name) for name in workers}
        found = {name: one for name, one in found.items() if one.passes}
        totals = {name: one.score * _weight_alone(policy) for name, one in found.items()}
        left_to_ask = [one for one in policy.scorers if not _looks_at_worker_only(one[0])]
        if left_to_ask:
            views = {name: self._kept(name, one) for name, one in found.items()}
        for scorer, weight in left_to_ask:
            _add(totals, {n: _asked(scorer, request, v, now) for n, v in views.items()}, weight)
        chance = self._random.random
        left = [(found[name].group, -total, chance(), name) for name, total in totals.items()]
        heapq.heapify(left)
        while left:
            yield heapq.heappop(left)[3]

    def _kept(self, worker: str, opinion: Opinion) -> WorkerView | None:
        kept = self._views.get(worker)
        if kept is not None and kept[0] is opinion:
            return kept[1]
        if len(self._views) > KEPT:
            self._views.clear()
        view = self._view(worker)
        self._views[worker] = (opinion, view)
        return view


def compares_workers(policy: Policy) -> bool:
    """One of its filters has to see all of them at once."""
    return any(IFleetFilter.providedBy(one) for one in policy.filters)


def _add(totals: dict[str, float], said: dict[str, float | None], weight: float) -> None:
    """Who cannot be judged is taken for the worst of the others, as the policy does it."""
    given = [one for one in said.values() if one is not None]
    worst = min(given, default=0.0)
    for name, one in said.items():
        totals[name] += weight * (worst if one is None else one)


def _asked(scorer: Any, request: RequestView, view: WorkerView | None, now: float) -> float | None:
    try:
        said = None if view is None else scorer.score(request, view, now)
        return None if said is None else float(said)
    except Exception:  # the policy says so when it is asked about the one that is chosen
        return None


def _weight_alone(policy: Policy) -> float:
    return float(sum(weight for one, weight in policy.scorers if _looks_at_worker_only(one)))


def _looks_at_worker_only(scorer: Any) -> bool:
    return getattr(scorer, 'looks_at_worker_only', False) is True
