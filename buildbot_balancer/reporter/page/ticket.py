# SPDX-License-Identifier: GPL-2.0-or-later
"""Ticket: the file that says where the page is and lets its reader in; only the owner may read it.

It is there while the page is open.
"""

from __future__ import annotations

import html
import os
import re
import stat
from pathlib import Path

import attrs

from buildbot_balancer.errors import BalancerError
from buildbot_balancer.errors import StoreError
from buildbot_balancer.reporter import files

FILE = 'availability.token'
DOORWAY = 'availability.page.html'  # leads a browser to the page
HOST = '127.0.0.1'
_PRIVATE = 0o600
_OTHERS = 0o077
_FORM = re.compile(r'(\d{1,5}) ([0-9a-f]{64})\n', re.ASCII)


class PageError(BalancerError):
    """The owner's page cannot be reached, or not safely."""


@attrs.frozen
class Ticket:
    port: int
    token: str = attrs.field(repr=False)

    @property
    def url(self) -> str:
        return f'http://{HOST}:{self.port}/?token={self.token}'


def path(basedir: Path) -> Path:
    return basedir / FILE


def save(basedir: Path, ticket: Ticket) -> None:
    """Raises StoreError."""
    files.write(path(basedir), f'{ticket.port} {ticket.token}\n', _PRIVATE, durable=False)


def load(basedir: Path) -> Ticket | None:
    """None where there is none. Raises StoreError, and PageError where others may have read it."""
    place = path(basedir)
    text = files.read(place)
    if text is None:
        return None
    if not is_private(place):
        raise PageError(f'{place} can be read by other users of this machine: it opens nothing')
    match = _FORM.fullmatch(text)
    if match is None:
        raise PageError(f'{place} is not as the reporter writes it')
    return Ticket(int(match.group(1)), match.group(2))


def is_private(place: Path) -> bool:
    """On Windows that is a matter of the folder's own permissions."""
    try:
        found = place.stat()
    except OSError:
        return False
    if os.name == 'nt':
        return True
    mine = found.st_uid == os.geteuid() or os.geteuid() == 0
    return mine and not stat.S_IMODE(found.st_mode) & _OTHERS


def save_doorway(basedir: Path, ticket: Ticket) -> Path:
    """A file for the browser: everybody on the machine can see the arguments of a program, and
    an address among them. Raises StoreError.
    """
    place = basedir / DOORWAY
    url = html.escape(ticket.url)
    text = f'<!DOCTYPE html>\n<meta http-equiv="refresh" content="0; url={url}">\n'
    files.write(place, text, _PRIVATE, durable=False)
    return place


def remove(basedir: Path) -> None:
    """Both. Raises StoreError."""
    failed: StoreError | None = None
    for name in (FILE, DOORWAY):
        try:
            files.remove(basedir / name)
        except StoreError as e:
            failed = e
    if failed is not None:
        raise failed
