# SPDX-License-Identifier: GPL-2.0-or-later
"""What a build of the cluster runs: ``python job.py FOLDER SECONDS WORKER NUMBER LOCK...``.

It notes its begin and its end in ``FOLDER/diary``, and with its begin how many hold the same locks
at that moment, itself included.
Whoever lives holds an operating system's lock on a file of its own, which ends with the process,
also after ``kill -9``: what any master thinks plays no part in it.
It runs for SECONDS, and longer while there is a file ``FOLDER/hold``.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from pathlib import Path
from typing import IO
from urllib.parse import quote

LONGEST = 300.0  # seconds that a job may be held, should whoever holds it not come back


def main() -> None:
    place, seconds, worker, number, *locks = sys.argv[1:]
    folder = Path(place)
    with (folder / 'diary').open('a') as diary:
        fcntl.flock(diary, fcntl.LOCK_EX)
        lives = [_live(folder, lock) for lock in locks]
        counts = [f'{quote(lock)}={_alive(folder, lock)}' for lock in locks]
        print('begin', os.getpid(), quote(worker), number, *counts, file=diary)
    _work(folder, time.monotonic(), float(seconds))
    with (folder / 'diary').open('a') as diary:
        fcntl.flock(diary, fcntl.LOCK_EX)
        print('end', os.getpid(), quote(worker), number, file=diary, flush=True)
        for life in lives:
            life.close()


def _work(folder: Path, begun: float, seconds: float) -> None:
    while time.monotonic() - begun < seconds or (
        (folder / 'hold').exists() and time.monotonic() - begun < LONGEST
    ):
        time.sleep(0.02)


def _live(folder: Path, lock: str) -> IO[str]:
    life = (folder / f'life-{quote(lock, safe="")}-{os.getpid()}').open('w')
    fcntl.flock(life, fcntl.LOCK_EX)
    return life


def _alive(folder: Path, lock: str) -> int:
    count = 0
    for path in folder.glob(f'life-{quote(lock, safe="")}-*'):
        with contextlib.suppress(OSError), path.open('r') as life:
            count += _is_locked(life)
    return count


def _is_locked(life: IO[str]) -> bool:
    try:
        fcntl.flock(life, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


if __name__ == '__main__':
    main()
