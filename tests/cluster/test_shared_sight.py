# SPDX-License-Identifier: GPL-2.0-or-later
"""What three real masters on one PostgreSQL show of each other, and what is said through one."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from support.cluster import ClusterCase


class EachOther(ClusterCase):
    def setUp(self) -> None:
        self.serve(seconds=0.1)

    def ask(self, name: str, path: str, **call: Any) -> Any:
        """Of one master: something, or with `method` and `params` to do something."""
        body = {'jsonrpc': '2.0', 'id': 1, **call}
        request = urllib.request.Request(  # noqa: S310  http, ours
            f'{self.masters[name].api.url}api/v2/balancer/{path}',
            data=json.dumps(body).encode() if call else None,
            headers={'Content-Type': 'application/json'},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  as above
            return json.load(answer)

    def workers(self, name: str) -> dict[str, Any]:
        rows = self.ask(name, 'workers')['balancer_workers']
        return {row['name']: row for row in rows}

    def shows(self, name: str, of: dict[str, str]) -> bool:
        """Each worker as of its master, by the name of its folder."""
        shown = {worker: row['master'] for worker, row in self.workers(name).items()}
        own = {worker: master for worker, master in of.items() if master == name}
        if {worker for worker, master in shown.items() if master is None} != {*own}:
            return False
        return all((shown[one] or '').endswith(f'/{of[one]}') for one in {*of} - {*own})

    def moods(self, worker: str) -> set[str]:
        return {self.workers(name)[worker]['mood'] for name in self.masters}

    def test_each_shows_all_workers_and_what_is_said_through_one_holds_on_all(self) -> None:
        of = self.site.plan.workers

        self.until(lambda: all(self.shows(name, of) for name in self.masters))
        w3 = self.workers('m1')['w3']['workerid']
        params = {'mood': 'offline', 'reason': 'moving'}
        self.ask('m1', f'workers/{w3}', method='set', params=params)
        self.until(lambda: self.moods('w3') == {'offline'})
        requests = self.submit(20)
        self.until(lambda: self.completed(requests))
        self.assertNotIn('w3', self.used())
        self.ask('m3', f'workers/{w3}', method='resume', params={})
        self.until(lambda: self.moods('w3') == {'eager'})

    def used(self) -> set[str]:
        """The workers that have built something."""
        names = self.someone.api.names()
        return {names[one['workerid']] for one in self.someone.api.builds()}
