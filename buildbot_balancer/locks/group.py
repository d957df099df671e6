# SPDX-License-Identifier: GPL-2.0-or-later
"""WorkerGroupLock: a limit for all workers that share something, together."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import ClassVar
from typing import Optional

from buildbot import config
from buildbot.locks import LockAccess
from buildbot.locks import WorkerLock

from buildbot_balancer.locks import arguments
from buildbot_balancer.locks.access import GroupAccess
from buildbot_balancer.locks.names import Names
from buildbot_balancer.locks.names import largest
from buildbot_balancer.locks.realgroup import Group
from buildbot_balancer.locks.realgroup import RealGroupLock
from buildbot_balancer.locks.realshared import RealSharedGroupLock
from buildbot_balancer.locks.turns import AGEING


class WorkerGroupLock(WorkerLock):  # type: ignore[misc]  # Buildbot has no types
    """``util.WorkerGroupLock('host', maxCount=2, workerToGroup={'msvc10': 'esx1'})``.

    `maxCount`: the units of each group (None: no limit). `maxCountForGroup`: other numbers, by
    group. `workerToGroup`: by worker's name or glob. `groupProperty`: a property of the workers
    that names their group, where workerToGroup does not; 'reported_host' is the machine that the
    worker's reporter tells of. A worker in no group has units of its own, as with
    util.WorkerLock. `order`: 'fifo', or 'priority', where each `ageing` seconds of waiting count
    as one point. `reserve` False: the Balancer keeps nothing for a build that prepares its worker.
    `shared` True: a group's units are counted over all masters that use one database.
    """

    compare_attrs: ClassVar[Sequence[str]] = (
        'limits',
        'groups',
        'groupProperty',
        'order',
        'ageing',
        'reserve',
        'shared',
    )
    lockClass: type[RealGroupLock] = RealGroupLock
    name: str
    maxCount: int | None

    def __init__(
        self,
        name: str,
        maxCount: int | None = 1,
        maxCountForGroup: Mapping[str, int | None] | None = None,
        workerToGroup: Mapping[str, str] | None = None,
        groupProperty: str | None = None,
        *,
        order: str = 'fifo',
        ageing: float = AGEING,
        reserve: bool = True,
        shared: bool = False,
    ) -> None:
        problems = [
            *arguments.name_problems(name),
            *arguments.limit_problems('maxCount', maxCount),
            *arguments.limits_problems('maxCountForGroup', maxCountForGroup, 'groups'),
            *arguments.groups_problems(workerToGroup),
            *arguments.text_problems('groupProperty', groupProperty),
            *arguments.order_problems(order, ageing),
            *arguments.bool_problems('reserve', reserve),
            *arguments.shared_problems(shared, reserve),
        ]
        for problem in problems:
            config.error(f'WorkerGroupLock {name!r}: {problem}')
        # Buildbot may collect errors and go on; then this is a lock that can be asked for accesses
        good = not problems
        super().__init__(name, maxCount if good else 1)
        self.maxCountForGroup = dict(maxCountForGroup or {}) if good else {}
        self.workerToGroup = dict(workerToGroup or {}) if good else {}
        self.groupProperty = groupProperty if good else None
        self.order = order
        self.ageing = ageing
        self.reserve = reserve
        self.shared = shared is True
        if self.shared:
            self.lockClass = RealSharedGroupLock
        # hashable and sorted, or each reconfig would look like a change
        self._groups = Names[Optional[str]](self.workerToGroup)
        self.groups = self._groups.key()
        self.limits = tuple(sorted(self.maxCountForGroup.items()))

    def access(self, mode: str, count: int = 1, group: Any = None) -> LockAccess:
        """`group`: a name or a renderable of one, instead of the group of the worker."""
        problems = list(arguments.access_problems(mode, count, self.most))
        for problem in problems:
            config.error(f'WorkerGroupLock {self.name!r}: {problem}')
        if problems:
            mode, count = 'counting', 1
        if group is None:
            return LockAccess(self, mode, count)
        return GroupAccess(self, mode, count, group)

    @property
    def most(self) -> int | None:
        """The largest limit of any group; None where there is none."""
        return largest([self.maxCount, *self.maxCountForGroup.values()])

    def listed_group(self, workername: str) -> str | None:
        """As workerToGroup says."""
        return self._groups.get(workername, None)

    def is_group(self, name: str) -> bool:
        """Some worker is said to be in it."""
        return name in self.workerToGroup.values()

    def limit_of(self, group: Group) -> int | None:
        """A worker's own units are limited by its name too, if no group is called so."""
        if group.own and self.is_group(group.name):
            return self.maxCount
        return self.maxCountForGroup.get(group.name, self.maxCount)
