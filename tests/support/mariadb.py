# SPDX-License-Identifier: GPL-2.0-or-later
"""A MariaDB of our own: Debian's package ``mariadb-server``, and ``pymysql``."""

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

FOLDERS = ('usr/sbin', 'usr/bin')


PROGRAMS = ('mariadb-install-db', 'mariadbd')


def problem() -> str:
    """Why there is none; '' where there is."""
    lacking = [name for name in PROGRAMS if find(name, *FOLDERS) is None]
    if lacking:
        return f'there is no {" and no ".join(lacking)} (Debian: apt install mariadb-server)'
    if importlib.util.find_spec('pymysql') is None:
        return 'the package pymysql is not installed'
    return ''


def fresh_database() -> str:
    """The URL of a new, empty database."""
    server = _server()
    where = {'unix_socket': str(server.folder / 'socket')}
    url = sa.engine.URL.create('mysql+pymysql', USER, 'pw', database='mysql', query=where)
    return server.fresh(url).render_as_string(hide_password=False)


@functools.lru_cache(maxsize=1)
def _server() -> Server:
    install, mariadbd = (str(find(name, *FOLDERS)) for name in PROGRAMS)

    def prepare(folder: Path, who: dict[str, Any]) -> None:
        command = [install, '--no-defaults', f'--datadir={folder}/data', '--skip-test-db']
        command += ['--auth-root-authentication-method=normal']
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **who)
        grants = (
            f"CREATE USER '{USER}'@'%' IDENTIFIED BY 'pw';\n"
            f"GRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n"
        )
        (folder / 'init.sql').write_text(grants)

    def command(folder: Path) -> list[str]:
        return [
            mariadbd,
            '--no-defaults',
            f'--datadir={folder}/data',
            f'--socket={folder}/socket',
            f'--pid-file={folder}/pid',
            f'--init-file={folder}/init.sql',
            '--skip-networking',
            '--innodb-flush-log-at-trx-commit=0',
        ]

    return Server('maria', prepare, command)
