# SPDX-License-Identifier: GPL-2.0-or-later
"""Ask and Answer: a request and what becomes of it, without the web server around them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

import attrs

HTML = 'text/html; charset=utf-8'
TEXT = 'text/plain; charset=utf-8'
FORM = 'application/x-www-form-urlencoded'
_FIELDS = 20


@attrs.frozen(kw_only=True)
class Ask:
    """`headers` have small letters, and all values that were sent."""

    method: str
    path: str
    query: str = ''
    headers: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    body: str = ''

    def header(self, name: str) -> str | None:
        """None too where it was sent more than once: who is to say which one counts."""
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else None

    def cookie(self, name: str) -> str:
        pairs = [pair.strip().partition('=') for pair in (self.header('cookie') or '').split(';')]
        return next((value for key, _, value in pairs if key == name), '')

    def asked(self, name: str) -> str:
        """Of the address."""
        return fields(self.query).get(name, '')


def fields(text: str) -> dict[str, str]:
    """Of each name the first value; {} for what is no form."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        return {}
    return dict(reversed(pairs))


@attrs.frozen(kw_only=True)
class Answer:
    code: int
    body: bytes = b''
    kind: str = HTML
    headers: tuple[tuple[str, str], ...] = ()
