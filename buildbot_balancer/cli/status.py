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


@click.command('status')
@options.basedir
@click.option('--json', 'as_json', is_flag=True, help='For programs; `until` in epoch seconds.')
def command(basedir: Path, as_json: bool) -> None:
    """Show how willing and how busy the worker in BASEDIR is."""
    from buildbot_balancer.cli import picture

    check(basedir)
    now = time.time()
    shows = picture.take(basedir, now)
    if as_json:
        click.echo(json.dumps(picture.to_json(shows), indent=1))
        return
    for line in picture.lines(shows, shown(basedir), now):
        click.echo(line)
