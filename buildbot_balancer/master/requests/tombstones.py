# SPDX-License-Identifier: GPL-2.0-or-later
"""Tombstones: requests that are gone, so that a late event does not bring them back. Pure.

Buildbot does not wait for "new" to be sent, so a request may be claimed before it was announced.
"""

from __future__ import annotations

REMEMBERED = 10_000  # requests; a late event comes within seconds


class Tombstones:
    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._complete: dict[int, bool] = {}

    def __len__(self) -> int:
        return len(self._complete)

    def __contains__(self, request: int) -> bool:
        return request in self._complete

    def bury(self, request: int, *, complete: bool) -> None:
        """`complete`: for ever. Otherwise somebody has claimed it and may give it back."""
        before = self._complete.pop(request, False)
        self._complete[request] = before or complete
        if len(self._complete) > self._limit:
            del self._complete[next(iter(self._complete))]

    def rises(self, request: int) -> bool:
        """Its claim was given back. False for one that is complete."""
        if self._complete.get(request, False):
            return False
        self._complete.pop(request, None)
        return True
