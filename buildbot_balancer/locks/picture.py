# SPDX-License-Identifier: GPL-2.0-or-later
"""Picture: one semaphore at one moment."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen
class Share:
    """What one requester has, is offered or waits for.

    `since`: of the semaphore's clock; None is unknown. `reserved`: it is kept for one that is
    about to start.
    """

    requester: Any
    mode: str
    count: int
    since: float | None = attrs.field(default=None, eq=False)
    reserved: bool = attrs.field(default=False, eq=False)


@attrs.frozen
class Picture:
    name: str
    limit: int | None  # None: no limit
    held: tuple[Share, ...]
    offered: tuple[Share, ...]  # kept for one who was woken, or who reserved it
    waiting: tuple[Share, ...]  # in the order in which they will be served
    never: tuple[Share, ...]  # they want more than the limit

    @property
    def exclusive(self) -> bool:
        """Somebody has it, or is offered it, for himself alone."""
        return any(share.mode == 'exclusive' for share in (*self.held, *self.offered))

    @property
    def taken(self) -> int:
        """Units that are held or offered."""
        return sum(s.count for s in (*self.held, *self.offered) if s.mode == 'counting')

    @property
    def free(self) -> int | None:
        """Units that are neither held nor offered; None: no end of them."""
        if self.exclusive:
            return 0
        return None if self.limit is None else max(self.limit - self.taken, 0)
