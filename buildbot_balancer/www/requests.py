# SPDX-License-Identifier: GPL-2.0-or-later
"""``balancer/requests``: why each one still waits.

The collection has the pending ones, in the order in which they will be looked at; a single one
may also run or be complete.
"""

from __future__ import annotations

from typing import Any
from typing import ClassVar

from buildbot.data import base
from buildbot.data import types

from buildbot_balancer.www.endpoint import Endpoint
from buildbot_balancer.www.endpoint import is_id
from buildbot_balancer.www.endpoint import unknown
from buildbot_balancer.www.listing import check_page
from buildbot_balancer.www.listing import listed
from buildbot_balancer.www.listing import paged
from buildbot_balancer.www.listing import row
from buildbot_balancer.www.number import Number

_AS_IT_COMES = (None, (), ('position',))


class BalancerRequestEndpoint(Endpoint):
    kind = base.EndpointKind.SINGLE
    pathPatterns: ClassVar[list[str]] = ['/balancer/requests/n:buildrequestid']

    async def answer(self, spec: Any, kwargs: dict[str, Any]) -> Any:
        number = kwargs['buildrequestid']
        found = await self.sight.request(number) if is_id(number) else None
        if found is None:
            raise unknown('build request', number)
        return row(found)


class BalancerRequestsEndpoint(Endpoint):
    kind = base.EndpointKind.COLLECTION
    pathPatterns: ClassVar[list[str]] = [
        '/balancer/requests',
        '/balancer/builders/n:builderid/requests',
        '/balancer/builders/s:buildername/requests',
    ]

    async def answer(self, spec: Any, kwargs: dict[str, Any]) -> Any:
        check_page(spec)
        builderid = self.builder(kwargs).builderid if kwargs else _one_builder(spec)
        order = None if spec.order is None else tuple(spec.order)
        if spec.filters or order not in _AS_IT_COMES:  # has to see all that wait
            everything, _ = await self.sight.requests(builderid=builderid)
            return listed(everything, spec)
        page, total = await self.sight.requests(
            offset=spec.offset or 0, limit=spec.limit, builderid=builderid
        )
        return paged(page, total, spec)


def _one_builder(spec: Any) -> int | None:
    """What a filter ``builderid=N`` asks for; it is taken out of `spec`."""
    for one in spec.filters:
        if one.field == 'builderid' and one.op == 'eq' and len(one.values) == 1:
            spec.filters.remove(one)
            return int(one.values[0])
    return None


class BalancerCountType(types.Entity):  # type: ignore[misc]  # Buildbot has no types
    code = types.String()
    count = types.Integer()
    names = types.List(of=types.String())


class BalancerRequest(base.ResourceType):  # type: ignore[misc]
    name = 'balancer_request'
    plural = 'balancer_requests'
    endpoints: ClassVar[list[Any]] = [BalancerRequestEndpoint, BalancerRequestsEndpoint]

    class EntityType(types.Entity):  # type: ignore[misc]
        buildrequestid = types.Integer()
        builderid = types.Integer()
        buildername = types.String()
        priority = types.Integer()
        submitted_at = Number()
        position = types.NoneOk(types.Integer())
        state = types.String()
        reason = types.String()
        verdicts = types.List(of=BalancerCountType('balancer_count'))
        master = types.NoneOk(types.String())

    entityType = EntityType(name)
