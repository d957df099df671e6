# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys: what lets the owner in, and tells their requests from those of others. Pure.

Cookies know no ports: whatever else runs on 127.0.0.1 is sent those of this page too, and may set
some of the same name. So the name of the cookie, and the path that it is for, cannot be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Callable

import attrs

LASTS = 7 * 86400.0  # seconds that a cookie opens the page
LENGTH = 32  # bytes
Random = Callable[[int], bytes]


def same(given: str, wanted: str) -> bool:
    """The time that it takes tells nothing about where they differ."""
    return hmac.compare_digest(given.encode(errors='replace'), wanted.encode())


def proof(token: str, port: int, nonce: str) -> str:
    """Who answers with it knows the token, and tells nothing of it."""
    return _mac(token.encode(), 'proof', str(port), nonce)


def _mac(key: bytes, *parts: str) -> str:
    text = '\n'.join(parts)
    return hmac.new(key, text.encode(errors='replace'), hashlib.sha256).hexdigest()


@attrs.frozen
class Keys:
    """`token` stands in the owner's file; the rest never leaves the process as it is."""

    token: str = attrs.field(repr=False)
    _secret: bytes = attrs.field(repr=False)

    @classmethod
    def new(cls, random: Random) -> Keys:
        return cls(random(LENGTH).hex(), random(LENGTH))

    @property
    def door(self) -> str:
        """The folder of the page."""
        return _mac(self._secret, 'door')[:LENGTH]

    @property
    def cookie_name(self) -> str:
        return f'balancer-{_mac(self._secret, "name")[:16]}'

    def admits(self, token: str) -> bool:
        return same(token, self.token)

    def cookie(self, now: float) -> str:
        issued = str(int(now))
        return f'{issued}-{_mac(self._secret, "cookie", issued)}'

    def knows(self, cookie: str, now: float) -> bool:
        issued, _, _ = cookie.partition('-')
        if not same(cookie, f'{issued}-{_mac(self._secret, "cookie", issued)}'):
            return False
        return abs(now - int(issued)) <= LASTS

    def form(self, cookie: str) -> str:
        """What a form of the page carries, and a form of another site cannot."""
        return _mac(self._secret, 'form', cookie)
