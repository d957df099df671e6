# SPDX-License-Identifier: GPL-2.0-or-later
"""Order: which of a worker's reports is newer. Pure.

A reporter numbers its reports and has a new incarnation id at each start. No clock is asked: the
worker's may be wrong.
"""

from __future__ import annotations

from collections import deque

REMEMBERED = 16  # incarnations that were replaced, whose late reports must not win


class Order:
    def __init__(self) -> None:
        self._incarnation: str | None = None
        self._seq = -1
        self._replaced: deque[str] = deque(maxlen=REMEMBERED)

    def accepts(self, incarnation: str, seq: int) -> bool:
        """False for a report that is late, doubled, or of an incarnation that was replaced."""
        if incarnation in self._replaced:
            return False
        if incarnation != self._incarnation:
            if self._incarnation is not None:
                self._replaced.append(self._incarnation)
            self._incarnation, self._seq = incarnation, seq
            return True
        if seq <= self._seq:
            return False
        self._seq = seq
        return True
