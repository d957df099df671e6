# SPDX-License-Identifier: GPL-2.0-or-later
"""Lease: what a master may rely upon of what the database has granted to it."""

from __future__ import annotations

from typing import Protocol


class Lease(Protocol):
    """The run of this master, as the database knows it."""

    @property
    def incarnation(self) -> str | None:
        """None: it has none at the moment."""

    @property
    def is_sure(self) -> bool:
        """What was granted to the incarnation is this master's at this very instant."""

    def need(self) -> None:
        """Somebody wants a shared lock: it begins, if it has not."""
