# SPDX-License-Identifier: GPL-2.0-or-later
"""Api: the data API of the master, over HTTP."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from demo.recipe import SCHEDULER

TIMEOUT = 10.0  # seconds
LAST = 60  # builds and requests that are looked at; those of the demo are far fewer


class ApiError(Exception):
    """No answer, or none that can be used."""


class Api:
    def __init__(self, url: str) -> None:
        self._url = url
        # loopback is not reached through a proxy
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def page(self) -> str:
        """The page of the web UI."""
        return self._fetch(urllib.request.Request(self._url))  # noqa: S310  http, ours

    def plugin(self) -> str:
        """What the browser loads of the Balancer's page first."""
        return self._fetch(
            urllib.request.Request(f'{self._url}plugins/balancer/scripts.js')  # noqa: S310  ours
        )

    def moods(self) -> dict[str, str]:
        """As the master knows them, by worker's name."""
        answer = self._json(
            urllib.request.Request(f'{self._url}api/v2/balancer/workers')  # noqa: S310  as above
        )
        return {one['name']: one['mood'] for one in answer['balancer_workers']}

    def names(self) -> dict[int, str]:
        """Of the workers, by id."""
        return {one['workerid']: one['name'] for one in self._list('workers', '')}

    def builds(self) -> list[dict[str, Any]]:
        return self._list('builds', f'?order=-buildid&limit={LAST}')

    def requests(self) -> list[dict[str, Any]]:
        return self._list('buildrequests', f'?order=-buildrequestid&limit={LAST}')

    def force(self, reason: str) -> int:
        """Submits one request; returns its id."""
        call = {'jsonrpc': '2.0', 'id': 1, 'method': 'force', 'params': {'reason': reason}}
        request = urllib.request.Request(  # noqa: S310  as above
            f'{self._url}api/v2/forceschedulers/{SCHEDULER}',
            data=json.dumps(call).encode(),
            headers={'Content-Type': 'application/json'},
        )
        _, made = self._json(request)['result']
        return int(next(iter(made.values())))

    def _list(self, kind: str, query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._json(
            urllib.request.Request(f'{self._url}api/v2/{kind}{query}')  # noqa: S310  as above
        )[kind]
        return found

    def _json(self, request: urllib.request.Request) -> Any:
        try:
            return json.loads(self._fetch(request))
        except ValueError as e:
            raise ApiError(f'The master answered with something else than JSON: {e}.') from e

    def _fetch(self, request: urllib.request.Request) -> str:
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as e:
            said = e.read().decode(errors='replace')[:300]
            raise ApiError(f'The master answered with {e.code}: {said}') from e
        except (OSError, http.client.HTTPException) as e:
            raise ApiError(f'The master does not answer: {e}.') from e
