# SPDX-License-Identifier: GPL-2.0-or-later
"""CpuProbe and MemoryProbe: shares in use, 0..1. Both need psutil."""

from __future__ import annotations

from zope.interface import implementer

from buildbot_balancer.interfaces import IProbe


@implementer(IProbe)
class CpuProbe:
    name = 'cpu'

    def __init__(self) -> None:
        self._started = False

    def sample(self, now: float) -> float | None:
        try:
            import psutil
        except ImportError:
            return None
        percent = psutil.cpu_percent(interval=None)
        if not self._started:  # the first call has nothing to compare with and says 0
            self._started = True
            return None
        return min(max(percent / 100, 0.0), 1.0)


@implementer(IProbe)
class MemoryProbe:
    name = 'memory'

    def sample(self, now: float) -> float | None:
        try:
            import psutil
        except ImportError:
            return None
        return min(max(psutil.virtual_memory().percent / 100, 0.0), 1.0)
