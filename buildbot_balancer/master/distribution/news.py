# SPDX-License-Identifier: GPL-2.0-or-later
"""News: what was heard while a look went on, so that what it says may be of yesterday. Pure."""

from __future__ import annotations

import attrs

from buildbot_balancer.master.distribution.parking import Reason


@attrs.define
class News:
    """What was heard while a look went on."""

    woken: bool = False
    workers: set[str] = attrs.field(factory=set)
    requests: set[int] = attrs.field(factory=set)

    def helps(self, request: int, reason: Reason) -> bool:
        if request in self.requests or (self.woken and reason.unnamed):
            return True
        return not self.workers.isdisjoint(reason.workers)
