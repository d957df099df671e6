# SPDX-License-Identifier: GPL-2.0-or-later
"""Which locks of a build could not be had on a worker now."""

from __future__ import annotations

from typing import Any


async def real_locks(builder: Any) -> list[tuple[Any, Any]]:
    """The (real lock, access) pairs of a builder; [] where they are known only with a build.

    A renderable needs the properties of a build on one worker; Buildbot's own canStartBuild
    renders it when that worker is about to be chosen.
    """
    locks = builder.config.locks
    if not isinstance(locks, (list, tuple)) or not locks:
        return []
    return list(await builder.botmaster.getLockFromLockAccesses(locks, builder.config_version))


def held(locks: list[tuple[Any, Any]], workername: str) -> list[Any]:
    """The real locks that a build on this worker would have to wait for."""
    found = []
    for one, access in locks:
        lock = one.getLockForWorker(workername)
        if not lock.isAvailable(None, access):
            found.append(lock)
    return found
