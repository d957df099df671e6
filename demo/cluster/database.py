# SPDX-License-Identifier: GPL-2.0-or-later
"""Database: a PostgreSQL in a folder of its own, which can be stopped and started again."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from demo import session
from demo.cluster import tools
from demo.processes import START_TIMEOUT
from demo.processes import ProcessError
from demo.processes import free_ports

TRIES = 3  # a port that was free may be taken by somebody else
USER = 'buildbot'
NAME = 'buildbot'
# nothing has to survive the machine; a crash of the server alone loses nothing by this
QUICK = ('fsync=off', 'full_page_writes=off', 'max_connections=150')


class Database:
    def __init__(self, folder: Path, *settings: str) -> None:
        """`settings`: of the server, as name=value."""
        programs = tools.postgres()
        if programs is None:
            raise ProcessError('there is no PostgreSQL: neither a package nor the system has one')
        self.folder = folder
        self.port = 0
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        self._who, self._programs = _somebody(folder, programs)
        self._initialize()

    def url(self, port: int = 0, name: str = NAME, application: str = 'site') -> str:
        """`port`: of who stands between; `application`: who asks, as the server's log says it."""
        where = f'127.0.0.1:{port or self.port}'
        return f'postgresql+psycopg2://{USER}@{where}/{name}?application_name={application}'

    def rows(self, statement: str) -> list[Any]:
        engine = sa.create_engine(self.url(), poolclass=sa.pool.NullPool)
        with engine.connect() as connection:
            return list(connection.execute(sa.text(statement)))

    def execute(self, statement: str) -> None:
        engine = sa.create_engine(self.url(), poolclass=sa.pool.NullPool)
        with engine.begin() as connection:
            connection.execute(sa.text(statement))

    def start(self) -> None:
        """On the port that it had before, if it had one."""
        if self.port:
            return self._start()
        for _ in range(TRIES - 1):
            (self.port,) = free_ports(1)
            try:
                self._start()
            except ProcessError:
                self.stop()
            else:
                return self._create()
        (self.port,) = free_ports(1)
        self._start()
        return self._create()

    def _start(self) -> None:
        options = [f'port={self.port}', f'unix_socket_directories={self.folder}', *QUICK]
        options += self._settings
        with (self.folder / 'log').open('ab') as log:
            self._process = subprocess.Popen(
                [
                    self._programs / 'postgres',
                    *('-D', self.folder / 'data', '-h', '127.0.0.1'),
                    *(part for option in options for part in ('-c', option)),
                ],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._who,
            )
        self._await()

    def stop(self, how: int = signal.SIGINT) -> None:
        """SIGINT ends all connections and what they were doing; SIGQUIT is a crash."""
        if self._process is None:
            return
        started = session.members(self._process.pid)
        self._process.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        self._process.kill()
        self._process.wait()
        session.kill(started)
        self._process = None

    @property
    def log(self) -> str:
        return (self.folder / 'log').read_text(errors='replace')

    def _initialize(self) -> None:
        command = [str(self._programs / 'initdb'), '-D', str(self.folder / 'data'), '-U', USER]
        command += ['-A', 'trust', '-E', 'UTF8', '--no-sync', '--locale=C']
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, **self._who
        )
        if done.returncode != 0:
            raise ProcessError(f'initdb ended with {done.returncode}:\n{done.stderr[-1000:]}')

    def _await(self) -> None:
        engine = sa.create_engine(self.url(name='postgres'), poolclass=sa.pool.NullPool)
        end = time.monotonic() + START_TIMEOUT
        while True:
            try:
                engine.connect().close()
            except sa.exc.OperationalError as e:
                ended = self._process is None or self._process.poll() is not None
                if ended or time.monotonic() > end:
                    raise ProcessError(f'PostgreSQL did not start:\n{self.log[-2000:]}') from e
                time.sleep(0.05)
            else:
                return

    def _create(self) -> None:
        engine = sa.create_engine(
            self.url(name='postgres'), poolclass=sa.pool.NullPool, isolation_level='AUTOCOMMIT'
        )
        with engine.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE {NAME}')


def _somebody(folder: Path, programs: Path) -> tuple[dict[str, Any], Path]:
    """Arguments of Popen, and where the programs are: PostgreSQL refuses to run as root, and
    somebody else may not look into root's folders.
    """
    if os.geteuid() != 0:
        return {}, programs
    user = pwd.getpwnam('nobody')
    if programs.is_relative_to(tools.folder()):
        install = programs.parent
        beside = install.parents[1]  # the libraries that came in the same wheel
        shutil.copytree(install, folder / 'site' / install.parent.name / install.name)
        for libraries in beside.glob('*pgserver.libs'):
            shutil.copytree(libraries, folder / 'site' / libraries.name)
        programs = folder / 'site' / install.parent.name / install.name / 'bin'
    os.chown(folder, user.pw_uid, user.pw_gid)
    for place in (folder.parent, folder):
        place.chmod(place.stat().st_mode | 0o711)  # to reach it, not to read it
    return {'user': user.pw_uid, 'group': user.pw_gid, 'extra_groups': []}, programs
