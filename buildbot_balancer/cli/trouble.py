# SPDX-License-Identifier: GPL-2.0-or-later
"""Trouble: what has gone wrong with an HTTP request, in one sentence."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ReadTimeoutError

from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import span_text
from buildbot_balancer.cli.faults import NotAllowedError
from buildbot_balancer.cli.faults import ServerError
from buildbot_balancer.errors import BalancerError


def of(url: str, error: Exception, timeout: float) -> ServerError:
    """An exception of `requests`."""
    causes = [*_causes(error)]
    if any(isinstance(e, (requests.Timeout, ReadTimeoutError)) for e in causes):
        return ServerError(f'{url} did not answer within {span_text(timeout)}')
    broken = isinstance(error, requests.ConnectionError)
    default = 'the connection broke' if broken else 'what it answers is no proper HTTP'
    said = next((said for e in reversed(causes) if (said := _words(e))), default)
    if any(isinstance(e, (requests.exceptions.SSLError, ssl.SSLError)) for e in causes):
        return ServerError(
            f'{url}: no safe connection: {said} '
            '(REQUESTS_CA_BUNDLE names a file with a certificate authority of your own)'
        )
    proxy = ' through a proxy' if isinstance(error, requests.exceptions.ProxyError) else ''
    return ServerError(f'cannot reach {url}{proxy}: {said}')


def _causes(error: BaseException) -> Iterator[BaseException]:
    """From the outermost in; `requests` and urllib3 keep some as arguments only."""
    seen: list[BaseException] = []
    open_ones = [error]
    while open_ones:
        one = open_ones.pop(0)
        if one in seen:
            continue
        seen.append(one)
        yield one
        near = (*one.args, getattr(one, 'reason', None), one.__cause__, one.__context__)
        open_ones += [e for e in near if isinstance(e, BaseException)]


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return clean(error.verify_message, 200)
    if isinstance(error, ssl.SSLError):
        return clean(error.reason or str(error), 200).replace('_', ' ').lower()
    if isinstance(error, OSError):
        return clean(error.strerror or '', 200)
    return ''


def strange(url: str, status: int) -> ServerError:
    if status >= 500:
        return ServerError(f'{url} fails (HTTP {status}); its log says more')
    return ServerError(
        f'{url} does not answer as a Buildbot does (HTTP {status}): '
        "is it the address of a master's pages, up to the #?"
    )


def missing(url: str, said: str) -> ServerError:
    """404 for a whole collection."""
    if said.lower().startswith('invalid path'):  # Buildbot's own words
        return ServerError(f'{url} is a Buildbot without a Balancer')
    return ServerError(f'{url}: {said}')


def redirected(url: str, path: str, location: str) -> BalancerError:
    """A master that has moved sends the same path elsewhere; anything else is a login."""
    try:
        here, there = urlsplit(url), urlsplit(location)
        host = there.hostname
    except ValueError:
        return strange(url, 302)
    moved = host and there.path == f'{here.path}{path}'
    if path == '/':  # that of a login page may be the same
        moved = moved and host == here.hostname
    if moved:
        new = clean(f'{there.scheme}://{there.netloc}{there.path[: -len(path)]}', 200)
        return ServerError(f'{url} has moved to {new}: give that address')
    return NotAllowedError(f'{url} wants a login{_at(location)}: give --user, --token or --cookie')


def other_login(url: str, location: str) -> NotAllowedError:
    return NotAllowedError(
        f'{url} takes no passwords, for its users log in elsewhere{_at(location)}: '
        'log in with a browser and give --cookie'
    )


def _at(location: str) -> str:
    try:
        host = urlsplit(location).hostname
    except ValueError:
        host = None
    return f' at {clean(host, 100)}' if host else ''


def forbidden(url: str, said: str, *, anonymous: bool) -> NotAllowedError:
    why = f': {said}' if said else ''
    hint = (
        'give --user, --token or --cookie'
        if anonymous
        else 'this login lacks the right, or is over'
    )
    return NotAllowedError(f'{url} does not allow it{why} ({hint})')
