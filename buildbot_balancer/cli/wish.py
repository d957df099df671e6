# SPDX-License-Identifier: GPL-2.0-or-later
"""Wish: why an admin wants something of a master, and until when."""

from __future__ import annotations

import attrs

from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.cli import options
from buildbot_balancer.cli.server import Item


@attrs.frozen
class Wish:
    reason: str | None
    until: float | None

    @classmethod
    def of(cls, reason: str | None, until: str | None, now: float) -> Wish:
        """`until` counts on the clock of whoever types it. Raises TimeError."""
        return cls(options.reason_of(reason), options.until_of(until, now))

    def params(self) -> Item:
        """Without what was not said."""
        return attrs.asdict(self, filter=lambda _, value: value is not None)

    def described(self, now: float) -> str:
        ends = '' if self.until is None else f' until {clock_text(self.until, now)}'
        why = f' ({self.reason})' if self.reason else ''
        return f'{ends}{why}'
