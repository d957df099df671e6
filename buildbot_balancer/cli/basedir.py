# SPDX-License-Identifier: GPL-2.0-or-later
"""Basedir: the worker's folder, as it was named on the command line."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from buildbot_balancer.availability.text import clean
from buildbot_balancer.errors import NotAWorkerError
from buildbot_balancer.errors import StoreError
from buildbot_balancer.errors import TacError
from buildbot_balancer.reporter import files
from buildbot_balancer.reporter import pulse
from buildbot_balancer.reporter import tac


def shown(basedir: Path) -> str:
    """As it may be printed."""
    return clean(str(basedir), 300)


def check(basedir: Path) -> None:
    """Raises NotAWorkerError, and StoreError where that cannot be told."""
    if not basedir.is_dir():
        raise NotAWorkerError(f'{shown(basedir)}: there is no such folder')
    if os.path.lexists(basedir / pulse.FILE):  # a LocalWorker has no buildbot.tac
        return
    text = files.read(basedir / tac.FILE)
    if text is None:
        raise NotAWorkerError(f"{shown(basedir)} is no worker's folder: it has no {tac.FILE}")
    if not tac.is_worker(text):
        whose = "a master's" if tac.is_master(text) else "no worker's"
        raise NotAWorkerError(f"{shown(basedir)} is no worker's folder: its {tac.FILE} is {whose}")


def check_all(basedirs: Iterable[str]) -> list[Path]:
    """Each once, and each one a folder in which a word can be written."""
    found = {os.path.realpath(basedir): Path(basedir) for basedir in reversed([*basedirs])}
    for basedir in reversed(found.values()):
        check(basedir)
        if not os.access(basedir, os.W_OK | os.X_OK):
            raise StoreError(f'cannot write in {shown(basedir)}: permission denied')
    return [*reversed(found.values())]


def has_reporter(basedir: Path) -> bool:
    """False only where the worker would start without one."""
    try:
        text = files.read(basedir / tac.FILE)
        return text is None or tac.is_attached(text)
    except (StoreError, TacError):
        return True


def caution(basedir: Path) -> str | None:
    """What an owner should know who has just said something."""
    if pulse.beats(basedir):
        return None
    if not has_reporter(basedir):
        return (
            f'{shown(basedir)}: nobody reads this word, for the worker has no reporter: '
            f'run "buildbot-balancer attach {shown(basedir)}" and restart the worker'
        )
    return f'{shown(basedir)}: no reporter runs; the word counts as soon as one does'
