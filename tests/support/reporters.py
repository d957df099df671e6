# SPDX-License-Identifier: GPL-2.0-or-later
"""A reporter on a worker that is not started, with a clock, threads and a link of the test's."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import Callable

from buildbot_worker.bot import Worker
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from buildbot_balancer.availability.report import Report
from buildbot_balancer.reporter.link import Link

NOW = 1_800_000_000.0  # epoch seconds


def new_folder(case: Any) -> Path:
    path = Path(tempfile.mkdtemp())
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


def new_worker(basedir: Path, protocol: str = 'pb') -> Worker:
    """As ``buildbot.tac`` makes it; never started, so it connects to nobody."""
    return Worker('127.0.0.1', 1, 'w1', 'pw', str(basedir), False, protocol=protocol)


class Threads:
    """In the place of a thread pool: runs a job at once, or when the test lets go of it."""

    def __init__(self) -> None:
        self.hang = False
        self.jobs: list[Callable[[], None]] = []

    def callInThreadWithCallback(
        self, done: Callable[[bool, Any], None], function: Any, *args: Any, **kwargs: Any
    ) -> None:
        def job() -> None:
            try:
                result = function(*args, **kwargs)
            except Exception:
                done(False, Failure())
            else:
                done(True, result)

        if self.hang:
            self.jobs.append(job)
        else:
            job()

    def let_go(self) -> None:
        self.hang = False
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            job()


class ManualReactor(Clock):
    """Time goes on in `advance` only."""

    def __init__(self) -> None:
        super().__init__()
        self.threads = Threads()
        self.advance(NOW)

    def getThreadPool(self) -> Threads:
        return self.threads

    @staticmethod
    def callFromThread(function: Any, *args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)

    def pass_time(self, seconds: float, step: float = 0.05) -> None:
        for _ in range(round(seconds / step)):
            self.advance(step)


class FakeLink(Link):
    """Keeps what is sent; the test says what becomes of it."""

    def __init__(self, worker: Any, **callbacks: Any) -> None:
        super().__init__(worker, **callbacks)
        self.sent: list[Report] = []
        self.answers: list[defer.Deferred[Any]] = []
        self.answer_at_once = True
        self.up = True
        self.running = 0

    def send(self, payload: str) -> defer.Deferred[Any]:
        self.sent.append(Report.from_wire(payload))
        if self.answer_at_once:
            return defer.succeed(None)
        self.answers.append(defer.Deferred())
        return self.answers[-1]

    def is_up(self) -> bool:
        return self.up

    def commands(self) -> int:
        return self.running


@contextlib.contextmanager
def without_module(name: str) -> Iterator[None]:
    """Within it ``import name`` fails, as where it is not installed."""
    before = {key: one for key, one in sys.modules.items() if key.partition('.')[0] == name}
    for key in before:
        del sys.modules[key]
    sys.modules[name] = None  # type: ignore[assignment]  # as Python documents it
    try:
        yield
    finally:
        del sys.modules[name]
        sys.modules.update(before)
