# SPDX-License-Identifier: GPL-2.0-or-later
"""Small files that are never seen half written."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from buildbot_balancer.errors import StoreError

READ_LIMIT = 64 * 1024  # bytes; none of our files comes near it


def write(path: Path, text: str, mode: int = 0o644, *, durable: bool = True) -> None:
    """Replaces `path` at once; `durable` waits until it would survive a power cut.

    Raises StoreError.
    """
    target = Path(os.path.realpath(path))
    try:
        fd, name = tempfile.mkstemp(prefix=f'.{target.name}.', dir=target.parent)
    except OSError as e:
        raise StoreError(f'cannot write {path}: {e.strerror or e}') from e
    temporary = Path(name)
    try:
        with os.fdopen(fd, 'w', encoding='utf-8') as f:
            f.write(text)
            f.flush()
            if durable:
                os.fsync(f.fileno())
        temporary.chmod(mode)
        temporary.replace(target)
        if durable:
            _sync_folder(target.parent)
    except OSError as e:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise StoreError(f'cannot write {path}: {e.strerror or e}') from e


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
        with path.open('rb') as f:
            data = f.read(READ_LIMIT + 1)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise StoreError(f'cannot read {path}: {e.strerror or e}') from e
    if len(data) > READ_LIMIT:
        raise StoreError(f'{path} has over {READ_LIMIT} bytes')
    try:
        return data.decode('utf-8')
    except UnicodeDecodeError as e:
        raise StoreError(f'{path} is not UTF-8 text') from e


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
