# SPDX-License-Identifier: GPL-2.0-or-later
"""detach: undoes attach."""

from __future__ import annotations

import os
from pathlib import Path

import click

from buildbot_balancer.availability import announcement
from buildbot_balancer.cli import options
from buildbot_balancer.cli import tacfile
from buildbot_balancer.cli.basedir import check
from buildbot_balancer.cli.basedir import shown
from buildbot_balancer.errors import TacError
from buildbot_balancer.reporter import files
from buildbot_balancer.reporter import pulse
from buildbot_balancer.reporter import status
from buildbot_balancer.reporter import tac
from buildbot_balancer.reporter import unixsocket
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.page import ticket
from buildbot_balancer.reporter.settings import store


@click.command('detach')
@options.basedir
def command(basedir: Path) -> None:
    """Take the reporter's lines out of the buildbot.tac in BASEDIR, and remove its files."""
    check(basedir)
    changed = tacfile.change(basedir, _without_lines)
    runs = pulse.beats(basedir)
    files.remove(basedir / 'info' / announcement.FILE)
    status.remove(basedir)
    store.remove_good(basedir)
    if not runs:  # who takes the lock away from a reporter makes it look dead
        pulse.remove(basedir)
        files.remove(unixsocket.path(basedir))
        ticket.remove(basedir)
    click.echo(f'{shown(basedir)}: {"detached" if changed else "was not attached"}.')
    if runs:
        click.echo(
            'Its reporter still runs: restart the worker, then call detach once more, '
            'which removes the files that it wrote until then.'
        )
    if os.path.lexists(word.path(basedir)):
        click.echo(f'The file {shown(word.path(basedir))} is kept; it no longer counts.')


def _without_lines(text: str) -> str:
    new = tac.remove(text)
    if tac.is_worker(new) and _calls_attach(new):
        raise TacError('it calls attach by hand; take that call out by hand too')
    return new


def _calls_attach(text: str) -> bool:
    try:
        return tac.is_attached(text)
    except TacError:  # what is no Python calls nothing
        return False
