# SPDX-License-Identifier: GPL-2.0-or-later
"""LoadProbe: the 1-minute load average, per CPU."""

from __future__ import annotations

import os

from zope.interface import implementer

from buildbot_balancer.interfaces import IProbe


@implementer(IProbe)
class LoadProbe:
    name = 'load'

    def sample(self, now: float) -> float | None:
        cpus = os.cpu_count()
        if cpus is None:
            return None
        try:
            return self._average() / cpus
        except (AttributeError, OSError):
            return None

    def _average(self) -> float:
        try:
            import psutil
        except ImportError:
            return os.getloadavg()[0]
        # psutil keeps such an average also where the system has none (Windows)
        return float(psutil.getloadavg()[0])
