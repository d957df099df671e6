# SPDX-License-Identifier: GPL-2.0-or-later
"""Runner: a process for each measurement, in a folder that is thrown away."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from typing import Callable

from benchmarks.errors import BenchmarkError
from benchmarks.plan import PREPARE
from benchmarks.plan import Plan
from benchmarks.size import Size

ROOT = Path(__file__).resolve().parent.parent
GRACE = 300.0  # seconds for a master to start and to come to rest
LINES = 15  # of a log, in a message


class Runner:
    """`say` is called with a line of progress; `close` leaves nothing behind."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._cleanups = contextlib.ExitStack()
        folder = self._cleanups.enter_context(tempfile.TemporaryDirectory(prefix='benchmark-'))
        self._folder = Path(folder)
        self._databases: dict[Size, Path] = {}

    def close(self) -> None:
        self._cleanups.close()

    def run(self, plan: Plan) -> dict[str, Any]:
        """Its figures; raises BenchmarkError."""
        database = self._database(plan.size)
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            folder = Path(name)
            shutil.copy(database, folder)
            found = _measure(plan, folder)
        if found['errors']:
            self._say(f'{plan}: the log has {found["errors"]} errors')
        return found

    def _database(self, size: Size) -> Path:
        known = self._databases.get(size)
        if known is None:
            for old in self._databases.values():  # sizes come one after the other
                shutil.rmtree(old.parent)
            self._databases.clear()
            folder = Path(tempfile.mkdtemp(dir=self._folder))
            _measure(Plan(scenario=PREPARE, size=size), folder)
            known = self._databases[size] = folder / 'state.sqlite'
        return known


def _measure(plan: Plan, folder: Path) -> dict[str, Any]:
    path = os.pathsep.join(
        [str(ROOT), str(ROOT / 'tests'), *filter(None, [os.environ.get('PYTHONPATH')])]
    )
    limit = plan.seconds * 3 + plan.starts + GRACE
    try:
        done = subprocess.run(  # noqa: S603  this program's own part
            [sys.executable, '-m', 'benchmarks.measured', plan.to_json(), str(folder)],
            env={**os.environ, 'PYTHONPATH': path},
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        raise BenchmarkError(f'{plan}: no figures after {limit:.0f} s{_tail(folder)}') from e
    if done.returncode != 0 or not done.stdout.strip():
        raise BenchmarkError(f'{plan}: ended with {done.returncode}{_tail(folder)}\n{done.stderr}')
    return dict(json.loads(done.stdout))


def _tail(folder: Path) -> str:
    with contextlib.suppress(OSError):
        lines = (folder / 'twistd.log').read_text(encoding='utf-8', errors='replace').splitlines()
        return '; the end of its log:\n' + '\n'.join(lines[-LINES:])
    return ''
