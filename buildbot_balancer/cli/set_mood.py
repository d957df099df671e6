# SPDX-License-Identifier: GPL-2.0-or-later
"""set: what the machine is willing to do."""

from __future__ import annotations

import time

import click

from buildbot_balancer.availability.mood import AUTO
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.cli import options
from buildbot_balancer.cli import speak
from buildbot_balancer.cli.basedir import check_all
from buildbot_balancer.errors import WordError
from buildbot_balancer.reporter.word import Word
from buildbot_balancer.reporter.word import new_id


@click.command('set')
@options.basedirs
@click.argument('mood')
@options.reason
@options.until
def command(basedirs: tuple[str, ...], mood: str, reason: str | None, until: str | None) -> None:
    """Say what the machines of these workers are willing to do.

    MOOD is offline or going-on-holiday (nothing new starts, what runs may finish), reluctant
    (only if nobody else can), eager, or auto (it is left to the machine).
    """
    wanted = None if mood.strip().lower() == AUTO else Mood.parse(mood)
    if wanted is None and (reason is not None or until is not None):
        raise WordError('"auto" takes neither --reason nor --until: it ends what was said before')
    ends = options.until_of(until, time.time())
    words = {
        basedir: Word(mood=wanted, reason=options.reason_of(reason), until=ends, id=new_id())
        for basedir in check_all(basedirs)
    }
    speak.save(words)
    speak.confirm(words)
