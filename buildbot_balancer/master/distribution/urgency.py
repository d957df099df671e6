# SPDX-License-Identifier: GPL-2.0-or-later
"""Urgency: what orders the requests of all builders. Pure."""

from __future__ import annotations

from typing import Any
from typing import Callable

import attrs

from buildbot_balancer.master.requests.pending import Pending

Key = tuple[float, float, int]


@attrs.frozen
class Urgency:
    """`ageing`: the seconds of waiting that count as one point of priority (None: they count for
    nothing). `rank(request)`: larger is first, before priority and age.
    """

    ageing: float | None = None
    rank: Callable[[Any], float] | None = None

    def key(self, pending: Pending, rank: float = 0.0) -> Key:
        """The smallest is first. With `ageing` all gain alike, so that the key is a constant."""
        if self.ageing is None:
            return -rank, -pending.priority, pending.submitted_at
        return -rank, pending.submitted_at / self.ageing - pending.priority, pending.submitted_at
