# SPDX-License-Identifier: GPL-2.0-or-later
"""page: the address of the owner's page, which lets them in."""

from __future__ import annotations

import hmac
import http.client
import secrets
import webbrowser
from pathlib import Path

import click

from buildbot_balancer.cli import options
from buildbot_balancer.cli.basedir import check
from buildbot_balancer.cli.basedir import shown
from buildbot_balancer.reporter import pulse
from buildbot_balancer.reporter.page import ticket
from buildbot_balancer.reporter.page.keys import proof
from buildbot_balancer.reporter.page.ticket import HOST
from buildbot_balancer.reporter.page.ticket import PageError
from buildbot_balancer.reporter.page.ticket import Ticket
from buildbot_balancer.reporter.settings import store

PATIENCE = 10.0  # seconds


@click.command('page')
@options.basedir
@click.option('--open', 'opens', is_flag=True, help='Open it in the browser as well.')
def command(basedir: Path, opens: bool) -> None:
    """Print the address of the page for the owner of the worker in BASEDIR.

    The address lets in whoever has it, so give it to nobody. It is valid until the worker stops.
    """
    check(basedir)
    found = _ticket(basedir)
    if not _is_ours(found):
        raise PageError(
            f'{shown(basedir)}: who answers at {HOST}:{found.port} is not this worker, or nobody '
            'does; its address is not shown'
        )
    click.echo(found.url)
    if opens and not webbrowser.open(ticket.save_doorway(basedir.absolute(), found).as_uri()):
        click.echo('no browser could be opened', err=True)


def _ticket(basedir: Path) -> Ticket:
    name = shown(basedir)
    if not pulse.beats(basedir):
        raise PageError(f'{name}: no reporter runs, and the page is open only while one does')
    found = ticket.load(basedir)
    if found is None:
        raise PageError(
            f'{name}: the page is not open; it needs a section [page] with "port = 8099" in '
            f"{store.FILE}, and the worker's log says why if that is there"
        )
    return found


def _is_ours(found: Ticket) -> bool:
    """A stranger who has taken the port does not know the token, and must not be shown it."""
    nonce = secrets.token_hex(16)
    asked = http.client.HTTPConnection(HOST, found.port, timeout=PATIENCE)
    try:
        asked.request('GET', f'/proof?nonce={nonce}')
        said = asked.getresponse().read(1000).strip()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asked.close()
    return hmac.compare_digest(said, proof(found.token, found.port, nonce).encode())
