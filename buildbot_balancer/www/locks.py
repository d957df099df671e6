# SPDX-License-Identifier: GPL-2.0-or-later
"""``balancer/locks``: who holds each lock and who waits for it.

A name may hold slashes, dots and any letter; in a path it is percent-encoded.
"""

from __future__ import annotations

import hashlib
from typing import Any
from typing import ClassVar

from buildbot.data import base
from buildbot.data import types

from buildbot_balancer.www.endpoint import Endpoint
from buildbot_balancer.www.endpoint import unknown
from buildbot_balancer.www.listing import listed
from buildbot_balancer.www.number import Number


def number_of(name: str, group: str) -> int:
    """For the keys of events, where a name would not do: the same as long as the names are."""
    named = f'{len(name)}:{name}{group}'.encode(errors='surrogatepass')
    return int.from_bytes(hashlib.sha256(named).digest()[:6], 'big')


class BalancerLocksEndpoint(Endpoint):
    kind = base.EndpointKind.COLLECTION
    pathPatterns: ClassVar[list[str]] = ['/balancer/locks', '/balancer/locks/s:lockname']

    async def answer(self, spec: Any, kwargs: dict[str, Any]) -> Any:
        if 'lockname' not in kwargs:
            return listed(self.sight.locks(), spec)
        found = self.sight.lock(kwargs['lockname'])
        if not found:
            raise unknown('lock', kwargs['lockname'])
        return listed(found, spec)


class BalancerShareType(types.Entity):  # type: ignore[misc]  # Buildbot has no types
    what = types.String()
    mode = types.String()
    count = types.Integer()
    since = types.NoneOk(Number())
    builderid = types.NoneOk(types.Integer())
    buildid = types.NoneOk(types.Integer())
    number = types.NoneOk(types.Integer())
    buildrequestid = types.NoneOk(types.Integer())
    worker = types.NoneOk(types.String())


class BalancerLock(base.ResourceType):  # type: ignore[misc]
    name = 'balancer_lock'
    plural = 'balancer_locks'
    endpoints: ClassVar[list[Any]] = [BalancerLocksEndpoint]

    class EntityType(types.Entity):  # type: ignore[misc]
        name = types.String()
        group = types.String()
        max = types.NoneOk(types.Integer())
        held = types.Integer()
        holders = types.List(of=BalancerShareType('balancer_share'))
        waiters = types.List(of=BalancerShareType('balancer_share'))
        summary = types.String()

    entityType = EntityType(name)
