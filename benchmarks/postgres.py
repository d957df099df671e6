# SPDX-License-Identifier: GPL-2.0-or-later
"""Postgres: a server of our own that writes to the disk as one does whose data has to survive."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from support import postgres  # type: ignore[import-not-found]  # the tests'
from support.servers import USER  # type: ignore[import-not-found]
from support.servers import Server
from support.servers import find

from benchmarks.errors import BenchmarkError


def fresh_database() -> str:
    """The URL of a new, empty database; the server goes with this process."""
    why = postgres.problem()
    if why:
        raise BenchmarkError(f'shared locks are measured on PostgreSQL: {why}')
    initdb, program = (str(find(name, *postgres.FOLDERS)) for name in postgres.PROGRAMS)

    def prepare(folder: Path, who: dict[str, Any]) -> None:
        command = [initdb, '-D', str(folder / 'data'), '-U', USER, '-A', 'trust', '-E', 'UTF8']
        command.append('--locale=C')
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **who)  # noqa: S603

    def command(folder: Path) -> list[str]:
        data, place = str(folder / 'data'), str(folder)
        return [program, '-D', data, '-k', place, '-c', 'listen_addresses=']

    server = Server('pgbench', prepare, command)
    where = {'host': str(server.folder)}
    url = sa.engine.URL.create('postgresql+psycopg2', USER, database='postgres', query=where)
    return str(server.fresh(url).render_as_string(hide_password=False))
