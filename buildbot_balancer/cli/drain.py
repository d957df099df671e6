# SPDX-License-Identifier: GPL-2.0-or-later
"""drain: starts nothing new, and says when the machine is free."""

from __future__ import annotations

import time
from pathlib import Path

import attrs
import click

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.when import duration
from buildbot_balancer.availability.when import moment
from buildbot_balancer.cli import options
from buildbot_balancer.cli import speak
from buildbot_balancer.cli import watch
from buildbot_balancer.cli.basedir import check_all
from buildbot_balancer.cli.waiting import Waiting
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.word import NO_WORD
from buildbot_balancer.reporter.word import Word
from buildbot_balancer.reporter.word import new_id

CLOCKS = watch.Clocks(steady=time.monotonic, wall=time.time, sleep=time.sleep)


@click.command('drain')
@options.basedirs
@click.option('--wait', is_flag=True, help='Return when the machines are free.')
@click.option(
    '--timeout',
    metavar='DURATION|TIME',
    help='How long to wait; the drain itself goes on.',
)
@click.option(
    '--master-timeout',
    metavar='DURATION',
    default='30s',
    show_default=True,
    help='How long a master may be silent.',
)
@options.reason
@options.until
def command(
    basedirs: tuple[str, ...],
    wait: bool,
    timeout: str | None,
    master_timeout: str,
    reason: str | None,
    until: str | None,
) -> None:
    """Start nothing new on the machines of these workers; what runs may finish.

    With --wait the exit code says how it ended: 0 free; 3 the worker is not running; 4 no master
    answers; 5 the time was over; 6 somebody said something else meanwhile. Of several workers the
    worst one counts.
    """
    if timeout is not None and not wait:
        raise click.UsageError('--timeout needs --wait')
    now = time.time()
    patience = None if timeout is None else max(moment(timeout, now) - now, 0.0)
    master_patience = duration(master_timeout)
    why, ends = options.reason_of(reason), options.until_of(until, now)
    found = {basedir: _present(basedir) for basedir in check_all(basedirs)}
    words = {basedir: _drain(old, why, ends, now) for basedir, old in found.items()}
    started = CLOCKS.steady()
    speak.save({basedir: new for basedir, new in words.items() if new != found[basedir]})
    speak.confirm(words)
    if not wait:
        return
    jobs = [
        watch.Job(
            basedir=basedir,
            word=new,
            waiting=Waiting(
                new.id,
                started,
                timeout=patience,
                master_timeout=master_patience,
                new=new != found[basedir],
            ),
        )
        for basedir, new in words.items()
    ]
    click.get_current_context().exit(watch.wait(jobs, CLOCKS, click.echo))


def _present(basedir: Path) -> Word:
    try:
        return word.load(basedir)
    except BalancerError:  # a damaged word is replaced
        return NO_WORD


def _drain(old: Word, reason: str | None, until: float | None, now: float) -> Word:
    """The drain that is in force, with what was said anew, or a new one."""
    if not watch.is_drain(old, now):
        old = Word(mood=Mood.GOING_ON_HOLIDAY, draining=True)
    new = attrs.evolve(old, reason=reason or old.reason, until=until or old.until)
    return new if new == old and old.id else attrs.evolve(new, id=new_id())
