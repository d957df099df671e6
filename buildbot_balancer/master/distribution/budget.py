# SPDX-License-Identifier: GPL-2.0-or-later
"""Budget: how much may be spent at once, and in the long run."""

from __future__ import annotations

from typing import Callable


class Budget:
    """`now()` is seconds."""

    def __init__(self, now: Callable[[], float], at_once: float, a_second: float) -> None:
        self._now = now
        self._at_once = at_once
        self._a_second = a_second
        self._left = at_once
        self._left_at = now()

    def may_spend(self, amount: float) -> bool:
        """True: it is spent. What is more than there ever is may be had when all is there."""
        now = self._now()
        self._left = min(self._at_once, self._left + (now - self._left_at) * self._a_second)
        self._left_at = now
        if self._left < min(amount, self._at_once):
            return False
        self._left -= amount
        return True
