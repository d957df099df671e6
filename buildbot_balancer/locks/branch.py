# SPDX-License-Identifier: GPL-2.0-or-later
"""BranchLock: a limit for each branch."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import ClassVar
from typing import Optional

from buildbot import config
from buildbot.locks import LockAccess
from buildbot.locks import MasterLock

from buildbot_balancer.locks import arguments
from buildbot_balancer.locks.door import LockError
from buildbot_balancer.locks.names import Names
from buildbot_balancer.locks.names import largest
from buildbot_balancer.locks.realbranch import RealBranchLock
from buildbot_balancer.locks.realshared import RealSharedBranchLock
from buildbot_balancer.locks.turns import AGEING


class BranchLock(MasterLock):  # type: ignore[misc]  # Buildbot has no types
    """``util.BranchLock('version')``: one build at a time on each branch, over all workers.

    `maxCount`: the units of each branch (None: no limit). `maxCountForBranch`: other numbers, by
    branch or glob; None is the branch of builds that have none. `codebase`: whose branch counts,
    where builds have several codebases. `order`: 'fifo', or 'priority', where each `ageing`
    seconds of waiting count as one point. `reserve` False: the Balancer keeps nothing for a build
    that prepares its worker. `shared` True: a branch's units are counted over all masters that use
    one database.
    """

    compare_attrs: ClassVar[Sequence[str]] = (
        'limits',
        'codebase',
        'order',
        'ageing',
        'reserve',
        'shared',
    )
    lockClass: type[RealBranchLock] = RealBranchLock
    name: str
    maxCount: int | None

    def __init__(
        self,
        name: str,
        maxCount: int | None = 1,
        maxCountForBranch: Mapping[str | None, int | None] | None = None,
        codebase: str | None = None,
        *,
        order: str = 'fifo',
        ageing: float = AGEING,
        reserve: bool = True,
        shared: bool = False,
    ) -> None:
        limits = arguments.limits_problems(
            'maxCountForBranch', maxCountForBranch, 'branches or globs', none=True
        )
        problems = [
            *arguments.name_problems(name),
            *arguments.limit_problems('maxCount', maxCount),
            *limits,
            *arguments.text_problems('codebase', codebase),
            *arguments.order_problems(order, ageing),
            *arguments.bool_problems('reserve', reserve),
            *arguments.shared_problems(shared, reserve),
        ]
        for problem in problems:
            config.error(f'BranchLock {name!r}: {problem}')
        # Buildbot may collect errors and go on; then this is a lock that can be asked for accesses
        good = not problems
        super().__init__(name, maxCount if good else 1)
        self.maxCountForBranch = dict(maxCountForBranch or {}) if good else {}
        self.codebase = codebase if good else None
        self.order = order
        self.ageing = ageing
        self.reserve = reserve
        self.shared = shared is True
        if self.shared:
            self.lockClass = RealSharedBranchLock
        # hashable and sorted, or each reconfig would look like a change
        self._limits = Names[Optional[int]](self.maxCountForBranch)
        self.limits = self._limits.key()

    def access(self, mode: str, count: int = 1) -> LockAccess:
        problems = list(arguments.access_problems(mode, count, self.most))
        for problem in problems:
            config.error(f'BranchLock {self.name!r}: {problem}')
        if problems:
            mode, count = 'counting', 1
        return LockAccess(self, mode, count)

    @property
    def most(self) -> int | None:
        """The largest limit of any branch; None where there is none."""
        return largest([self.maxCount, *self.maxCountForBranch.values()])

    def limit_of(self, branch: str | None) -> int | None:
        return self._limits.get(branch, self.maxCount)

    def branch_of(self, sources: Sequence[Any]) -> str | None:
        """The branch that counts among the sourcestamps of a request or build."""
        if self.codebase is not None:
            sources = [one for one in sources if one.codebase == self.codebase]
        if len(sources) > 1:
            codebases = ', '.join(sorted(repr(one.codebase) for one in sources))
            raise LockError(
                f'BranchLock {self.name!r} must say whose branch counts: codebase= is one of'
                f' {codebases}'
            )
        branch = sources[0].branch if sources else None
        return None if branch is None else str(branch)
