# SPDX-License-Identifier: GPL-2.0-or-later
"""Xauthority: the cookies with which an X server lets its user's programs in."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path

_COOKIE = b'MIT-MAGIC-COOKIE-1'
_LIMIT = 1024 * 1024  # bytes


def cookies(environ: Mapping[str, str]) -> dict[str, list[bytes]]:
    """By the number of the display; those without a number are for each, under ''."""
    found: dict[str, list[bytes]] = {}
    for path in _files(environ):
        try:
            with path.open('rb') as f:
                data = f.read(_LIMIT)
        except OSError:
            continue
        for number, cookie in _entries(data):
            found.setdefault(number, []).append(cookie)
    return found


def _files(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get('XAUTHORITY'):
        yield Path(environ['XAUTHORITY'])
    if environ.get('HOME'):
        yield Path(environ['HOME']) / '.Xauthority'
    if hasattr(os, 'getuid'):  # where display managers put it
        own = Path('/run/user') / str(os.getuid())
        yield own / 'gdm' / 'Xauthority'
        yield from sorted(own.glob('xauth_*'))


def _entries(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Family, then four counted texts: address, number, name, cookie; all big-endian."""
    at = 0
    while at + 2 <= len(data):
        at += 2
        parts = []
        for _ in range(4):
            if at + 2 > len(data):
                return
            (length,) = struct.unpack_from('>H', data, at)
            parts.append(data[at + 2 : at + 2 + length])
            at += 2 + length
        _, number, name, cookie = parts
        if name == _COOKIE:
            yield number.decode(errors='replace'), cookie
