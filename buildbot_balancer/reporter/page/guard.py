# SPDX-License-Identifier: GPL-2.0-or-later
"""Guard: who may ask, told by the headers that a browser adds and a page cannot forge. Pure."""

from __future__ import annotations

from buildbot_balancer.reporter.page.ask import FORM
from buildbot_balancer.reporter.page.ask import Ask

_NAMES = ('127.0.0.1', 'localhost')
_HTTP = 80  # browsers leave it out
_CSP = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)

HEADERS = (
    ('Content-Security-Policy', '; '.join(_CSP)),
    # with "no-referrer" browsers would send the page's own forms with "Origin: null"
    ('Referrer-Policy', 'same-origin'),
    ('X-Content-Type-Options', 'nosniff'),
    ('X-Frame-Options', 'DENY'),
    ('Cross-Origin-Opener-Policy', 'same-origin'),
    ('Cross-Origin-Resource-Policy', 'same-origin'),
    ('Cache-Control', 'no-store'),
    ('Connection', 'close'),  # nobody is left behind when the page is closed
)


def is_for_us(ask: Ask, port: int) -> bool:
    """Another name that leads here is one that a stranger gave to 127.0.0.1."""
    host = (ask.header('host') or '').lower()
    bare = _NAMES if port == _HTTP else ()
    return host in bare or host in {f'{name}:{port}' for name in _NAMES}


def is_from_us(ask: Ask) -> bool:
    """A form of the page itself. Call it only where `is_for_us`."""
    kind = (ask.header('content-type') or '').partition(';')[0].strip().lower()
    host = (ask.header('host') or '').lower()
    return kind == FORM and ask.header('origin') == f'http://{host}'
