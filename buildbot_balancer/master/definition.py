# SPDX-License-Identifier: GPL-2.0-or-later
"""Definition: a lock as the config names it, of Buildbot's own or of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock

from buildbot_balancer.locks import config
from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.locks.realbranch import NO_BRANCH
from buildbot_balancer.locks.realgroup import Group
from buildbot_balancer.master import compat


@attrs.frozen(eq=False)
class Definition:
    """`real`: the lock that stands behind it; None: nobody has used it yet."""

    lockid: Any
    real: Any
    master: Any

    @property
    def name(self) -> str:
        return str(self.lockid.name)

    @property
    def where(self) -> str:
        """In which of its parts it is free, if it is in all of them; '' where it has none."""
        if isinstance(self.lockid, BranchLock):
            return 'on every branch'
        if isinstance(self.lockid, WorkerGroupLock):
            return 'in every group'
        return 'on every worker' if isinstance(self.lockid, WorkerLock) else ''

    @property
    def alike(self) -> bool:
        """All of its parts have the same limit."""
        names = ('maxCountForBranch', 'maxCountForGroup', 'maxCountForWorker')
        return not any(getattr(self.lockid, name, None) for name in names)

    def limits(self, group: str) -> Iterator[int | None]:
        """Of the part that is called so; none where there is no such part."""
        if isinstance(self.lockid, BranchLock):
            yield self.lockid.limit_of(None if group == NO_BRANCH else group)
        elif isinstance(self.lockid, WorkerGroupLock):
            yield from self._of_group(group)
        elif isinstance(self.lockid, WorkerLock):
            if compat.worker_named(self.master, group) is not None:
                yield self.lockid.maxCountForWorker.get(group, self.lockid.maxCount)
        elif not group:
            yield self.lockid.maxCount

    def _of_group(self, group: str) -> Iterator[int | None]:
        if self.lockid.is_group(group) or group in self.lockid.maxCountForGroup:
            yield self.lockid.limit_of(Group(group))
        elif self.real is not None and compat.worker_named(self.master, group) is not None:
            found = self.real.group_of(group)
            if found.own:
                yield self.lockid.limit_of(found)


def definitions(master: Any, real_locks: list[Any]) -> dict[str, list[Definition]]:
    """By name, of the config in force. A lock that a renderable gives is among them once it has
    been given.
    """
    real = {(type(one), one.lockName): one for one in real_locks}
    found: dict[str, list[Definition]] = {}
    for key, lockid in config.named(master.config).items():
        made = Definition(lockid, real.pop(key, None), master)
        found.setdefault(made.name, []).append(made)
    for one in real.values():
        if one.config_version == master.config_version:
            made = Definition(_lockid_of(one), one, master)
            found.setdefault(made.name, []).append(made)
    return found


def _lockid_of(real: Any) -> Any:
    """Buildbot's own keep what their lock id said, and not the lock id."""
    if hasattr(real, 'lockid'):
        return real.lockid
    if hasattr(real, 'maxCountForWorker'):
        return WorkerLock(real.lockName, real.maxCount, real.maxCountForWorker)
    return MasterLock(real.lockName, real.maxCount)
