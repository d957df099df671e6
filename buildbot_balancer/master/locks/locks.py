# SPDX-License-Identifier: GPL-2.0-or-later
"""Which locks a build of one request would take on a worker, and which it could not have now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from buildbot_balancer.locks import asking
from buildbot_balancer.locks.door import Door
from buildbot_balancer.locks.door import access_of
from buildbot_balancer.master.locks.reservations import Pair


@attrs.frozen(eq=False)
class Wanted:
    """The (real lock, access) pairs that a build of `request` would take.

    `everywhere`: before it is known on which worker. `on`: by worker's name, where the locks are a
    renderable, which is rendered for each worker that is free. `locks` is what the config said.
    """

    request: Any
    locks: Any = None
    everywhere: tuple[Pair, ...] = ()
    on: Mapping[str, list[Pair]] | None = None

    def is_known(self, workername: str) -> bool:
        """A worker that has become free while locks were rendered is left for the next look."""
        return self.on is None or workername in self.on

    def pairs(self, workername: str) -> list[Pair]:
        if self.on is not None:
            return self.on.get(workername, [])
        return [(lock.getLockForWorker(workername), access) for lock, access in self.everywhere]

    def missing(self, workername: str) -> list[Pair]:
        """Those that a build on this worker would have to wait for."""
        # with the request in the place of Buildbot's None, a BranchLock knows the branch
        missing = [
            (lock, access)
            for lock, access in self.pairs(workername)
            if not lock.isAvailable(self.request, access)
        ]
        # what all masters share is asked for when nothing else is in the way
        return sorted(missing, key=is_shared)

    def shared(self, workername: str) -> list[Pair]:
        """Those that all masters share: a build on this worker takes all of them at once."""
        return [pair for pair in self.pairs(workername) if is_shared(pair)]

    def is_never(self, pair: Pair) -> bool:
        """Waiting is of no use: it is more than the limit."""
        lock, access = pair
        if isinstance(lock, Door):
            return lock.never(self.request, access)
        access = access_of(access)
        return bool(access.mode == 'counting' and access.count > lock.maxCount)


def is_shared(pair: Pair) -> bool:
    return isinstance(pair[0], Door) and pair[0].shared


async def wanted(builder: Any, places: list[Any], breq: Any) -> Wanted:
    """`places`: the WorkerForBuilders that are free."""
    locks = builder.config.locks
    if not locks:
        return Wanted(breq, locks)
    if asking.need_properties(locks):
        on = {wfb.worker.workername: await asking.real_locks(builder, wfb, breq) for wfb in places}
        return Wanted(breq, locks, on=on)
    pairs = await builder.botmaster.getLockFromLockAccesses(locks, builder.config_version)
    return Wanted(breq, locks, everywhere=tuple(pairs))
