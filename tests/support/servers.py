# SPDX-License-Identifier: GPL-2.0-or-later
"""Database servers for tests: in a temporary folder, for this process alone, gone with it."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from typing import Callable
from unittest import SkipTest

import sqlalchemy as sa

PATIENCE = 60.0  # seconds for a server to answer; bounds a failure
USER = 'balancer'  # in the server
# Ends when its standard input does, however this process came to its end.
WATCH = """\
import json, shutil, subprocess, sys
spec = json.loads(sys.argv[1])
out = open(spec['log'], 'ab')
server = subprocess.Popen(spec['command'], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                          **spec['who'])
sys.stdin.read()
server.terminate()
try:
    server.wait(20)
except subprocess.TimeoutExpired:
    server.kill()
    server.wait()
shutil.rmtree(spec['folder'], ignore_errors=True)
"""


def demand(what: str, why: str) -> None:
    """Skips a test with a line that says what is not run, or fails where CI is set."""
    if why and os.environ.get('CI') == 'true':
        raise AssertionError(f'nothing was run on {what}: {why}')
    if why:
        raise SkipTest(f'nothing was run on {what}: {why}')


def find(name: str, *folders: str) -> str | None:
    """A program of that name, on the path or in the newest of the folders."""
    beside = [path for glob in folders for path in sorted(Path('/').glob(f'{glob}/{name}'))]
    return shutil.which(name) or (str(beside[-1]) if beside else None)


class Server:
    """One that is made by `prepare(folder, who)` and run by `command(folder)`."""

    def __init__(
        self,
        name: str,
        prepare: Callable[[Path, dict[str, Any]], None],
        command: Callable[[Path], list[str]],
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f'{name}-'))
        who = _somebody(self.folder)
        prepare(self.folder, who)
        self._watch = self._start(command(self.folder), who)
        atexit.register(self.stop)
        self._count = 0

    def _start(self, command: list[str], who: dict[str, Any]) -> Any:
        import json

        spec = {
            'command': command,
            'who': who,
            'folder': str(self.folder),
            'log': str(self.folder / 'log'),
        }
        return subprocess.Popen([sys.executable, '-c', WATCH, json.dumps(spec)], stdin=-1)

    def stop(self) -> None:
        self._watch.stdin.close()
        self._watch.wait()

    def fresh(self, url: sa.engine.URL) -> sa.engine.URL:
        """A new, empty database; `url` is of one that is there anyway."""
        self._count += 1
        name = f'test{os.getpid()}_{self._count}'
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool, isolation_level='AUTOCOMMIT')
        end = time.monotonic() + PATIENCE
        while True:
            try:
                with engine.connect() as connection:
                    connection.exec_driver_sql(f'CREATE DATABASE {name}')
                return url.set(database=name)
            except sa.exc.OperationalError as e:
                if time.monotonic() > end or self._watch.poll() is not None:
                    log = (self.folder / 'log').read_text(errors='replace')
                    raise AssertionError(f'the server does not answer: {e}\n{log}') from e
                time.sleep(0.1)


def _somebody(folder: Path) -> dict[str, Any]:
    """Arguments of Popen; database servers refuse to run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam('nobody')
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {'user': user.pw_uid, 'group': user.pw_gid, 'extra_groups': []}
