# SPDX-License-Identifier: GPL-2.0-or-later
"""Pulse: whether a reporter runs for a basedir, told by a lock that dies with its process.

A pid in a file can be another process by now; a lock of the operating system cannot outlive its
holder, not even after ``kill -9``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from buildbot_balancer.errors import StoreError
from buildbot_balancer.reporter import files

FILE = 'availability.lock'


class Pulse:
    """Beats from `start` to `stop`, or until the process ends."""

    def __init__(self, basedir: Path) -> None:
        self._path = basedir / FILE
        self._file: IO[bytes] | None = None

    def start(self) -> bool:
        """False where another process beats already. Raises StoreError."""
        if self._file is not None:
            return True
        try:
            opened = self._path.open('ab')
        except OSError as e:
            raise StoreError(f'cannot write {self._path}: {e.strerror or e}') from e
        try:
            locked = _lock(opened)
        except OSError as e:  # a file system that knows no locks
            opened.close()
            raise StoreError(f'cannot lock {self._path}: {e.strerror or e}') from e
        if not locked:
            opened.close()
            return False
        self._file = opened
        return True

    def stop(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def beats(basedir: Path) -> bool:
    """True while a reporter runs for `basedir`."""
    try:
        # to read is enough: another user than the worker's may look
        with (basedir / FILE).open('rb') as probe:
            return not _lock(probe, shared=True)
    except FileNotFoundError:
        return False
    except OSError:  # it is there and is not ours to open: its owner alone could say
        return True


def remove(basedir: Path) -> None:
    """Raises StoreError."""
    files.remove(basedir / FILE)


if os.name == 'nt':  # pragma: no cover

    def _lock(opened: IO[bytes], *, shared: bool = False) -> bool:  # noqa: ARG001  there is no such
        import msvcrt

        opened.seek(0)
        try:
            msvcrt.locking(opened.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True

else:

    def _lock(opened: IO[bytes], *, shared: bool = False) -> bool:
        # shared: two that only look must not take each other for a reporter
        import fcntl

        try:
            fcntl.flock(opened, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
