# SPDX-License-Identifier: GPL-2.0-or-later
"""``balancer/workers/N/samples``: a worker in the last hour, oldest first."""

from __future__ import annotations

from typing import Any
from typing import ClassVar

from buildbot.data import base
from buildbot.data import types

from buildbot_balancer.www.endpoint import Endpoint
from buildbot_balancer.www.listing import listed
from buildbot_balancer.www.number import Number


class BalancerSamplesEndpoint(Endpoint):
    kind = base.EndpointKind.COLLECTION
    pathPatterns: ClassVar[list[str]] = [
        '/balancer/workers/n:workerid/samples',
        '/balancer/workers/s:workername/samples',
    ]

    async def answer(self, spec: Any, kwargs: dict[str, Any]) -> Any:
        return listed(self.sight.samples(self.worker(kwargs).workerid), spec)


class BalancerSample(base.ResourceType):  # type: ignore[misc]  # Buildbot has no types
    name = 'balancer_sample'
    plural = 'balancer_samples'
    endpoints: ClassVar[list[Any]] = [BalancerSamplesEndpoint]

    class EntityType(types.Entity):  # type: ignore[misc]
        at = Number()
        load = types.NoneOk(Number())
        running = types.Integer()

    entityType = EntityType(name)
