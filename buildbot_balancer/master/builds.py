# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds: which builds run on a worker, those about to start included, and since when."""

from __future__ import annotations

import math
from typing import Any

from buildbot_balancer.master import compat

# A load average tells of a new build only by and by: after t seconds 1 - exp(-t / 60) of it.
WINDOW = 60.0  # seconds
BUILD_LOAD = 1.0  # CPUs that a build is taken to keep busy until a report shows it


class Builds:
    def __init__(self, master: Any) -> None:
        self._master = master
        self._starting: dict[str, set[Any]] = {}
        self._since: dict[str, dict[Any, float]] = {}

    def starting(self, name: str, wfb: Any, now: float) -> None:
        self._starting.setdefault(name, set()).add(wfb)
        self._since.setdefault(name, {})[wfb] = now

    def started(self, name: str, wfb: Any) -> None:
        """It is marked as building now, or it did not start."""
        self._starting.get(name, set()).discard(wfb)

    def finished(self, name: str, wfb: Any) -> None:
        self._since.get(name, {}).pop(wfb, None)

    def count(self, worker: Any) -> int:
        return len(self._places(worker))

    def count_all(self, worker: Any) -> int:
        """Also builds that a reconfig or a lost connection has hidden from the worker."""
        hidden = compat.all_places_with_builds(self._master, worker)
        return len(self._places(worker) | hidden)

    def _places(self, worker: Any) -> set[Any]:
        starting = self._starting.get(worker.workername, set())
        return starting | set(compat.places_with_builds(worker))

    def coming_load(self, name: str, sampled_at: float, now: float) -> float:
        """CPUs that running builds will use, and that a load sampled then does not show yet."""
        return sum(
            BUILD_LOAD * math.exp(-max(sampled_at - since, 0.0) / WINDOW)
            for since in self._since.get(name, {}).values()
            if since <= now
        )
