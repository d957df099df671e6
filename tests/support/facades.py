# SPDX-License-Identifier: GPL-2.0-or-later
"""Stand-ins for what the Balancer shows and does, and the data API asked as by a browser."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs
from urllib.parse import unquote

from buildbot.data.base import EndpointKind
from buildbot.data.connector import DataConnector
from twisted.internet import defer

from buildbot_balancer.errors import BalancerError
from buildbot_balancer.explain.event import Event
from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.explain.sights import Count
from buildbot_balancer.explain.sights import LockSight
from buildbot_balancer.explain.sights import RequestSight
from buildbot_balancer.explain.sights import Sample
from buildbot_balancer.explain.sights import ShareSight
from buildbot_balancer.explain.sights import WorkerSight
from buildbot_balancer.www.resources import register

NOW = 1_790_000_000.0


def worker_sight(workerid: int, **more: Any) -> WorkerSight:
    facts: dict[str, Any] = {
        'name': f'w{workerid}',
        'mood': 'eager',
        'reason': None,
        'source': 'owner',
        'until': None,
        'load': 0.25 * workerid,
        'fresh': True,
        'reported_at': NOW - workerid,
        'running': 0,
        'summary': 'is free: nothing waits for it',
    }
    return WorkerSight(workerid=workerid, **{**facts, **more})


def request_sight(number: int, **more: Any) -> RequestSight:
    facts: dict[str, Any] = {
        'builderid': 1 + number % 2,
        'buildername': f'b{1 + number % 2}',
        'priority': number % 3,
        'submitted_at': NOW - number,
        'position': number,
        'state': 'waiting',
        'reason': '0 of 2 workers: 2 busy',
        'verdicts': (Count(code='busy', count=2, names=('w1', 'w2')),),
    }
    return RequestSight(buildrequestid=number, **{**facts, **more})


def lock_sight(name: str, group: str = '', **more: Any) -> LockSight:
    holder = ShareSight(what='win #41', mode='counting', count=1, since=NOW, builderid=1)
    waiter = ShareSight(what='request 7 of win', mode='counting', count=1, buildrequestid=7)
    facts: dict[str, Any] = {'max': 1, 'held': 1, 'holders': (holder,), 'waiters': (waiter,)}
    return LockSight(name=name, group=group, **{**facts, **more})


class FakeSight:
    """What it is given; `asked` tells what it was asked for."""

    def __init__(self) -> None:
        self.all_workers: list[WorkerSight] = []
        self.all_requests: list[RequestSight] = []
        self.others: dict[int, RequestSight] = {}  # that do not wait any more
        self.all_locks: list[LockSight] = []
        self.all_builders: list[BuilderSight] = []
        self.all_samples: dict[int, list[Sample]] = {}
        self.looks = 0
        self.asked: list[Any] = []

    async def look(self) -> None:
        self.looks += 1

    def workers(self) -> list[WorkerSight]:
        return list(self.all_workers)

    def worker(self, workerid: int) -> WorkerSight | None:
        self.asked.append(('worker', workerid))
        return next((one for one in self.all_workers if one.workerid == workerid), None)

    async def requests(
        self, offset: int = 0, limit: int | None = None, builderid: int | None = None
    ) -> tuple[list[RequestSight], int]:
        self.asked.append(('requests', offset, limit, builderid))
        wanted = [one for one in self.all_requests if builderid in {None, one.builderid}]
        end = None if limit is None else offset + limit
        return wanted[offset:end], len(wanted)

    async def request(self, requestid: int) -> RequestSight | None:
        self.asked.append(('request', requestid))
        pending = {one.buildrequestid: one for one in self.all_requests}
        return {**self.others, **pending}.get(requestid)

    def locks(self) -> list[LockSight]:
        self.asked.append('locks')
        return list(self.all_locks)

    def lock(self, name: str, group: str | None = None) -> list[LockSight]:
        return [one for one in self.all_locks if one.name == name and group in {None, one.group}]

    def builders(self) -> list[BuilderSight]:
        return list(self.all_builders)

    def samples(self, workerid: int) -> list[Sample]:
        return list(self.all_samples.get(workerid, ()))


class FakeHistory:
    """`events` are the newest first."""

    def __init__(self) -> None:
        self.problem = ''
        self.events: list[Event] = []
        self.asked: list[Any] = []

    async def find(
        self,
        *,
        worker: str | None = None,
        request: int | None = None,
        lock: str | None = None,
        kinds: tuple[str, ...] = (),
        since: float | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> list[Event]:
        self.asked.append((offset, limit))
        wanted = self._wanted(worker, request, lock, kinds, since)
        return wanted[offset : offset + limit]

    async def count(
        self,
        *,
        worker: str | None = None,
        request: int | None = None,
        lock: str | None = None,
        kinds: tuple[str, ...] = (),
        since: float | None = None,
    ) -> int:
        return len(self._wanted(worker, request, lock, kinds, since))

    def _wanted(
        self,
        worker: str | None,
        request: int | None,
        lock: str | None,
        kinds: tuple[str, ...],
        since: float | None,
    ) -> list[Event]:
        about = {'worker': worker, 'request': request, 'lock': lock}
        return [
            one
            for one in self.events
            if all(
                getattr(one, name) == value for name, value in about.items() if value is not None
            )
            and (not kinds or one.kind in kinds)
            and (since is None or one.at >= since)
        ]

    async def longest(self, kind: str, limit: int = 10, since: float | None = None) -> list[Event]:
        self.asked.append(('longest', kind, limit))
        wanted = [one for one in self.events if one.kind == kind and one.at >= (since or 0)]
        return sorted(wanted, key=lambda one: -(one.duration or 0))[:limit]


class FakeControl:
    """`done` tells what it was asked to do; `refusal` is what it says instead."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.refusal = ''

    async def _do(self, *what: Any) -> None:
        if self.refusal:
            raise BalancerError(self.refusal)
        self.done.append(what)

    async def set_worker(self, *what: Any) -> None:
        await self._do('set', *what)

    async def drain_worker(self, *what: Any) -> None:
        await self._do('drain', *what)

    async def resume_worker(self, *what: Any) -> None:
        await self._do('resume', *what)

    async def forget_worker(self, *what: Any) -> int:
        await self._do('forget', *what)
        return 3

    async def pause_builder(self, *what: Any) -> None:
        await self._do('pause', *what)

    async def resume_builder(self, *what: Any) -> None:
        await self._do('resume builder', *what)


