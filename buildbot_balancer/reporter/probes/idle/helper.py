# SPDX-License-Identifier: GPL-2.0-or-later
"""HelperSource: what idle helpers say, programs that run in a session and see its input.

They speak through the owner's socket; each word counts for a while only, so that a helper that
died says nothing.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Callable

import attrs

from buildbot_balancer.reporter.probes.idle.use import Use
from buildbot_balancer.reporter.probes.unknown import UnknownError

FRESH_FOR = 60.0  # seconds; a helper speaks every ten


@attrs.frozen
class _Told:
    used_at: float
    heard_at: float
    display: str


class HelperSource:
    """`told` and `gone` are called by the reactor, `look` by a thread: each is one step on a
    dictionary, which Python makes whole.
    """

    name = 'idle-helper'
    sees_screens = True

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._told: dict[Hashable, _Told] = {}

    def told(self, who: Hashable, seconds: float, display: str = '') -> None:
        """`who`: a connection."""
        now = self._steady()
        self._told[who] = _Told(now - seconds, now, display)

    def gone(self, who: Hashable) -> None:
        self._told.pop(who, None)

    def look(self, now: float) -> list[Use]:
        steady = self._steady()
        fresh = [one for one in [*self._told.values()] if steady - one.heard_at <= FRESH_FOR]
        if not fresh:
            raise UnknownError('none speaks')
        return [Use(seconds=steady - one.used_at, display=one.display) for one in fresh]
