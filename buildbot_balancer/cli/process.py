# SPDX-License-Identifier: GPL-2.0-or-later
"""Process: whether a worker's process lives, where no pulse says so.

It may be starting, or may run without a reporter.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from buildbot_balancer.errors import StoreError
from buildbot_balancer.reporter import files

PID_FILE = 'twistd.pid'
_PROGRAMS = ('buildbot-worker', 'buildbot_worker', 'twistd')


def find(basedir: Path) -> int | None:
    """The pid of the process that seems to be the worker of `basedir`."""
    pid = _written_pid(basedir)
    if pid is not None and _lives(pid):
        return pid
    return _search(basedir)


def _written_pid(basedir: Path) -> int | None:
    try:
        pid = int(files.read(basedir / PID_FILE) or '')
    except (StoreError, ValueError):
        return None
    return pid if 0 < pid < 2**31 else None


def _lives(pid: int) -> bool:
    try:
        import psutil
    except ImportError:
        return _is_there(pid)
    try:
        # one that was killed and that nobody has asked about yet is dead
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except (psutil.Error, OSError):  # another user's
        return True


def _is_there(pid: int) -> bool:
    if os.name == 'nt':  # pragma: no cover  there is no signal that does nothing
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def _search(basedir: Path) -> int | None:
    # "buildbot-worker start --nodaemon" and the usual containers write no pid file
    try:
        import psutil
    except ImportError:
        return None
    root = os.path.realpath(basedir)
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and _is_worker(process, root):
                return int(process.pid)
        except (psutil.Error, OSError):  # gone meanwhile, or another user's
            continue
    return None


def _is_worker(process: Any, root: str) -> bool:
    if process.cwd() != root:
        return False
    return any(
        Path(part).name in _PROGRAMS or part.startswith('--python=') for part in process.cmdline()
    )
