# SPDX-License-Identifier: GPL-2.0-or-later
"""resume: ends a drain, or whatever else was set."""

from __future__ import annotations

import click

from buildbot_balancer.cli import options
from buildbot_balancer.cli import speak
from buildbot_balancer.cli.basedir import check_all
from buildbot_balancer.reporter.word import Word
from buildbot_balancer.reporter.word import new_id


@click.command('resume')
@options.basedirs
def command(basedirs: tuple[str, ...]) -> None:
    """Leave it to the machines again; the same as: set BASEDIR... auto."""
    words = {basedir: Word(id=new_id()) for basedir in check_all(basedirs)}
    speak.save(words)
    speak.confirm(words)
