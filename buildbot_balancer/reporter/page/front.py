# SPDX-License-Identifier: GPL-2.0-or-later
"""Front: answers requests. Who is not let in learns how to be, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Callable

from buildbot_balancer.errors import BalancerError
from buildbot_balancer.errors import StoreError
from buildbot_balancer.reporter.page import guard
from buildbot_balancer.reporter.page import markup
from buildbot_balancer.reporter.page.ask import TEXT
from buildbot_balancer.reporter.page.ask import Answer
from buildbot_balancer.reporter.page.ask import Ask
from buildbot_balancer.reporter.page.ask import fields
from buildbot_balancer.reporter.page.form import Form
from buildbot_balancer.reporter.page.keys import Keys
from buildbot_balancer.reporter.page.keys import proof
from buildbot_balancer.reporter.page.keys import same
from buildbot_balancer.reporter.page.sight import Sight
from buildbot_balancer.reporter.word import Word

_STATIC = Path(__file__).parent / 'static'
_KINDS = {'page.css': 'text/css; charset=utf-8', 'page.js': 'text/javascript; charset=utf-8'}
_NONCE = 64
_Handler = Callable[[Ask], Answer]
_OLD = 'This address is not valid any more: each start of the worker makes a new one.'


class Front:
    """`keys` and `sight` tell what holds now; `speak` keeps a word, or raises StoreError."""

    def __init__(
        self,
        port: int,
        keys: Callable[[], Keys],
        sight: Callable[[], Sight],
        speak: Callable[[Word], None],
        now: Callable[[], float],
    ) -> None:
        self._port = port
        self._keys = keys
        self._sight = sight
        self._speak = speak
        self._now = now
        self._files = {
            f'/{name}': Answer(code=200, body=(_STATIC / name).read_bytes(), kind=kind)
            for name, kind in _KINDS.items()
        }

    def answer(self, ask: Ask) -> Answer:
        if not guard.is_for_us(ask, self._port):
            return _plain(421, f'This page is at http://127.0.0.1:{self._port}/ and nowhere else.')
        methods = self._methods(ask.path)
        handler = methods.get('GET' if ask.method == 'HEAD' else ask.method)
        if handler is not None:
            return handler(ask)
        if not methods:
            return _plain(404, 'There is nothing here.')
        allowed = ', '.join(sorted(methods))
        return _plain(405, f'Only {allowed} can be used here.', ('Allow', allowed))

    def _methods(self, path: str) -> Mapping[str, _Handler]:
        door = f'/{self._keys().door}/'
        if same(path[: len(door)], door):
            inside: dict[str, dict[str, _Handler]] = {
                '': {'GET': self._show},
                'state': {'GET': self._part},
                'say': {'POST': self._say},
            }
            return inside.get(path[len(door) :], {})
        outside: dict[str, dict[str, _Handler]] = {
            '/': {'GET': self._enter},
            '/proof': {'GET': self._prove},
            **{name: {'GET': self._file} for name in self._files},
        }
        return outside.get(path, {})

    # for everybody on the machine

    def _file(self, ask: Ask) -> Answer:
        return self._files[ask.path]

    def _prove(self, ask: Ask) -> Answer:
        """To the command line, that this is no stranger who has taken the port."""
        nonce = ask.asked('nonce')[:_NONCE]
        return _plain(200, proof(self._keys().token, self._port, nonce))

    def _enter(self, ask: Ask) -> Answer:
        keys = self._keys()
        given = ask.asked('token')
        if not given:
            return _closed('It is for the owner of this machine.')
        if not keys.admits(given):
            return _closed(_OLD)
        inside = f'/{keys.door}/'
        cookie = f'{keys.cookie_name}={keys.cookie(self._now())}'
        return Answer(
            code=200,
            body=markup.entering(inside),
            headers=(('Set-Cookie', f'{cookie}; Path={inside}; HttpOnly; SameSite=Strict'),),
        )

    # for the owner

    def _cookie(self, ask: Ask) -> str:
        """'' where it opens nothing."""
        keys = self._keys()
        cookie = ask.cookie(keys.cookie_name)
        return cookie if keys.knows(cookie, self._now()) else ''

    def _show(self, ask: Ask) -> Answer:
        cookie = self._cookie(ask)
        return self._page(200, cookie, Form()) if cookie else _closed(_OLD)

    def _page(self, code: int, cookie: str, form: Form, wrong: str = '') -> Answer:
        token = self._keys().form(cookie)
        return Answer(code=code, body=markup.page(self._sight(), token, form, wrong))

    def _part(self, ask: Ask) -> Answer:
        if not self._cookie(ask):
            return _closed(_OLD)
        return Answer(code=200, body=markup.part(self._sight()))

    def _say(self, ask: Ask) -> Answer:
        cookie = self._cookie(ask)
        if not cookie:
            return _closed(_OLD)
        if not guard.is_from_us(ask):
            return _plain(403, 'This was not sent by the page itself; nothing was changed.')
        given = fields(ask.body)
        if not same(given.get('token', ''), self._keys().form(cookie)):
            return _plain(403, 'This form is not one of the page; nothing was changed.')
        form = Form.of(given)
        try:
            self._speak(form.word(self._now()))
        except StoreError as e:
            return self._page(500, cookie, form, str(e))
        except BalancerError as e:
            return self._page(400, cookie, form, f'Nothing was changed: {e}')
        return Answer(code=303, headers=(('Location', f'/{self._keys().door}/'),))


def _plain(code: int, text: str, *headers: tuple[str, str]) -> Answer:
    return Answer(code=code, body=f'{text}\n'.encode(), kind=TEXT, headers=headers)


def _closed(why: str) -> Answer:
    return Answer(code=403, body=markup.closed(why))
