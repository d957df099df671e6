# SPDX-License-Identifier: GPL-2.0-or-later
"""Sampler: asks all probes, in a thread, and shields the reporter from the ones that fail."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from buildbot_balancer.log import say
from buildbot_balancer.reporter.probes.load import LoadProbe
from buildbot_balancer.reporter.probes.machine import CpusProbe
from buildbot_balancer.reporter.probes.machine import FactsProbe
from buildbot_balancer.reporter.probes.machine import HostProbe
from buildbot_balancer.reporter.probes.own import OwnProbe
from buildbot_balancer.reporter.probes.usage import CpuProbe
from buildbot_balancer.reporter.probes.usage import MemoryProbe


def default_probes(*, shared_process: bool) -> list[Any]:
    """`shared_process`: several workers share this process (LocalWorker).

    Whose children its children are cannot be told then, so own work is unknown.
    """
    probes = [LoadProbe(), CpuProbe(), MemoryProbe(), CpusProbe(), HostProbe(), FactsProbe()]
    return probes if shared_process else [*probes, OwnProbe()]


class Sampler:
    def __init__(self, probes: Iterable[Any]) -> None:
        self._probes = list(probes)
        self._failing: dict[str, str] = {}

    def sample(self, now: float) -> dict[str, Any]:
        """The known values by field of the Report. Blocks; call it in a thread."""
        values = {}
        for probe in self._probes:
            try:
                value = probe.sample(now)
            except Exception as e:
                self._failed(probe.name, e)
                continue
            self._failing.pop(probe.name, None)
            if value is not None:
                values[probe.name] = value
        return values

    def _failed(self, name: str, error: Exception) -> None:
        said = f'{type(error).__name__}: {error}'
        if self._failing.get(name) != said:
            self._failing[name] = said
            say(f'the probe "{name}" failed, so it is unknown: {said}')
