# SPDX-License-Identifier: GPL-2.0-or-later
"""The company of a lock: it is meant to stand beside a Balancer."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from buildbot_balancer.locks.hosts import BALANCER
from buildbot_balancer.log import say

# master: the version of its config, for locks that are shared and for those that are not
_told: WeakKeyDictionary[Any, dict[bool, int]] = WeakKeyDictionary()


def miss(lock: Any) -> None:
    """One line for each config without a Balancer; Buildbot makes a lock when it is first used."""
    services = getattr(getattr(lock.master, 'config', None), 'services', None)
    if services is None or BALANCER in services:
        return
    version, shared = lock.master.config_version, bool(getattr(lock, 'shared', False))
    told = _told.setdefault(lock.master, {})
    if told.get(shared) == version:
        return
    told[shared] = version
    if shared:
        say(f'{lock} is shared and there is no util.Balancer: nobody on this master gets it')
    else:
        say(
            f'{lock} is in use and there is no util.Balancer: a build may wait for such a lock on'
            f' a worker, which does nothing meanwhile'
        )
