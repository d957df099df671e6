# SPDX-License-Identifier: GPL-2.0-or-later
"""OwnProbe: the part of the load that this worker's own builds make."""

from __future__ import annotations

import math
import os
from typing import Any

from zope.interface import implementer

from buildbot_balancer.interfaces import IProbe

# The kernel's 1-minute average forgets with this time constant; own work is averaged alike, so
# that one can be taken from the other. https://www.brendangregg.com/blog/2017-08-08/
WINDOW = 60.0  # seconds


@implementer(IProbe)
class OwnProbe:
    """CPU time of the worker's children and theirs, per second and CPU, averaged as a load is."""

    name = 'own'

    def __init__(self) -> None:
        self._average = 0.0
        self._used: float | None = None
        self._at = 0.0

    def sample(self, now: float) -> float | None:
        used = self._cpu_seconds()
        cpus = os.cpu_count()
        if used is None or cpus is None:
            return None
        before, elapsed = self._used, now - self._at
        self._used, self._at = used, now
        if before is None or elapsed <= 0:
            return self._average
        # A process that ended between two samples may have been counted by its parent only
        # later; the sum then falls behind for a moment.
        rate = max(used - before, 0.0) / elapsed / cpus
        kept = math.exp(-elapsed / WINDOW)
        self._average = self._average * kept + rate * (1 - kept)
        return self._average

    def _cpu_seconds(self) -> float | None:
        try:
            import psutil
        except ImportError:
            return None
        ended = os.times()
        total = ended.children_user + ended.children_system
        for child in psutil.Process().children(recursive=True):
            try:
                total += _all_of(child.cpu_times())
            except psutil.Error:  # it has ended since it was listed
                continue
        return total


def _all_of(times: Any) -> float:
    # a live process carries what its own ended children used (not on Windows)
    fields = ('user', 'system', 'children_user', 'children_system')
    return float(sum(getattr(times, field, 0.0) for field in fields))
