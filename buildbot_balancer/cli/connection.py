# SPDX-License-Identifier: GPL-2.0-or-later
"""Connection: the options that say which master is asked, and as whom."""

from __future__ import annotations

import functools
import os
from typing import Any
from typing import Callable
from typing import TypeVar

import click

from buildbot_balancer.cli import login
from buildbot_balancer.cli.server import Server

PREFIX = 'BUILDBOT_BALANCER'  # of the environment variables

_Function = TypeVar('_Function', bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        '--url',
        envvar=f'{PREFIX}_URL',
        show_envvar=True,
        help="Address of the master's pages.",
    ),
    click.option(
        '--user',
        metavar='NAME',
        envvar=f'{PREFIX}_USER',
        show_envvar=True,
        help=f'A user of the master; asks for the password, or takes {PREFIX}_PASSWORD.',
    ),
    click.option(
        '--token',
        envvar=f'{PREFIX}_TOKEN',
        show_envvar=True,
        help='For a proxy that takes "Authorization: Bearer".',
    ),
    click.option(
        '--cookie',
        envvar=f'{PREFIX}_COOKIE',
        show_envvar=True,
        help='Of a browser that has logged in.',
    ),
)

as_json = click.option('--json', 'as_json', is_flag=True, help="For programs: the API's objects.")


def asks_master(function: _Function) -> Callable[..., Any]:
    """The command gets a `server`; it connects when it is asked."""

    @functools.wraps(function)
    def asking(
        url: str | None, user: str | None, token: str | None, cookie: str | None, **more: Any
    ) -> Any:
        if not url:
            raise click.UsageError(
                f'say which master: --url https://ci.example.com/, or {PREFIX}_URL'
            )
        password = os.environ.get(f'{PREFIX}_PASSWORD')
        return function(server=Server(url, login.make(user, password, token, cookie)), **more)

    decorated: Callable[..., Any] = asking
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
