# SPDX-License-Identifier: GPL-2.0-or-later
"""``balancer/builders``: which ones are paused, by whom and why, and their control."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import ClassVar

from buildbot.data import base
from buildbot.data import types

from buildbot_balancer.www.control import Action
from buildbot_balancer.www.control import ControlEndpoint
from buildbot_balancer.www.endpoint import Endpoint
from buildbot_balancer.www.listing import listed
from buildbot_balancer.www.listing import row
from buildbot_balancer.www.number import Number
from buildbot_balancer.www.parameters import Parameters


async def _pause(control: Any, builderid: int, asked: Parameters) -> None:
    await control.pause_builder(builderid, asked.reason, asked.until, asked.user)


async def _resume(control: Any, builderid: int, asked: Parameters) -> None:
    await control.resume_builder(builderid, asked.user)


class BalancerBuilderEndpoint(ControlEndpoint):
    kind = base.EndpointKind.SINGLE
    pathPatterns: ClassVar[list[str]] = [
        '/balancer/builders/n:builderid',
        '/balancer/builders/s:buildername',
    ]
    actions: ClassVar[Mapping[str, Action]] = {
        'pause': Action(_pause, ('reason', 'until')),
        'resume': Action(_resume),
    }

    async def answer(self, spec: Any, kwargs: dict[str, Any]) -> Any:
        return row(self.builder(kwargs))

    def target(self, kwargs: dict[str, Any]) -> int:
        return self.builder(kwargs).builderid


class BalancerBuildersEndpoint(Endpoint):
    kind = base.EndpointKind.COLLECTION
    pathPatterns: ClassVar[list[str]] = ['/balancer/builders']

    async def answer(self, spec: Any, kwargs: dict[str, Any]) -> Any:
        return listed(self.sight.builders(), spec)


class BalancerBuilder(base.ResourceType):  # type: ignore[misc]  # Buildbot has no types
    name = 'balancer_builder'
    plural = 'balancer_builders'
    endpoints: ClassVar[list[Any]] = [BalancerBuilderEndpoint, BalancerBuildersEndpoint]

    class EntityType(types.Entity):  # type: ignore[misc]
        builderid = types.Integer()
        name = types.String()
        paused = types.Boolean()
        reason = types.NoneOk(types.String())
        until = types.NoneOk(Number())
        by = types.NoneOk(types.String())
        paused_at = types.NoneOk(Number())
        waiting = types.NoneOk(types.Integer())

    entityType = EntityType(name)
