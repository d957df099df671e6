# SPDX-License-Identifier: GPL-2.0-or-later
"""Meter: what a phase cost this process, all of its threads."""

from __future__ import annotations

import cProfile
import resource
import sys
import time
from pathlib import Path

import attrs

from benchmarks.calls import Calls


@attrs.frozen
class Cost:
    seconds: float
    cpu: float  # seconds
    calls: int  # to the database

    @property
    def per_second(self) -> float:
        """Of wall-clock time, on one CPU."""
        return self.cpu / self.seconds if self.seconds else 0.0


class Meter:
    """`profile`: the file for cProfile, which sees the reactor's thread only."""

    def __init__(self, calls: Calls, profile: str | None = None) -> None:
        self._calls = calls
        self._file = profile
        self._profiler = cProfile.Profile() if profile else None
        if self._profiler is not None:
            self._profiler.enable()
        self._began = (time.perf_counter(), time.process_time(), calls.made)

    def read(self) -> Cost:
        wall, cpu, made = self._began
        return Cost(time.perf_counter() - wall, time.process_time() - cpu, self._calls.made - made)

    def close(self) -> Cost:
        cost = self.read()
        if self._profiler is not None:
            self._profiler.disable()
            self._profiler.dump_stats(str(self._file))
        return cost


def memory() -> float:
    """MB that this process holds now; where the system does not say, its most so far."""
    status = Path('/proc/self/status')
    if status.exists():
        for line in status.read_text(encoding='ascii', errors='replace').splitlines():
            if line.startswith('VmRSS:'):
                return int(line.split()[1]) / 1024
    return most_memory()


def most_memory() -> float:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024 / 1024 if sys.platform == 'darwin' else most / 1024
