# SPDX-License-Identifier: GPL-2.0-or-later
"""Session: all processes that descend from one that was started with start_new_session.

The commands of a build have process groups of their own, and lose their parent when a worker
dies; the session they keep.
"""

from __future__ import annotations

import contextlib
import os

import psutil


def members(leader: int) -> list[psutil.Process]:
    """Of the session that the process `leader` leads or led, without the leader."""
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if pid != leader and os.getsid(pid) == leader:
                found.append(psutil.Process(pid))
    return found


def kill(processes: list[psutil.Process]) -> None:
    """A pid that is another process by now is left alone."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
