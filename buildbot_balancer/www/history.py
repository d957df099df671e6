# SPDX-License-Identifier: GPL-2.0-or-later
"""``balancer/history``: who did what and when, newest first; also of one worker, request or lock.

What has left the config or Buildbot's tables is unknown only when the history does not know it
either.
"""

from __future__ import annotations

from typing import Any
from typing import ClassVar

import attrs
from buildbot.data import base
from buildbot.data import types
from buildbot.data.base import ListResult

from buildbot_balancer.explain.event import HELD
from buildbot_balancer.explain.event import WAITED
from buildbot_balancer.www.endpoint import Endpoint
from buildbot_balancer.www.endpoint import is_id
from buildbot_balancer.www.endpoint import unknown
from buildbot_balancer.www.listing import check_page
from buildbot_balancer.www.listing import listed
from buildbot_balancer.www.listing import paged
from buildbot_balancer.www.number import Number

NEWEST = 10_000  # events that are looked through, at most
_AS_IT_COMES = ((), ('-at',))
_ABOUT = {'worker': 'worker', 'request': 'build request', 'lock': 'lock'}
_LONGEST_FIRST = ('-duration',)


@attrs.define
class Question:
    """What the history itself is asked for; the rest of a spec is done afterwards."""

    about: dict[str, Any]
    kinds: tuple[str, ...] = ()
    since: float | None = None

    def take(self, spec: Any) -> None:
        """Takes out of `spec` the filters that the history knows."""
        for one in list(spec.filters):
            if self._took(one):
                spec.filters.remove(one)

    def _took(self, one: Any) -> bool:
        if one.field in _ABOUT and one.op == 'eq' and len(one.values) == 1:
            if one.field in self.about:
                return False
            self.about[one.field] = one.values[0]
        elif one.field == 'kind' and one.op in {'eq', 'in'} and not self.kinds:
            self.kinds = tuple(one.values)
        elif one.field == 'at' and one.op == 'ge' and self.since is None:
            self.since = one.values[0]
        else:
            return False
        return True

    @property
    def is_of_one_duration(self) -> bool:
        return self.kinds in {(HELD,), (WAITED,)} and not self.about


class BalancerEventsEndpoint(Endpoint):
    kind = base.EndpointKind.COLLECTION
    pathPatterns: ClassVar[list[str]] = [
        '/balancer/history',
        '/balancer/workers/n:workerid/history',
        '/balancer/workers/s:workername/history',
        '/balancer/requests/n:buildrequestid/history',
        '/balancer/locks/s:lockname/history',
    ]

    async def answer(self, spec: Any, kwargs: dict[str, Any]) -> Any:
        check_page(spec)
        history = self.history
        about = await self._about(kwargs)
        question = Question(dict(about))
        question.take(spec)
        found = await _found(history, question, spec)
        if about and not found.total and not await self._is_known(history, about, kwargs):
            ((what, name),) = about.items()
            raise unknown(_ABOUT[what], name)
        return found

    async def _about(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        if 'workerid' in kwargs:
            return {'worker': await self._name_of(kwargs['workerid'])}
        if 'workername' in kwargs:
            return {'worker': kwargs['workername']}
        if 'buildrequestid' in kwargs:
            if not is_id(kwargs['buildrequestid']):
                raise unknown('build request', kwargs['buildrequestid'])
            return {'request': kwargs['buildrequestid']}
        return {'lock': kwargs['lockname']} if kwargs else {}

    async def _name_of(self, workerid: int) -> str:
        """Also of a worker that has left the config."""
        found = await self.master.data.get(('workers', workerid)) if is_id(workerid) else None
        if found is None:
            raise unknown('worker', workerid)
        return str(found['name'])

    async def _is_known(self, history: Any, about: dict[str, Any], kwargs: dict[str, Any]) -> bool:
        if await history.find(**about, limit=1):
            return True
        if 'request' in about:
            return await self.sight.request(about['request']) is not None
        if 'lock' in about:
            return bool(self.sight.lock(about['lock']))
        named = any(one.name == about['worker'] for one in self.sight.workers())
        return named or 'workerid' in kwargs


async def _found(history: Any, question: Question, spec: Any) -> ListResult:
    asked = {**question.about, 'kinds': question.kinds, 'since': question.since}
    order, offset = tuple(spec.order or ()), spec.offset or 0
    limit = NEWEST if spec.limit is None else spec.limit
    if not spec.filters and order in _AS_IT_COMES:
        page = await history.find(**asked, offset=offset, limit=limit)
    elif not spec.filters and order == _LONGEST_FIRST and question.is_of_one_duration:
        kind, most = question.kinds[0], offset + limit
        longest = await history.longest(kind, limit=most, since=question.since)
        page = longest[offset:]
    else:
        return listed(await history.find(**asked, limit=NEWEST), spec)
    if len(page) < limit and (page or not offset):
        return paged(page, offset + len(page), spec)
    return paged(page, await history.count(**asked), spec)


class BalancerEvent(base.ResourceType):  # type: ignore[misc]  # Buildbot has no types
    name = 'balancer_event'
    plural = 'balancer_events'
    endpoints: ClassVar[list[Any]] = [BalancerEventsEndpoint]

    class EntityType(types.Entity):  # type: ignore[misc]
        eventid = types.NoneOk(types.Integer())
        kind = types.String()
        at = Number()
        worker = types.NoneOk(types.String())
        builder = types.NoneOk(types.String())
        request = types.NoneOk(types.Integer())
        lock = types.NoneOk(types.String())
        group = types.NoneOk(types.String())
        mood = types.NoneOk(types.String())
        reason = types.NoneOk(types.String())
        source = types.NoneOk(types.String())
        until = types.NoneOk(Number())
        actor = types.NoneOk(types.String())
        duration = types.NoneOk(Number())

    entityType = EntityType(name)
