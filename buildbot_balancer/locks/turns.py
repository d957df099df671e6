# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns: who of those that wait comes first."""

from __future__ import annotations

import math
import time
from itertools import count
from typing import Any
from typing import Callable

import attrs

from buildbot_balancer.locks import requester as who

ORDERS = ('fifo', 'priority')
AGEING = 600.0  # seconds of waiting that count as one point of priority

# Smaller is earlier: its class, what its priority and its waiting make, and who came first.
Turn = tuple[int, float, float]

RUNNING, WAITED_FOR, PENDING = 0, 1, 2
_arrivals = count()  # one for all semaphores, so that a turn keeps its meaning in another one


@attrs.frozen
class Turns:
    """`order`: one of ORDERS. Builds and their steps always come before pending requests.

    With 'priority' every waiter gains one point in `ageing` seconds. All gain alike, so that the
    order of two waiters never changes, and each waiter's turn is a constant.
    """

    order: str = 'fifo'
    ageing: float = AGEING
    clock: Callable[[], float] = attrs.field(default=time.monotonic, eq=False)

    def next(self, requester: Any) -> Turn:
        """For one that begins to wait now; a request began when it was made."""
        number = who.request_number(requester)
        return (*self._rank(requester), next(_arrivals) if number is None else number)

    def last(self, requester: Any) -> Turn:
        """For one that only asks: behind all of its own rank that wait already."""
        number = who.request_number(requester)
        return (*self._rank(requester), math.inf if number is None else number)

    def _rank(self, requester: Any) -> tuple[int, float]:
        standing = PENDING if who.is_pending(requester) else RUNNING
        if standing == PENDING and who.is_waited_for(requester):
            standing = WAITED_FOR
        if self.order == 'fifo':
            return standing, 0.0
        priority = who.priority_of(requester)
        if priority is None:
            # nobody in particular is behind all requests; what is no build's has no priority
            return standing, math.inf if requester is None else self.clock() / self.ageing
        since = who.submitted_at(requester)
        return standing, (self.clock() if since is None else since) / self.ageing - priority
