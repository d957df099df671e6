# SPDX-License-Identifier: GPL-2.0-or-later
"""Watch: who is told what happens to real locks."""

from __future__ import annotations

from typing import Any
from typing import Protocol


class Watch(Protocol):
    """Called in the midst of an operation: it must not raise, nor ask the lock for anything."""

    def changed(self, name: str, group: str) -> None:
        """Somebody else may hold it, or wait for it, now."""

    def ended(self, kind: str, name: str, group: str, requester: Any, seconds: float) -> None:
        """`kind` HELD: `requester` has let go; WAITED: it has got what it waited for."""
