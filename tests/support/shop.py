# SPDX-License-Identifier: GPL-2.0-or-later
"""A stand-in for the Balancer's part of the data API: the browser's questions end here.

For what a real master cannot be brought to in a test: ten thousand requests, answers that fail.
The JSON is made of the same data classes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl
from urllib.parse import urlsplit

from playwright.sync_api import Page
from playwright.sync_api import Route
from playwright.sync_api import WebSocketRoute

from buildbot_balancer.explain.event import Event
from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.explain.sights import Count
from buildbot_balancer.explain.sights import LockSight
from buildbot_balancer.explain.sights import RequestSight
from buildbot_balancer.explain.sights import Sample
from buildbot_balancer.explain.sights import WorkerSight
from buildbot_balancer.explain.sights import to_json

PREFIX = '/api/v2/balancer/'
PLURALS = {
    'workers': 'balancer_workers',
    'requests': 'balancer_requests',
    'locks': 'balancer_locks',
    'builders': 'balancer_builders',
    'history': 'balancer_events',
    'samples': 'balancer_samples',
}
IDS = {'workers': 'workerid', 'requests': 'buildrequestid', 'builders': 'builderid'}


class Shop:
    """Lists of sights; a test changes them and says so with `tell`."""

    def __init__(self) -> None:
        self.shelves: dict[str, list[Any]] = {
            'workers': [],
            'requests': [],
            'locks': [],
            'builders': [],
            'history': [],
        }
        self.samples: Callable[[int], Sequence[Sample]] = lambda _: ()
        self.broken: tuple[int, str] | None = None  # status and body of each answer
        self.asked: list[str] = []
        self.posted: list[dict[str, Any]] = []
        self._sockets: list[WebSocketRoute] = []
        self._topics: set[str] = set()

    def serve(self, page: Page) -> None:
        page.route(lambda url: PREFIX in url, self._answer)
        page.route_web_socket(lambda url: urlsplit(url).path.endswith('/ws'), self._connected)

    @property
    def heard(self) -> bool:
        return bool(self._topics)

    def tell(self, kind: str, key: str) -> None:
        """An event, as of the master's mq."""
        for socket in self._sockets:
            socket.send(json.dumps({'k': f'{PLURALS[kind]}/{key}/updated', 'm': {}}))

    def hang_up(self) -> None:
        sockets, self._sockets = self._sockets, []
        for socket in sockets:
            socket.close()

    def _connected(self, socket: WebSocketRoute) -> None:
        self._sockets.append(socket)
        socket.on_message(lambda said: self._hear(socket, json.loads(said)))

    def _hear(self, socket: WebSocketRoute, said: dict[str, Any]) -> None:
        if said['cmd'] == 'startConsuming':
            self._topics.add(said['path'])
        socket.send(json.dumps({'code': 200, 'msg': 'OK', '_id': said['_id']}))

    def _answer(self, route: Route) -> None:
        url = urlsplit(route.request.url)
        self.asked.append(url.path.split(PREFIX)[1])
        if self.broken is not None:
            status, body = self.broken
            route.fulfill(status=status, body=body, content_type='application/json')
        elif route.request.method == 'POST':
            self.posted.append(json.loads(route.request.post_data or ''))
            route.fulfill(json={'jsonrpc': '2.0', 'id': 1, 'result': None})
        else:
            self._get(route, self.asked[-1].split('/'), dict(parse_qsl(url.query)))

    def _get(self, route: Route, path: list[str], query: dict[str, str]) -> None:
        kind, found = path[0], self.shelves[path[0]]
        if len(path) > 1:
            field = IDS[kind]
            found = [one for one in found if str(getattr(one, field)) == path[1]]
            if not found:
                route.fulfill(status=404, json={'error': f'there is no {kind[:-1]} {path[1]}'})
                return
        if len(path) > 2:
            kind = path[2]
            found = self._below(kind, path[1])
        chosen = [one for one in found if _passes(one, query)]
        begin, size = int(query.get('offset', 0)), int(query.get('limit', 10**9))
        rows = [to_json(one) for one in chosen[begin : begin + size]]
        route.fulfill(json={PLURALS[kind]: rows, 'meta': {'total': len(chosen)}})

    def _below(self, kind: str, key: str) -> Sequence[Any]:
        if kind == 'samples':
            return self.samples(int(key))
        if kind == 'requests':
            return [one for one in self.shelves[kind] if str(one.builderid) == key]
        return [one for one in self.shelves['history'] if str(one.request) == key]


def _passes(sight: Any, query: dict[str, str]) -> bool:
    for name, value in query.items():
        field, _, op = name.partition('__')
        if not hasattr(sight, field):
            continue
        said = str(getattr(sight, field))
        if not (value in said if op == 'contains' else said.lower() == value):
            return False
    return True


def worker(number: int, **more: Any) -> WorkerSight:
    said: dict[str, Any] = {
        'workerid': number,
        'name': f'w{number:04}',
        'mood': 'eager',
        'reason': None,
        'source': 'default',
        'until': None,
        'load': 0.25,
        'fresh': True,
        'reported_at': time.time(),
        'running': 1,
        'summary': 'runs 1 of at most 2 builds',
    }
    return WorkerSight(**{**said, **more})


def request(number: int, **more: Any) -> RequestSight:
    said: dict[str, Any] = {
        'buildrequestid': number,
        'builderid': 1,
        'buildername': 'win',
        'priority': 0,
        'submitted_at': time.time() - 600,
        'position': number,
        'state': 'waiting',
        'reason': '0 of 12 workers: 7 busy, 5 reluctant',
        'verdicts': (
            Count(code='busy', count=7, names=('w0001', 'w0002')),
            Count(code='reluctant', count=5, names=('w0003',)),
        ),
    }
    return RequestSight(**{**said, **more})


def lock(name: str, **more: Any) -> LockSight:
    return LockSight(**{'name': name, 'group': '', 'max': 1, 'held': 0, **more})


def builder(number: int, **more: Any) -> BuilderSight:
    return BuilderSight(**{'builderid': number, 'name': f'b{number}', **more})


def event(number: int, **more: Any) -> Event:
    return Event(**{'eventid': number, 'kind': 'mood', 'at': time.time() - number, **more})
