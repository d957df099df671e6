# SPDX-License-Identifier: GPL-2.0-or-later
"""``balancer/workers``: what each worker is willing to do and does, and its control."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import ClassVar

from buildbot.data import base
from buildbot.data import types

from buildbot_balancer.availability.mood import AUTO
from buildbot_balancer.www.control import Action
from buildbot_balancer.www.control import ControlEndpoint
from buildbot_balancer.www.endpoint import Endpoint
from buildbot_balancer.www.listing import listed
from buildbot_balancer.www.listing import row
from buildbot_balancer.www.number import Number
from buildbot_balancer.www.parameters import Parameters


async def _set(control: Any, workerid: int, asked: Parameters) -> None:
    if asked.mood == AUTO:
        await control.resume_worker(workerid, asked.user)
    else:
        await control.set_worker(workerid, asked.mood, asked.reason, asked.until, asked.user)


async def _drain(control: Any, workerid: int, asked: Parameters) -> None:
    await control.drain_worker(workerid, asked.reason, asked.until, asked.user)


async def _resume(control: Any, workerid: int, asked: Parameters) -> None:
    await control.resume_worker(workerid, asked.user)


async def _forget(control: Any, workerid: int, asked: Parameters) -> dict[str, int]:
    return {'forgotten': await control.forget_worker(workerid, asked.user)}


class BalancerWorkerEndpoint(ControlEndpoint):
    kind = base.EndpointKind.SINGLE
    pathPatterns: ClassVar[list[str]] = [
        '/balancer/workers/n:workerid',
        '/balancer/workers/s:workername',
    ]
    actions: ClassVar[Mapping[str, Action]] = {
        'set': Action(_set, ('mood', 'reason', 'until')),
        'drain': Action(_drain, ('reason', 'until')),
        'resume': Action(_resume),
        'forget': Action(_forget),
    }

    async def answer(self, spec: Any, kwargs: dict[str, Any]) -> Any:
        return row(self.worker(kwargs))

    def target(self, kwargs: dict[str, Any]) -> int:
        return self.worker(kwargs).workerid


class BalancerWorkersEndpoint(Endpoint):
    kind = base.EndpointKind.COLLECTION
    pathPatterns: ClassVar[list[str]] = ['/balancer/workers']

    async def answer(self, spec: Any, kwargs: dict[str, Any]) -> Any:
        return listed(self.sight.workers(), spec)


class BalancerWorker(base.ResourceType):  # type: ignore[misc]  # Buildbot has no types
    name = 'balancer_worker'
    plural = 'balancer_workers'
    endpoints: ClassVar[list[Any]] = [BalancerWorkerEndpoint, BalancerWorkersEndpoint]

    class EntityType(types.Entity):  # type: ignore[misc]
        workerid = types.Integer()
        name = types.String()
        mood = types.String()
        reason = types.NoneOk(types.String())
        source = types.String()
        until = types.NoneOk(Number())
        load = types.NoneOk(Number())
        fresh = types.Boolean()
        reported_at = types.NoneOk(Number())
        running = types.Integer()
        summary = types.String()
        master = types.NoneOk(types.String())

    entityType = EntityType(name)
