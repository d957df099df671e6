# SPDX-License-Identifier: GPL-2.0-or-later
"""The company of a lock: it is meant to stand beside a Balancer."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from buildbot_balancer.locks.hosts import BALANCER
from buildbot_balancer.log import say

_told: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # master: the version of its config


def miss(lock: Any) -> None:
    """One line for each config without a Balancer; Buildbot makes a lock when it is first used."""
    services = getattr(getattr(lock.master, 'config', None), 'services', None)
    if services is None or BALANCER in services:
        return
    version = lock.master.config_version
    if _told.get(lock.master) != version:
        _told[lock.master] = version
        say(
            f'{lock} is in use and there is no util.Balancer: a build may wait for such a lock on'
            f' a worker, which does nothing meanwhile'
        )
