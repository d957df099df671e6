# SPDX-License-Identifier: GPL-2.0-or-later
"""Login: as whom the master is asked."""

from __future__ import annotations

import base64
import re

import attrs
import click
from requests import PreparedRequest

from buildbot_balancer.cli.faults import ServerError

SESSION = 'TWISTED_SESSION'  # Buildbot's own cookie
SESSIONS = ('TWISTED_SESSION', 'TWISTED_SECURE_SESSION')  # its names begin with one of these

_HEADER = re.compile(r'[\x21-\x7e]+')
_COOKIE = re.compile(r'\s*(?:([^\s=;]+)=)?([\x21-\x3a\x3c-\x7e]*)\s*')


@attrs.frozen(kw_only=True)
class Login:
    """Nothing of it: anonymous. Its texts are secret, and in no message."""

    user: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    token: str | None = attrs.field(default=None, repr=False)
    cookies: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)

    @property
    def is_anonymous(self) -> bool:
        return not (self.user or self.token or self.cookies)

    @property
    def has_session(self) -> bool:
        return any(name.startswith(SESSIONS) for name, _ in self.cookies)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """As `requests` asks for it; that it is there keeps `requests` from reading ~/.netrc."""
        if self.token:
            request.headers['Authorization'] = f'Bearer {self.token}'
        elif self.user:
            pair = f'{self.user}:{self.password or ""}'.encode()
            request.headers['Authorization'] = f'Basic {base64.b64encode(pair).decode("ascii")}'
        return request


def make(user: str | None, password: str | None, token: str | None, cookie: str | None) -> Login:
    """Asks for a password that is missing. Raises ServerError."""
    if sum(map(bool, (user, token, cookie))) > 1:
        raise ServerError(
            'give one of --user, --token and --cookie (or of their environment variables)'
        )
    if token and not _HEADER.fullmatch(token):
        raise ServerError('the token has characters that no token has')
    if user and ':' in user:
        raise ServerError('a user name has no colon')
    if user and password is None:
        password = _prompt(user)
    return Login(
        user=user or None,
        password=password if user else None,
        token=token or None,
        cookies=_cookies(cookie) if cookie else (),
    )


def _prompt(user: str) -> str:
    try:
        return str(click.prompt(f'Password of {user}', hide_input=True, err=True))
    except click.Abort:
        raise ServerError(
            'no password was given: type it, or set BUILDBOT_BALANCER_PASSWORD'
        ) from None


def _cookies(text: str) -> tuple[tuple[str, str], ...]:
    """``NAME=VALUE; NAME=VALUE`` as browsers show it, or the value of Buildbot's own alone."""
    found = [_COOKIE.fullmatch(part) for part in text.split(';') if part.strip()]
    pairs = tuple((m[1] or SESSION, m[2]) for m in found if m is not None)
    if not pairs or len(pairs) < len(found):
        raise ServerError('--cookie is no cookie (such as TWISTED_SESSION=eyJ...)')
    return pairs
