# SPDX-License-Identifier: GPL-2.0-or-later
"""SharedMasterLock: a limit over all masters that use one database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from typing import ClassVar

from buildbot import config
from buildbot.locks import LockAccess
from buildbot.locks import MasterLock

from buildbot_balancer.locks import arguments
from buildbot_balancer.locks.realshared import RealSharedMasterLock
from buildbot_balancer.locks.turns import AGEING


class SharedMasterLock(MasterLock):  # type: ignore[misc]  # Buildbot has no types
    """``util.SharedMasterLock('licence', maxCount=3)``: so many at a time, on whichever master.

    `maxCount`: the units (None: no limit). `order`: 'fifo', or 'priority', where each `ageing`
    seconds of waiting count as one point.
    """

    compare_attrs: ClassVar[Sequence[str]] = ('order', 'ageing', 'shared')
    lockClass = RealSharedMasterLock
    name: str
    maxCount: int | None
    shared = True

    def __init__(
        self,
        name: str,
        maxCount: int | None = 1,
        *,
        order: str = 'fifo',
        ageing: float = AGEING,
    ) -> None:
        problems = [
            *arguments.name_problems(name),
            *arguments.limit_problems('maxCount', maxCount),
            *arguments.order_problems(order, ageing),
        ]
        for problem in problems:
            config.error(f'SharedMasterLock {name!r}: {problem}')
        # Buildbot may collect errors and go on; then this is a lock that can be asked for accesses
        super().__init__(name, 1 if problems else maxCount)
        self.order = order
        self.ageing = ageing

    def access(self, mode: str, count: int = 1) -> LockAccess:
        problems = list(arguments.access_problems(mode, count, self.maxCount))
        for problem in problems:
            config.error(f'SharedMasterLock {self.name!r}: {problem}')
        if problems:
            mode, count = 'counting', 1
        return LockAccess(self, mode, count)

    def branch_of(self, sources: Any) -> str:
        """All branches are one."""
        return ''
