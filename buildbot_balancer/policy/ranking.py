# SPDX-License-Identifier: GPL-2.0-or-later
"""Ranking: who could take a request, best first, and why the others cannot."""

from collections.abc import Iterator
from collections.abc import Mapping

import attrs

from buildbot_balancer.policy.verdict import Verdict
from buildbot_balancer.policy.views import WorkerView


@attrs.frozen
class Scored:
    """A worker that passed all filters. `total` and each part are 0..100."""

    worker: WorkerView
    total: float
    parts: tuple[tuple[str, float], ...] = ()


@attrs.frozen(eq=False)
class Problem:
    """A filter or scorer that raised, or answered what it must not."""

    author: str
    error: Exception


@attrs.frozen
class Ranking:
    """`groups`: all of one are tried before the next (eager before reluctant, tier by tier)."""

    groups: tuple[tuple[Scored, ...], ...]
    verdicts: Mapping[str, Verdict]  # of the workers that did not pass, by name
    problems: tuple[Problem, ...] = ()

    def __iter__(self) -> Iterator[Scored]:
        for group in self.groups:
            yield from group
