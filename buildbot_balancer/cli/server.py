# SPDX-License-Identifier: GPL-2.0-or-later
"""Server: a master's data API over HTTP. What goes wrong is one sentence."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import quote
from urllib.parse import urlsplit
from urllib.parse import urlunsplit

import attrs
import requests

from buildbot_balancer import __version__
from buildbot_balancer.availability.text import clean
from buildbot_balancer.cli import trouble
from buildbot_balancer.cli.faults import NotAllowedError
from buildbot_balancer.cli.faults import ServerError
from buildbot_balancer.cli.faults import UnknownNameError
from buildbot_balancer.cli.login import SESSIONS
from buildbot_balancer.cli.login import Login

CONNECT_TIMEOUT = 10.0  # seconds
TIMEOUT = 60.0  # seconds for one whole answer
LARGEST = 64 * 2**20  # bytes of one answer
PAGE = 1000  # objects asked for at once
REFUSED = -32000  # JSON-RPC: the master understands, and says no

Item = dict[str, Any]


@attrs.frozen(kw_only=True)
class Answer:
    status: int
    body: bytes
    location: str = ''

    def json(self) -> Any:
        """None where it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def error(self) -> str:
        """The sentence in an error of Buildbot's, '' where there is none."""
        said = self.json()
        found = said.get('error') if isinstance(said, dict) else None
        if isinstance(found, dict):  # an answer to a control
            found = found.get('message')
        return clean(found, 500) if isinstance(found, str) else ''

    @property
    def redirects(self) -> bool:
        return 300 <= self.status < 400


@attrs.frozen
class Found:
    """Objects of a collection; `total` is how many there are."""

    items: list[Item]
    total: int


def base_url(text: str) -> str:
    """The master's address, as somebody copied it from a browser; raises ServerError."""
    try:
        parts = urlsplit(text.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {'http', 'https'}:
        raise ServerError(
            f'"{clean(text, 100)}" is no address of a master (such as https://ci.example.com/)'
        )
    if '@' in parts.netloc:
        raise ServerError('the address may hold no user and no password: give --user NAME')
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip('/'), '', ''))


class Server:
    """Follows no redirect, for it would carry the credentials; tries nothing twice."""

    def __init__(self, url: str, login: Login) -> None:
        self.url = base_url(url)
        self._login = login
        self._shown = clean(self.url, 200)
        self._entered = login.is_anonymous or login.has_session
        self._session = requests.Session()
        self._session.auth = login
        self._session.headers['User-Agent'] = f'buildbot-balancer/{__version__}'
        self._session.headers['Accept'] = 'application/json'
        for name, value in login.cookies:
            self._session.cookies.set(name, value)

    def many(self, *path: object, limit: int | None = None, **query: object) -> Found:
        """All objects of a collection, or the first `limit`; raises ServerError."""
        items: list[Item] = []
        while True:
            page = PAGE if limit is None else min(PAGE, limit - len(items))
            found = self._page(path, {**query, 'limit': page, 'offset': len(items)})
            items += found.items
            done = len(items) >= found.total or len(items) == limit
            if done or not found.items:
                return attrs.evolve(found, items=items)

    def one(self, collection: str, number: int) -> Item | None:
        """None: there is no such object, or no Balancer. Raises ServerError."""
        answer = self._call('GET', (collection, number))
        if answer.status == 404:
            return None
        items = self._objects(answer).items
        return items[0] if items else None

    def control(self, collection: str, number: int, method: str, params: Item) -> Any:
        """What the master answers; raises ServerError and NotAllowedError with its sentence."""
        call = {'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': params}
        answer = self._call('POST', (collection, number), json=call)
        said = answer.json()
        if answer.status == 200 and isinstance(said, dict) and 'result' in said:
            return said['result']
        if not answer.error:
            raise trouble.strange(self._shown, answer.status)
        if said['error'].get('code') == REFUSED:
            raise NotAllowedError(answer.error)
        if answer.status == 404:
            raise UnknownNameError(answer.error)
        raise ServerError(answer.error)

    def _page(self, path: tuple[object, ...], query: Item) -> Found:
        answer = self._call('GET', path, params=query)
        if answer.status == 404 and answer.error:
            raise trouble.missing(self._shown, answer.error)
        return self._objects(answer)

    def _objects(self, answer: Answer) -> Found:
        said = answer.json()
        if answer.status == 200 and isinstance(said, dict):
            lists = [value for key, value in said.items() if key.startswith('balancer_')]
            if len(lists) == 1 and _are_objects(lists[0]):
                return Found(lists[0], _total(said, len(lists[0])))
        if answer.error:
            raise ServerError(f'{self._shown}: {answer.error} (HTTP {answer.status})')
        raise trouble.strange(self._shown, answer.status)

    def _call(self, method: str, path: tuple[object, ...], **more: Any) -> Answer:
        self._enter()
        # a builder or a lock may have a slash in its name
        parts = '/'.join(quote(str(part), safe='') for part in path)
        answer = self._ask(method, f'/api/v2/balancer/{parts}', **more)
        self._refuse(answer, f'/api/v2/balancer/{parts}')
        return answer

    def _enter(self) -> None:
        """Gets a session of Buildbot's, once."""
        if self._entered:
            return
        self._entered = True
        if self._login.user:
            answer = self._ask('GET', '/auth/login')
            if answer.status == 401:
                raise NotAllowedError(f'{self._shown}: wrong user or password')
            if self._has_session():
                return
            if answer.redirects:
                raise trouble.other_login(self._shown, answer.location)
        # Behind a proxy that checks users, Buildbot takes its word at the front page alone.
        self._refuse(self._ask('GET', '/'), '/')

    def _has_session(self) -> bool:
        return any(cookie.name.startswith(SESSIONS) for cookie in self._session.cookies)

    def _refuse(self, answer: Answer, path: str) -> None:
        if answer.redirects:
            raise trouble.redirected(self._shown, path, answer.location)
        if answer.status in {401, 403}:
            raise trouble.forbidden(self._shown, answer.error, anonymous=self._login.is_anonymous)

    def _ask(self, method: str, path: str, **more: Any) -> Answer:
        try:
            with self._session.request(
                method,
                f'{self.url}{path}',
                timeout=(min(CONNECT_TIMEOUT, TIMEOUT), TIMEOUT),
                allow_redirects=False,
                stream=True,
                **more,
            ) as response:
                return Answer(
                    status=response.status_code,
                    body=self._body(response),
                    location=response.headers.get('Location', ''),
                )
        except (requests.RequestException, ValueError) as e:
            raise trouble.of(self._shown, e, TIMEOUT) from e

    def _body(self, response: requests.Response) -> bytes:
        ends = time.monotonic() + TIMEOUT
        body = bytearray()
        for chunk in response.iter_content(2**16):
            body += chunk
            if len(body) > LARGEST:
                raise trouble.strange(self._shown, response.status_code)
            if time.monotonic() > ends:
                raise requests.Timeout
        return bytes(body)


def _are_objects(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(item, dict) for item in found)


def _total(said: Item, least: int) -> int:
    meta = said.get('meta')
    total = meta.get('total') if isinstance(meta, dict) else None
    return total if isinstance(total, int) and total > least else least
