# SPDX-License-Identifier: GPL-2.0-or-later
"""A PostgreSQL of our own: Debian's package ``postgresql``, and ``psycopg2-binary``."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from support.servers import USER
from support.servers import Server
from support.servers import find

FOLDERS = ('usr/lib/postgresql/*/bin', 'usr/local/pgsql/bin')
LOCAL = ('listen_addresses=',)
QUICK = ('fsync=off', 'full_page_writes=off')  # nothing has to survive
PROGRAMS = ('initdb', 'postgres')


def problem() -> str:
    """Why there is none; '' where there is."""
    lacking = [name for name in PROGRAMS if find(name, *FOLDERS) is None]
    if lacking:
        return f'there is no {" and no ".join(lacking)} (Debian: apt install postgresql)'
    if importlib.util.find_spec('psycopg2') is None:
        return 'the package psycopg2-binary is not installed'
    return ''


def fresh_database(*options: str) -> str:
    """The URL of a new, empty database; `options` of its server instead of the quick ones."""
    server = _server(options or QUICK)
    where = {'host': str(server.folder)}
    url = sa.engine.URL.create('postgresql+psycopg2', USER, database='postgres', query=where)
    return server.fresh(url).render_as_string(hide_password=False)


@functools.cache
def _server(options: tuple[str, ...]) -> Server:
    initdb, postgres = (str(find(name, *FOLDERS)) for name in PROGRAMS)

    def prepare(folder: Path, who: dict[str, Any]) -> None:
        command = [initdb, '-D', folder / 'data', '-U', USER, '-A', 'trust', '-E', 'UTF8']
        command += ['--no-sync', '--locale=C']
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **who)

    def command(folder: Path) -> list[str]:
        said = [part for option in (*LOCAL, *options) for part in ('-c', option)]
        return [postgres, '-D', str(folder / 'data'), '-k', str(folder), *said]

    return Server('pg', prepare, command)
