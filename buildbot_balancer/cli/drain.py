# SPDX-License-Identifier: GPL-2.0-or-later
"""drain: starts nothing new, and says when the machine is free."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import attrs
import click

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.text import clean
from buildbot_balancer.availability.when import clock_text
from buildbot_balancer.availability.when import duration
from buildbot_balancer.availability.when import moment
from buildbot_balancer.cli import options
from buildbot_balancer.cli import speak
from buildbot_balancer.cli import watch
from buildbot_balancer.cli.basedir import check_all
from buildbot_balancer.cli.basedir import shown
from buildbot_balancer.cli.waiting import Waiting
from buildbot_balancer.errors import BalancerError
from buildbot_balancer.errors import TimeError
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.word import NO_WORD
from buildbot_balancer.reporter.word import Word
from buildbot_balancer.reporter.word import new_id

CLOCKS = watch.Clocks(steady=time.monotonic, wall=time.time, sleep=time.sleep)


@click.command('drain')
@options.basedirs
@click.option('--wait', is_flag=True, help='Return when the machines are free.')
@click.option(
    '--deadline',
    metavar='DURATION|TIME',
    help='Builds that still run then are stopped, and run again elsewhere.',
)
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
    deadline: str | None,
    timeout: str | None,
    master_timeout: str,
    reason: str | None,
    until: str | None,
) -> None:
    """Start nothing new on the machines of these workers; what runs may finish, or has until the
    deadline.

    With --wait the exit code says how it ended: 0 free; 3 the worker is not running; 4 no master
    answers; 5 the time was over; 6 somebody said something else meanwhile. Of several workers the
    worst one counts.
    """
    if timeout is not None and not wait:
        raise click.UsageError('--timeout needs --wait')
    now = time.time()
    patience = None if timeout is None else max(moment(timeout, now) - now, 0.0)
    master_patience = duration(master_timeout)
    said = _Said(
        reason=options.reason_of(reason),
        until=options.until_of(until, now),
        deadline=_deadline_of(deadline, now),
    )
    if said.until is not None and said.deadline is not None and said.deadline >= said.until:
        raise TimeError(
            '--deadline must be before --until: when the drain is over nothing is stopped'
        )
    found = {basedir: _present(basedir) for basedir in check_all(basedirs)}
    words = {basedir: _drain(old, said, now) for basedir, old in found.items()}
    started = CLOCKS.steady()
    speak.save({basedir: new for basedir, new in words.items() if new != found[basedir]})
    speak.confirm(words)
    _announce(words, now)
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
                deadline=_steady(new.deadline, now, started),
            ),
        )
        for basedir, new in words.items()
    ]
    click.get_current_context().exit(watch.wait(jobs, CLOCKS, click.echo))


@attrs.frozen(kw_only=True)
class _Said:
    reason: str | None
    until: float | None
    deadline: float | None


def _deadline_of(text: str | None, now: float) -> float | None:
    """Whole seconds, as the word's file keeps them."""
    if text is None:
        return None
    at = float(int(moment(text, now)))
    if at < int(now):
        raise TimeError(f'--deadline "{clean(text, 40)}" is over already')
    return at


def _announce(words: Mapping[Path, Word], now: float) -> None:
    for basedir, word_said in words.items():
        if word_said.deadline is not None:
            at = clock_text(word_said.deadline, now)
            click.echo(
                f'{shown(basedir)}: what still runs at {at} is stopped, and runs again elsewhere'
            )


def _steady(at: float | None, now: float, started: float) -> float | None:
    return None if at is None else started + at - now


def _present(basedir: Path) -> Word:
    try:
        return word.load(basedir)
    except BalancerError:  # a damaged word is replaced
        return NO_WORD


def _drain(old: Word, said: _Said, now: float) -> Word:
    """The drain that is in force, with what was said anew, or a new one."""
    if not watch.is_drain(old, now):
        old = Word(mood=Mood.GOING_ON_HOLIDAY, draining=True)
    given = attrs.asdict(said, filter=lambda _, value: value is not None)
    new = attrs.evolve(old, **given)
    return new if new == old and old.id else attrs.evolve(new, id=new_id())
