# SPDX-License-Identifier: GPL-2.0-or-later
"""Complaints: tracebacks of code that the config brings, without a flood of them."""

from __future__ import annotations

from typing import Callable

from buildbot_balancer.availability.text import describe
from buildbot_balancer.log import failed
from buildbot_balancer.master import compat

AGAIN = 3600.0  # seconds after which the same error is logged once more
MINUTE = 60.0
A_MINUTE = 5  # different errors of one author


class Complaints:
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._logged: dict[str, dict[str, float]] = {}

    def about(self, author: str, error: Exception) -> None:
        """`author`: whose code raised, such as "nextWorker of builder b"."""
        now = self._now()
        logged = self._logged.setdefault(author, {})
        for text in [text for text, at in logged.items() if now - at >= AGAIN]:
            del logged[text]
        text = describe(error)
        recent = sum(1 for at in logged.values() if now - at < MINUTE)
        if text in logged or recent >= A_MINUTE:
            return
        logged[text] = now
        failed(compat.failure_of(error), f'from {author}')
