# SPDX-License-Identifier: GPL-2.0-or-later
"""A master's web server, asked over HTTP."""

from __future__ import annotations

import json
from typing import Any

import requests
from twisted.internet.threads import deferToThread

LOCAL = 'tcp:0:interface=127.0.0.1'
TIMEOUT = 60.0  # seconds: bounds a failure, it is no expectation


class Answer:
    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        self.content_type = response.headers.get('Content-Type', '')
        self.body = response.content

    def __repr__(self) -> str:
        return f'{self.status} {self.content_type} {self.body!r}'

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The sentence."""
        said = self.json['error']
        return str(said['message'] if isinstance(said, dict) else said)


class Web:
    """One user of it; `login` makes them somebody."""

    def __init__(self, master: Any) -> None:
        self._url = f'http://127.0.0.1:{master.www.getPortnum()}'
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands between us
        self._session.headers['Connection'] = 'close'

    async def login(self, name: str, password: str) -> None:
        answer = await self._ask('GET', '/auth/login', auth=(name, password), allow_redirects=False)
        assert answer.status == 302, answer

    async def get(self, path: str, accept: str = 'application/json') -> Answer:
        return await self._ask('GET', f'/api/v2/{path}', headers={'Accept': accept})

    async def call(self, path: str, method: str, **params: Any) -> Answer:
        return await self.post(
            path, json.dumps({'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': params})
        )

    async def post(self, path: str, body: str) -> Answer:
        headers = {'Content-Type': 'application/json'}
        return await self._ask('POST', f'/api/v2/{path}', headers=headers, data=body.encode())

    async def _ask(self, method: str, path: str, **more: Any) -> Answer:
        url = f'{self._url}{path}'
        return Answer(
            await deferToThread(self._session.request, method, url, timeout=TIMEOUT, **more)
        )