class Facade:
    """What stands in the place of the Balancer."""

    def __init__(self) -> None:
        self.sight = FakeSight()
        self.history = FakeHistory()
        self.control = FakeControl()


class Api:
    """Buildbot's own data connector with our resources, on no more of a master than they need."""

    def __init__(self) -> None:
        self.facade = Facade()
        self.services: dict[str, Any] = {'balancer': self.facade}
        self.master = SimpleNamespace(
            service_manager=SimpleNamespace(namedServices=self.services),
            reactor=SimpleNamespace(seconds=lambda: NOW),
        )
        self.data = DataConnector()
        self.data.parent = SimpleNamespace(master=self.master)
        self.data._setup()
        self.master.data = self.data
        register(self.master)

    def get(self, path: str, query: str = '') -> defer.Deferred[Any]:
        """As www/rest.py asks: a ListResult, or a dict."""
        return defer.ensureDeferred(self._get(path, query))

    async def _get(self, path: str, query: str) -> Any:
        endpoint, kwargs = self.data.getEndpoint(_parts(path))
        arguments = parse_qs(query.encode(), keep_blank_values=True)
        spec = self.data.resultspec_from_jsonapi(
            arguments, endpoint.rtype.entityType, endpoint.kind == EndpointKind.COLLECTION
        )
        return spec.apply(await endpoint.get(spec, kwargs))

    def control(self, path: str, action: str, **args: Any) -> defer.Deferred[Any]:
        controlled: defer.Deferred[Any] = self.data.control(action, args, _parts(path))
        return controlled


def _parts(path: str) -> tuple[str, ...]:
    return tuple(unquote(part) for part in f'balancer/{path}'.split('/'))
