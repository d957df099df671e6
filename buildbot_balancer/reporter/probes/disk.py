# SPDX-License-Identifier: GPL-2.0-or-later
"""DiskProbe: the free space where builds go."""

from __future__ import annotations

import shutil
from pathlib import Path

from zope.interface import implementer

from buildbot_balancer.interfaces import IProbe
from buildbot_balancer.reporter.probes.unknown import UnknownError


@implementer(IProbe)
class DiskProbe:
    name = 'disk'

    def __init__(self, path: Path) -> None:
        self._path = path

    def sample(self, now: float) -> float:
        """Bytes that the worker itself may still write."""
        try:
            return float(shutil.disk_usage(self._path).free)
        except OSError as e:
            raise UnknownError(f'{self._path}: {e.strerror or e}') from e
