# SPDX-License-Identifier: GPL-2.0-or-later
"""idle-helper: sees the input of a desktop's session, and tells reporters that cannot."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Callable

import attrs
import click

from buildbot_balancer.availability.when import duration
from buildbot_balancer.availability.when import span_text
from buildbot_balancer.cli.basedir import check
from buildbot_balancer.cli.teller import Teller
from buildbot_balancer.errors import StoreError
from buildbot_balancer.errors import TimeError
from buildbot_balancer.reporter import unixsocket
from buildbot_balancer.reporter.probes.idle import session
from buildbot_balancer.reporter.probes.idle.helper import FRESH_FOR
from buildbot_balancer.reporter.probes.idle.session import Session
from buildbot_balancer.reporter.probes.unknown import UnknownError

UNSEEN = 1  # the exit code where nothing can be seen


@attrs.frozen(kw_only=True)
class Time:
    wall: Callable[[], float]
    sleep: Callable[[float], None]


TIME = Time(wall=time.time, sleep=time.sleep)


@click.command('idle-helper')
@click.argument('basedirs', nargs=-1, metavar='[BASEDIR...]', type=click.Path(path_type=Path))
@click.option(
    '--every',
    metavar='DURATION',
    default='10s',
    show_default=True,
    help='Seconds between two looks.',
)
def command(basedirs: tuple[Path, ...], every: str) -> None:
    """Tell the reporters of these workers when this desktop was used last.

    Run it in the session, from the desktop's list of programs to start. It goes on until it is
    ended. Without BASEDIR it says once what it sees, and its exit code is 1 where that is nothing.
    """
    seconds = duration(every)
    if not 1 <= seconds <= FRESH_FOR / 2:
        raise TimeError(f'--every must be from 1s to {FRESH_FOR / 2:.0f}s, not {every}')
    seen = Session(session.sources(), session.display(os.environ))
    if not basedirs:
        click.get_current_context().exit(_show(seen))
    for basedir in basedirs:
        check(basedir)
        _check_socket(basedir)
    tellers = [Teller(basedir, click.echo) for basedir in basedirs]
    watch(seen, tellers, seconds, session.display(os.environ))


def watch(seen: Session, tellers: Sequence[Teller], every: float, display: str) -> None:
    """For ever."""
    said = ''
    while True:
        try:
            seconds, _ = seen.look(TIME.wall())
        except UnknownError as e:
            if str(e) != said:  # and until something is seen nobody is told anything
                said = str(e)
                click.echo(_unseen(e), err=True)
        else:
            said = ''
            for teller in tellers:
                teller.tell(seconds, display)
        TIME.sleep(every)


def _show(seen: Session) -> int:
    try:
        seconds, who = seen.look(TIME.wall())
    except UnknownError as e:
        click.echo(_unseen(e), err=True)
        return UNSEEN
    click.echo(f'not used for {span_text(seconds)}, says {who}')
    return 0


def _unseen(why: UnknownError) -> str:
    return f'nothing can be seen of keyboard and mouse: {why}'


def _check_socket(basedir: Path) -> None:
    if not hasattr(socket, 'AF_UNIX'):
        raise StoreError('this platform has no unix sockets, through which the helper would speak')
    problem = unixsocket.too_long(unixsocket.path(basedir))
    if problem:
        raise StoreError(problem)
