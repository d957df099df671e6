# SPDX-License-Identifier: GPL-2.0-or-later
"""Wanted: the probes that the owner's settings ask for, and no others."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

from buildbot_balancer.reporter.judges import EVERY
from buildbot_balancer.reporter.probes.battery import BatteryProbe
from buildbot_balancer.reporter.probes.command import CommandProbe
from buildbot_balancer.reporter.probes.disk import DiskProbe
from buildbot_balancer.reporter.probes.idle.console import ConsoleSource
from buildbot_balancer.reporter.probes.idle.logind import LogindSource
from buildbot_balancer.reporter.probes.idle.macos import MacosSource
from buildbot_balancer.reporter.probes.idle.probe import IdleProbe
from buildbot_balancer.reporter.probes.idle.terminals import TerminalsSource
from buildbot_balancer.reporter.probes.idle.use import Source
from buildbot_balancer.reporter.probes.idle.windows import WindowsSource
from buildbot_balancer.reporter.probes.idle.x11 import X11Source
from buildbot_balancer.reporter.probes.pressure import PressureProbe
from buildbot_balancer.reporter.probes.programs import ProgramsProbe
from buildbot_balancer.reporter.senses import Sense
from buildbot_balancer.reporter.settings.sections import Settings


def senses(settings: Settings, basedir: Path, also: Sequence[Source] = ()) -> Iterator[Sense]:
    """The load is measured for the report anyway. `also`: sees input, beside the platform's own."""
    if settings.battery is not None:
        yield Sense(BatteryProbe(), EVERY)
    if settings.disk is not None:
        yield Sense(DiskProbe(settings.disk.path or basedir), EVERY)
    if settings.busy_with is not None:
        yield Sense(ProgramsProbe(settings.busy_with.programs), EVERY)
    if settings.command is not None:
        command = settings.command
        yield Sense(CommandProbe(command.run, command.timeout, basedir), command.every)
    if settings.idle is not None:
        sources = (*idle_sources(sys.platform), *also)
        yield Sense(IdleProbe(sources, time.monotonic), EVERY)
    if settings.pressure is not None:
        yield Sense(PressureProbe(settings.pressure.limits()), EVERY)


def idle_sources(platform: str) -> tuple[Source, ...]:
    if platform == 'win32':
        return (WindowsSource(),)
    if platform == 'darwin':
        return (MacosSource(), TerminalsSource())
    return (X11Source(), LogindSource(), ConsoleSource(), TerminalsSource())
