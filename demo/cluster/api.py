# SPDX-License-Identifier: GPL-2.0-or-later
"""Api: what the masters of a cluster say over HTTP."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from demo.api import Api as OneMaster
from demo.api import ApiError
from demo.cluster.recipe import SCHEDULER

MANY = 10_000  # more than there are


class Api(OneMaster):
    def __init__(self, name: str, url: str) -> None:
        super().__init__(url)
        self.name = name
        self.url = url

    def submit(self, builder: str, branch: str) -> int:
        """One request; returns its id."""
        params = {'builderNames': [builder], 'branch': branch, 'reason': 'cluster'}
        call = {'jsonrpc': '2.0', 'id': 1, 'method': 'force', 'params': params}
        answer = self._json(
            urllib.request.Request(  # noqa: S310  http, ours
                f'{self.url}api/v2/forceschedulers/{SCHEDULER}{self.name}',
                data=json.dumps(call).encode(),
                headers={'Content-Type': 'application/json'},
            )
        )
        _, made = answer['result']
        return int(next(iter(made.values())))

    def masters(self) -> list[dict[str, Any]]:
        return self._list('masters', '')

    def connected(self) -> list[str]:
        """The workers that are connected to any master, by what this one reads."""
        return [one['name'] for one in self._list('workers', '') if one['connected_to']]

    def builds(self) -> list[dict[str, Any]]:
        return self._list('builds', f'?limit={MANY}')

    def requests(self) -> list[dict[str, Any]]:
        return self._list('buildrequests', f'?limit={MANY}')

    def locks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._json(
            urllib.request.Request(f'{self.url}api/v2/balancer/locks')  # noqa: S310  as above
        )['balancer_locks']
        return found

    def answers(self) -> bool:
        try:
            return bool(self._list('masters', ''))
        except ApiError:
            return False
