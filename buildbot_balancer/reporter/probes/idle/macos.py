# SPDX-License-Identifier: GPL-2.0-or-later
"""MacosSource: the HIDIdleTime of macOS's own registry of input devices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Callable

from buildbot_balancer.reporter.probes.idle.program import ask
from buildbot_balancer.reporter.probes.idle.use import Use
from buildbot_balancer.reporter.probes.unknown import UnknownError

_IDLE = re.compile(r'"HIDIdleTime"\s*=\s*(\d+)')


class MacosSource:
    name = 'ioreg'
    sees_screens = True

    def __init__(self, ask: Callable[[Sequence[str]], str] = ask) -> None:
        self._ask = ask

    def look(self, now: float) -> list[Use]:
        found = _IDLE.findall(self._ask(('/usr/sbin/ioreg', '-c', 'IOHIDSystem', '-d', '4')))
        if not found:
            raise UnknownError('it names no HIDIdleTime')
        return [Use(seconds=min(int(nanoseconds) for nanoseconds in found) / 1e9)]
