# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes of builds that no master and no worker knows of any more.

After ``kill -9`` of a worker, or a cut connection, what a build had started goes on running. Its
working directory gives it away: Buildbot runs builds in folders below the worker's basedir.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

FOLDERS_OF_OURS = ('info',)


def find(basedir: Path) -> list[int]:
    """Pids of the processes that run below `basedir`; [] where they cannot be looked for.

    The basedir itself does not count, nor what has a terminal: its owner may well be there, in a
    shell. A build that was given a terminal loses it, and with it its life, when its worker ends.
    """
    try:
        import psutil
    except ImportError:
        return []
    root = os.path.realpath(basedir)
    own = {os.getpid(), os.getppid()}
    found = []
    for process in psutil.process_iter():
        if process.pid in own:
            continue
        try:
            if not _is_below(process.cwd(), root) or _is_of_a_person(process):
                continue
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.Error, OSError):  # gone meanwhile, or another user's
            continue
    return found


def _is_of_a_person(process: psutil.Process) -> bool:
    """It has a terminal. psutil's own answer comes from a table of the terminals that there were
    when it was first asked.
    """
    try:
        stat = Path(f'/proc/{process.pid}/stat').read_text(encoding='utf-8', errors='replace')
    except OSError:  # no Linux, or gone
        terminal = getattr(process, 'terminal', None)  # not on Windows
        return terminal is not None and terminal() is not None
    # pid (name) state ppid pgrp session tty_nr: proc(5); a name may have anything in it
    return stat.rpartition(')')[2].split()[4] != '0'


def _is_below(folder: str, root: str) -> bool:
    if not folder.startswith(root + os.sep):
        return False
    first = folder[len(root) + 1 :].split(os.sep, 1)[0]
    return first not in FOLDERS_OF_OURS
