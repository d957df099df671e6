# SPDX-License-Identifier: GPL-2.0-or-later
"""Hours: the windows of the config, and what follows from them for each worker now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from buildbot import config

from buildbot_balancer.availability import window
from buildbot_balancer.availability.cap import Caps
from buildbot_balancer.availability.schedule import Availability
from buildbot_balancer.availability.schedule import together
from buildbot_balancer.errors import TimeError
from buildbot_balancer.policy.globs import matches


def Window(days: Any, start: Any, end: Any, timezone: Any = None) -> Any:
    """``util.Window('Mon-Fri', '22:00', '06:00', timezone='UTC')``; what is wrong with it is a
    config error.
    """
    try:
        return window.Window(days, start, end, timezone=timezone)
    except TimeError as e:
        config.error(f'util.Window: {e}')


class Hours:
    """What is worked out for a worker is kept until the moment at which it changes."""

    def __init__(self) -> None:
        self._all: tuple[Availability, ...] = ()
        self._of: dict[str, tuple[Availability, ...]] = {}
        self._kept: dict[str, tuple[float, float, Caps]] = {}  # from, until

    def set(self, availability: Iterable[Availability]) -> None:
        self._all = tuple(availability)
        self._of.clear()
        self._kept.clear()

    def caps_of(self, worker: str, now: float) -> Caps:
        if not self._all:
            return Caps()
        begin, end, caps = self._kept.get(worker, (now, now, Caps()))
        if not begin <= now < end:
            caps = together(one.caps(now) for one in self._speaking_of(worker))
            until = caps.next_change(now)
            self._kept[worker] = (now, float('inf') if until is None else until, caps)
        return caps

    def _speaking_of(self, worker: str) -> tuple[Availability, ...]:
        found = self._of.get(worker)
        if found is None:
            found = tuple(one for one in self._all if matches(worker, one.worker_glob))
            self._of[worker] = found
        return found
