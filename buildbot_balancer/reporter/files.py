# SPDX-License-Identifier: GPL-2.0-or-later
"""Small files that are never seen half written."""

from __future__ import annotations

import codecs
import contextlib
import os
import stat
import tempfile
from pathlib import Path

from buildbot_balancer.errors import StoreError

READ_LIMIT = 64 * 1024  # bytes; none of our files comes near it


def write(path: Path, text: str, mode: int = 0o644, *, durable: bool = True) -> None:
    """Replaces `path` at once; `durable` waits until it would survive a power cut.

    The text is written as it is, line ends included. Raises StoreError.
    """
    target = _target(path)
    try:
        fd, name = tempfile.mkstemp(prefix=f'.{target.name}.', dir=target.parent)
    except OSError as e:
        raise StoreError(f'cannot write {path}: {e.strerror or e}') from e
    temporary = Path(name)
    try:
        with os.fdopen(fd, 'w', encoding='utf-8', newline='') as f:
            f.write(text)
            f.flush()
            _keep_owner(f.fileno(), target)
            if durable:
                os.fsync(f.fileno())
            _set_mode(f.fileno(), temporary, mode)
        temporary.replace(target)
        if durable:
            _sync_folder(target.parent)
    except OSError as e:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise StoreError(f'cannot write {path}: {e.strerror or e}') from e


def _target(path: Path) -> Path:
    """Where a link leads. Raises StoreError.

    A worker's folder is not root's: what lies in it must not lead root to files of others.
    """
    target = Path(os.path.realpath(path))
    if not _is_root() or target == Path(os.path.realpath(path.parent), path.name):
        return target
    try:
        layer = path.lstat().st_uid
        owner = (target if target.exists() else target.parent).stat().st_uid
    except OSError as e:
        raise StoreError(f'cannot write {path}: {e.strerror or e}') from e
    if layer not in {0, owner}:
        raise StoreError(f'cannot write {path}: it is a link of another user to what is not theirs')
    return target


def _is_root() -> bool:
    return hasattr(os, 'geteuid') and os.geteuid() == 0


def _set_mode(fd: int, path: Path, mode: int) -> None:
    # by its name it may be another file by now, where the folder is another user's
    if hasattr(os, 'fchmod'):
        os.fchmod(fd, mode)
    else:  # Windows, before Python 3.13
        path.chmod(mode)


def _keep_owner(fd: int, target: Path) -> None:
    # what root writes in a worker's folder must stay readable for the worker
    if _is_root():
        before = target if target.exists() else target.parent
        found = before.stat()
        if (found.st_uid, found.st_gid) != (0, os.getegid()):
            os.fchown(fd, found.st_uid, found.st_gid)


def _sync_folder(folder: Path) -> None:
    # Windows cannot open a folder; there the rename is as durable as it gets
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def read(path: Path) -> str | None:
    """The text of `path`; None where there is no such file. Raises StoreError."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block for ever
            raise StoreError(f'{path} is no plain file')
        with path.open('rb') as f:
            data = f.read(READ_LIMIT + 1)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise StoreError(f'cannot read {path}: {e.strerror or e}') from e
    if len(data) > READ_LIMIT:
        raise StoreError(f'{path} has over {READ_LIMIT} bytes')
    try:
        return data.decode(_encoding(data))
    except UnicodeDecodeError as e:
        raise StoreError(f'{path} is not UTF-8 text') from e


def _encoding(data: bytes) -> str:
    # editors and shells on Windows mark what they write: ``echo reluctant > availability``
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return 'utf-16' if utf16 else 'utf-8-sig'


def remove(path: Path) -> None:
    """Raises StoreError; a file that is not there is fine."""
    try:
        path.unlink()
    except FileNotFoundError:
        pass
    except OSError as e:
        raise StoreError(f'cannot remove {path}: {e.strerror or e}') from e


def signature(path: Path) -> tuple[int, int, int] | None:
    """Differs when the file was written again; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size)
