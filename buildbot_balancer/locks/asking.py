# SPDX-License-Identifier: GPL-2.0-or-later
"""Asking: which locks a build of a request on a worker would take.

Buildbot renders locks when a worker is chosen only if all of ``locks=`` is one renderable, and
then without the branch. Here they are rendered as the build itself will render them.
"""

from __future__ import annotations

from typing import Any

from buildbot.interfaces import IRenderable
from buildbot.process.build import Build
from buildbot.process.locks import get_real_locks_from_accesses_raw
from buildbot.process.properties import Properties


def need_properties(locks: Any) -> bool:
    """Which locks they are depends on the request or on the worker."""
    if IRenderable.providedBy(locks):
        return True
    return any(IRenderable.providedBy(one) for one in locks or ())


async def real_locks(builder: Any, wfb: Any, breq: Any) -> list[tuple[Any, Any]]:
    """Pairs of a real lock and an access; ask each ``lock.isAvailable(breq, access)``.

    With the request in the place of Buildbot's None a BranchLock knows the branch.
    """
    locks = builder.config.locks
    properties = None
    if need_properties(locks):
        properties = Properties()
        await Build.setup_properties_known_before_build_starts(properties, [breq], builder, wfb)
        Build.setupBuildProperties(properties, [breq])
    pairs = await get_real_locks_from_accesses_raw(
        locks, properties, builder, wfb, builder.config_version
    )
    return list(pairs)
