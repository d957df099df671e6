# SPDX-License-Identifier: GPL-2.0-or-later
"""Obstacles: the locks that a request could not have, by the names that people are shown."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from buildbot.locks import RealMasterLock

from buildbot_balancer.availability.text import clean
from buildbot_balancer.locks.door import Door
from buildbot_balancer.locks.door import access_of
from buildbot_balancer.master.choice.engine import Outlook
from buildbot_balancer.master.locks.reservations import Pair

KEPT = 5  # locks
ASKED = 50  # workers: a thousand may each have a lock of their own
NAME = 200  # characters

Key = tuple[str, str]  # name and group, as of a LockSight


def in_the_way(outlook: Outlook) -> tuple[Key, ...]:
    """Also on workers that could not take the request for another reason."""
    found: dict[Key, None] = {}
    hindered = ((name, pairs) for name, pairs in outlook.missing.items() if pairs)
    for place, (name, pairs) in enumerate(hindered):
        if place == ASKED or len(found) >= KEPT:
            break
        found.update(dict.fromkeys(keys(outlook.wanted.request, name, pairs)))
    return tuple(found)[:KEPT]


def keys(requester: Any, workername: str, pairs: Iterable[Pair]) -> Iterator[Key]:
    for lock, access in pairs:
        name = clean(lock.lockName, NAME)
        if isinstance(lock, Door):
            semaphore = lock.known_for(requester, access_of(access))
            yield name, '' if semaphore is None else semaphore.group
        else:
            yield name, '' if isinstance(lock, RealMasterLock) else workername
