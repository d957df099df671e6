# SPDX-License-Identifier: GPL-2.0-or-later
"""Which locks of a build could not be had on a worker now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from buildbot_balancer.locks import asking


@attrs.frozen(eq=False)
class Wanted:
    """The (real lock, access) pairs that a build of one request would take.

    `everywhere`: before it is known on which worker. `on`: by worker's name, where the locks are a
    renderable, which is rendered for each worker that is free.
    """

    request: Any
    everywhere: tuple[tuple[Any, Any], ...] = ()
    on: Mapping[str, list[tuple[Any, Any]]] = attrs.field(factory=dict)

    def held(self, workername: str) -> list[Any]:
        """The real locks that a build on this worker would have to wait for."""
        pairs = self.on.get(workername)
        if pairs is None:
            pairs = [
                (lock.getLockForWorker(workername), access) for lock, access in self.everywhere
            ]
        # with the request in the place of Buildbot's None, a BranchLock knows the branch
        return [lock for lock, access in pairs if not lock.isAvailable(self.request, access)]


async def wanted(builder: Any, places: list[Any], breq: Any) -> Wanted:
    """`places`: the WorkerForBuilders that are free."""
    locks = builder.config.locks
    if not locks:
        return Wanted(breq)
    if asking.need_properties(locks):
        on = {wfb.worker.workername: await asking.real_locks(builder, wfb, breq) for wfb in places}
        return Wanted(breq, on=on)
    pairs = await builder.botmaster.getLockFromLockAccesses(locks, builder.config_version)
    return Wanted(breq, everywhere=tuple(pairs))
