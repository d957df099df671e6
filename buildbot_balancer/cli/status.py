# SPDX-License-Identifier: GPL-2.0-or-later
"""status: how willing and how busy a worker is."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from buildbot_balancer.cli import options
from buildbot_balancer.cli.basedir import check
from buildbot_balancer.cli.basedir import shown
from buildbot_balancer.errors import NothingSentError


@click.command('status')
@options.basedir
@click.option('--json', 'as_json', is_flag=True, help='For programs; `until` in epoch seconds.')
@click.option('--sent', is_flag=True, help='The last report that left the machine, to the letter.')
def command(basedir: Path, as_json: bool, sent: bool) -> None:
    """Show how willing and how busy the worker in BASEDIR is."""
    from buildbot_balancer.cli import picture

    check(basedir)
    if sent:
        click.echo(_last_report(basedir))
        return
    now = time.time()
    shows = picture.take(basedir, now)
    if as_json:
        click.echo(json.dumps(picture.to_json(shows), indent=1))
        return
    for line in picture.lines(shows, shown(basedir), now):
        click.echo(line)


def _last_report(basedir: Path) -> str:
    """As JSON on one line, in which every letter that a terminal could mistake is escaped."""
    from buildbot_balancer.reporter import status

    known = status.load(basedir)
    if known is None or known.sent is None:
        raise NothingSentError(f'{shown(basedir)}: nothing has been sent to a master yet')
    # a report has a form of its own; only a file that somebody changed has control characters
    return ''.join(char if char.isprintable() else repr(char)[1:-1] for char in known.sent)
