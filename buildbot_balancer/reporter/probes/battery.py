# SPDX-License-Identifier: GPL-2.0-or-later
"""BatteryProbe: whether the machine lives on its battery. Needs psutil."""

from __future__ import annotations

from zope.interface import implementer

from buildbot_balancer.interfaces import IProbe
from buildbot_balancer.reporter.measured import Power
from buildbot_balancer.reporter.probes.unknown import UnknownError


@implementer(IProbe)
class BatteryProbe:
    name = 'battery'

    def sample(self, now: float) -> Power:
        try:
            import psutil
        except ImportError as e:
            raise UnknownError('psutil is not installed') from e
        if not hasattr(psutil, 'sensors_battery'):
            raise UnknownError('psutil does not know batteries on this system')
        found = psutil.sensors_battery()
        if found is None:
            return Power()
        if found.power_plugged is None:
            raise UnknownError('there is a battery, but nobody says whether power is plugged in')
        return Power(plugged=found.power_plugged, percent=found.percent)
