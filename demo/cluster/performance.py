# SPDX-License-Identifier: GPL-2.0-or-later
"""Performance: the demo of the cluster from its first process to the last."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from demo.cluster import tools
from demo.cluster.board import Board
from demo.cluster.recipe import SHARED
from demo.cluster.site import Plan
from demo.cluster.site import Site
from demo.cluster.story import TOTAL
from demo.cluster.story import Story
from demo.cluster.verdict import Outcome
from demo.errors import DemoError
from demo.errors import StoppedError
from demo.processes import ProcessError
from demo.stop import Stop

LIMIT = 300.0  # seconds until all is done
PREFIX = 'buildbot-balancer-cluster-'
PLAN = Plan(seconds=0.3, locks=SHARED, reporters=True)


def run(stop: Stop) -> int:
    """The exit code."""
    problems: list[str] = []
    try:
        _install()
        problems += _perform(stop).broken()
    except (DemoError, ProcessError, tools.ToolsError) as e:
        problems.append(str(e))
    except OSError as e:
        problems.append(f'The machine does not let it go on: {e}.')
    except StoppedError:
        return 128 + stop.heard
    if stop.heard:  # Ctrl-C ends what is being started, too
        return 128 + stop.heard
    for problem in problems:
        print(f'demo-cluster: {problem}', file=sys.stderr)
    if not problems:
        print('Kept: the peak was exactly 2, every request completed, nothing is held.')
    return 1 if problems else 0


def _install() -> None:
    if tools.crossbar() is None or tools.postgres() is None:
        print(f'Installing Crossbar.io and PostgreSQL into {tools.folder()}.', flush=True)
        tools.install()


def _perform(stop: Stop) -> Outcome:
    stop.ends = time.monotonic() + LIMIT
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    board = Board(PLAN.names, TOTAL)
    site = Site(folder, PLAN)
    try:
        board.say('Starting PostgreSQL, Crossbar.io, three masters and six workers.')
        _start(site, stop)
        return Story(site, board, stop).tell()
    finally:
        with contextlib.suppress(Exception):  # a terminal that is gone
            board.say('Stopping it all.')
            board.close()
        site.close()
        shutil.rmtree(folder, ignore_errors=True)


def _start(site: Site, stop: Stop) -> None:
    """In a thread: a signal is heard at once, and what is being started is put away."""
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(site.start)
        while not started.done():
            stop.nap()
        started.result()
