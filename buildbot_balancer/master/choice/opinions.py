# SPDX-License-Identifier: GPL-2.0-or-later
"""Opinions: what a policy thinks of each worker, whatever the request; kept until it changes.

With a thousand workers free, asking the policy about all of them for each start would cost more
than the start. So the best is found by kept opinions, and only that one is asked about the request.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from collections.abc import Iterator
from random import Random
from typing import Callable

import attrs

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

KEPT = 5.0  # seconds: loads and the age of reports change by the time alone


@attrs.frozen
class Opinion:
    """`passes`: no filter that looks at the worker alone refuses it. `group`: eager before
    reluctant. `score`: 0..100.
    """

    passes: bool
    group: int = 0
    score: float = 0.0
    at: float = 0.0  # epoch seconds


class Opinions:
    """`view(worker)`: None for one that is not there. `places` of workers are not asked here."""

    def __init__(
        self,
        view: Callable[[str], WorkerView | None],
        now: Callable[[], float],
        random: Random,
    ) -> None:
        self._view = view
        self._now = now
        self._random = random
        self._kept: dict[int, dict[str, Opinion]] = {}  # by policy
        self._policies: list[Policy] = []  # so that no other one gets its number

    def forget(self, worker: str) -> None:
        for opinions in self._kept.values():
            opinions.pop(worker, None)

    def clear(self) -> None:
        self._kept.clear()
        self._policies.clear()

    def of(self, policy: Policy, worker: str) -> Opinion:
        opinions = self._kept.get(id(policy))
        if opinions is None:
            self._policies.append(policy)
            opinions = self._kept[id(policy)] = {}
        found = opinions.get(worker)
        now = self._now()
        if found is None or now - found.at > KEPT:
            found = opinions[worker] = self._asked(policy, worker, now)
        return found

    def best_first(self, policy: Policy, workers: Iterable[str]) -> Iterator[str]:
        """Those that pass; equal ones by chance."""
        opinions = [(self.of(policy, name), name) for name in workers]
        chance = self._random.random
        left = [(one.group, -one.score, chance(), name) for one, name in opinions if one.passes]
        heapq.heapify(left)
        while left:
            yield heapq.heappop(left)[3]

    def _asked(self, policy: Policy, worker: str, now: float) -> Opinion:
        view = self._view(worker)
        if view is None:
            return Opinion(passes=False, at=now)
        nobody = RequestView(id=0, builder='')
        if not policy.passes_alone(nobody, view, now):
            return Opinion(passes=False, at=now)
        score = policy.score_alone(nobody, view, now)
        return Opinion(True, 0 if view.mood is Mood.EAGER else 1, score, now)
