# SPDX-License-Identifier: GPL-2.0-or-later
"""A web server that answers as a master's data API would, or as badly as a test wants."""

from __future__ import annotations

import http.server
import json
import threading
from typing import Any
from typing import Callable
from typing import Union
from urllib.parse import parse_qs
from urllib.parse import urlsplit

import attrs
from click.testing import CliRunner
from click.testing import Result
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.cli.main import main

API = '/api/v2/balancer/'


@attrs.frozen(kw_only=True)
class Asked:
    """One request as the server got it."""

    method: str
    path: str  # as it came, percent-encoded
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any

    @property
    def cookie(self) -> str:
        return self.headers.get('cookie', '')

    @property
    def authorization(self) -> str:
        return self.headers.get('authorization', '')


@attrs.frozen
class Reply:
    status: int
    body: bytes = b''
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, status: int, value: Any, *headers: tuple[str, str]) -> Reply:
        return cls(status, json.dumps(value).encode(), headers)


Answering = Union[Reply, Callable[[Asked], Reply]]

NO_PATH = Reply.of(404, {'error': 'Invalid path: balancer'})


def collection(plural: str, items: list[dict[str, Any]]) -> Callable[[Asked], Reply]:
    """Pages as Buildbot does."""

    def answer(asked: Asked) -> Reply:
        offset = int(asked.query.get('offset', ['0'])[0])
        limit = int(asked.query.get('limit', ['1000000'])[0])
        page = items[offset : offset + limit]
        return Reply.of(200, {plural: page, 'meta': {'total': len(items)}})

    return answer


def single(plural: str, item: dict[str, Any]) -> Reply:
    return Reply.of(200, {plural: [item], 'meta': {}})


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """A client may leave in the middle; the captured output is the client's alone."""


class Stage:
    """`replies`: by path, with what comes for all other paths in `other`."""

    def __init__(self) -> None:
        self.replies: dict[str, Answering] = {}
        self.other: Answering = NO_PATH
        self.asked: list[Asked] = []
        stage = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stage._serve(self)

            do_POST = do_GET

            def log_message(self, *args: Any) -> None:
                pass

        self._server = Server(('127.0.0.1', 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={'poll_interval': 0.01}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self._server.server_port}'

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        length = int(handler.headers.get('Content-Length') or 0)
        body = handler.rfile.read(length)
        asked = Asked(
            method=handler.command,
            path=parts.path,
            query=parse_qs(parts.query),
            headers={key.lower(): value for key, value in handler.headers.items()},
            body=json.loads(body) if body else None,
        )
        self.asked.append(asked)
        found = self.replies.get(parts.path, self.other)
        reply = found(asked) if callable(found) else found
        handler.send_response(reply.status)
        for key, value in reply.headers:
            handler.send_header(key, value)
        handler.send_header('Content-Length', str(len(reply.body)))
        handler.end_headers()
        handler.wfile.write(reply.body)


class StageCase(SynchronousTestCase):
    """Commands against a Stage; `env` is added to their environment."""

    env: dict[str, str | None]

    def setUp(self) -> None:
        self.stage = Stage()
        self.addCleanup(self.stage.stop)
        names = ('URL', 'USER', 'PASSWORD', 'TOKEN', 'COOKIE')
        self.env = {
            **{f'BUILDBOT_BALANCER_{name}': None for name in names},
            'BUILDBOT_BALANCER_URL': self.stage.url,
            'NO_PROXY': '127.0.0.1',
        }

    def has(self, name: str, plural: str, items: list[dict[str, Any]]) -> None:
        """A collection at ``balancer/NAME``."""
        self.stage.replies[f'{API}{name}'] = collection(plural, items)

    def has_one(self, name: str, plural: str, item: dict[str, Any]) -> None:
        self.stage.replies[f'{API}{name}'] = single(plural, item)

    def run_it(self, *args: object, text: str | None = None) -> Result:
        return CliRunner().invoke(main, [str(arg) for arg in args], input=text, env=self.env)

    def run_ok(self, *args: object) -> str:
        result = self.run_it(*args)
        self.assertEqual(result.exit_code, 0, result.output)
        return result.output

    def refused(self, code: int, *args: object) -> str:
        """One sentence, and this exit code."""
        result = self.run_it(*args)
        self.assertEqual(result.exit_code, code, result.output)
        *_, last = result.output.splitlines()
        self.assertTrue(last.startswith('Error: '), result.output)
        self.assertNotIn('Traceback', result.output)
        return last

    def posted(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Path, method and parameters of what was controlled."""
        return [
            (asked.path[len(API) :], asked.body['method'], asked.body['params'])
            for asked in self.stage.asked
            if asked.method == 'POST'
        ]


def worker(name: str = 'w1', **more: Any) -> dict[str, Any]:
    return {
        'workerid': 1,
        'name': name,
        'mood': 'eager',
        'reason': None,
        'source': 'default',
        'until': None,
        'load': 0.5,
        'fresh': True,
        'reported_at': 1000.0,
        'running': 1,
        'summary': 'runs win #41',
        **more,
    }


def request(number: int = 7, **more: Any) -> dict[str, Any]:
    return {
        'buildrequestid': number,
        'builderid': 3,
        'buildername': 'win',
        'priority': 0,
        'submitted_at': 1000.0,
        'position': 1,
        'state': 'waiting',
        'reason': '0 of 2 workers: 2 busy',
        'verdicts': [{'code': 'busy', 'count': 2, 'names': ['w1', 'w2']}],
        **more,
    }


def share(what: str, **more: Any) -> dict[str, Any]:
    return {
        'what': what,
        'mode': 'counting',
        'count': 1,
        'since': None,
        'builderid': None,
        'buildid': None,
        'number': None,
        'buildrequestid': None,
        'worker': None,
        **more,
    }


def lock(name: str = 'host', group: str = 'esx1', **more: Any) -> dict[str, Any]:
    return {
        'name': name,
        'group': group,
        'max': 2,
        'held': 2,
        'holders': [share('win #41', worker='w1', since=1000.0), share('win #42')],
        'waiters': [share('request 7 of win')],
        'summary': '2 of 2 held',
        **more,
    }


def builder(name: str = 'win', **more: Any) -> dict[str, Any]:
    return {
        'builderid': 3,
        'name': name,
        'paused': False,
        'reason': None,
        'until': None,
        'by': None,
        'paused_at': None,
        'waiting': None,
        **more,
    }
