# SPDX-License-Identifier: GPL-2.0-or-later
"""Tacfile: a worker's ``buildbot.tac`` is changed; it holds a password."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Callable

from buildbot_balancer.cli.basedir import shown
from buildbot_balancer.errors import StoreError
from buildbot_balancer.errors import TacError
from buildbot_balancer.reporter import files
from buildbot_balancer.reporter import tac

BACKUP = 'buildbot.tac.before-balancer'


def change(basedir: Path, edit: Callable[[str], str], *, keep: bool = False) -> bool:
    """True where `edit` changed the text; `keep` leaves the old one beside it.

    Owner and mode stay; of a symbolic link the file that it leads to is changed. Raises TacError
    and StoreError.
    """
    path = basedir / tac.FILE
    text = files.read(path)
    if text is None:
        if keep:
            raise TacError(
                f'{shown(basedir)} has no {tac.FILE}: '
                'a LocalWorker gets its reporter from the Balancer of its master'
            )
        return False
    try:
        new = edit(text)
    except TacError as e:
        raise TacError(f'{shown(path)} was left alone: {e}') from e
    if new == text:
        return False
    found = _own(path)
    mode = stat.S_IMODE(found.st_mode)
    if keep:
        backup = basedir / BACKUP
        if backup.is_symlink():  # the password goes nowhere else
            files.remove(backup)
        files.write(backup, text, mode)
    files.write(path, new, mode)
    return True


def _own(path: Path) -> os.stat_result:
    found = path.stat()
    if hasattr(os, 'geteuid') and os.geteuid() not in {0, found.st_uid}:
        raise StoreError(
            f'{shown(path)} belongs to another user, as whom the worker could not read it '
            'any more: call this as that user'
        )
    return found
