# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one file of Buildbot's own tests: ``python run.py stock|locks|chooser FILE RESULTS``.

With `locks` ours stand in the place of Buildbot's, with `chooser` our chooser does. RESULTS is
written as JSON: what went wrong in each test, by its name; nothing in most.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any
from unittest import mock

from buildbot import locks
from buildbot.plugins import util
from buildbot.process import buildrequestdistributor
from buildbot.process.properties import Properties
from twisted.trial.reporter import Reporter
from twisted.trial.runner import TestLoader
from twisted.trial.runner import TrialRunner

from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.locks.realgroup import RealGroupLock
from buildbot_balancer.locks.semaphore import Semaphore
from buildbot_balancer.master import engine
from buildbot_balancer.master.chooser import BalancedBuildChooser


class WorkerLock(WorkerGroupLock):
    """Each worker is a group; called as Buildbot's, since its tests look at what is printed."""

    def __init__(self, name: str, maxCount: int = 1, maxCountForWorker: Any = None) -> None:
        super().__init__(name, maxCount, maxCountForGroup=maxCountForWorker)


class Recorder(Reporter):  # type: ignore[misc]
    """All that went wrong in each test, but for what third parties will drop: Twisted counts that
    as an error of whichever test meets it.
    """

    @property
    def outcomes(self) -> dict[str, list[str]]:
        outcomes: dict[str, list[str]] = self.__dict__.setdefault('_outcomes', {})
        return outcomes

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self.outcomes.setdefault(test.id(), [])

    def _note(self, test: Any, outcome: str, why: Any) -> None:
        value = getattr(why, 'value', why)
        if not isinstance(value, DeprecationWarning):
            text = ' '.join(f'{outcome}: {type(value).__name__}: {value}'.split())
            self.outcomes.setdefault(test.id(), []).append(text[:300])

    def addError(self, test: Any, error: Any) -> None:
        super().addError(test, error)
        self._note(test, 'error', error)

    def addFailure(self, test: Any, fail: Any) -> None:
        super().addFailure(test, fail)
        self._note(test, 'failed', fail)

    def addSkip(self, test: Any, reason: Any) -> None:
        super().addSkip(test, reason)
        self._note(test, 'skipped', reason)


@contextlib.contextmanager
def in_place(what: str) -> Iterator[None]:
    """Only while the tests are read: Buildbot itself keeps its own."""
    with contextlib.ExitStack() as stack:
        if what == 'locks':
            stack.enter_context(mock.patch.object(locks, 'BaseLock', Semaphore))
            stack.enter_context(mock.patch.object(locks, 'RealWorkerLock', RealGroupLock))
            stack.enter_context(mock.patch.object(locks, 'WorkerLock', WorkerLock))
            stack.enter_context(mock.patch.object(util, 'WorkerLock', WorkerLock, create=True))
        yield


def read(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


class InOrder(Random):
    """The tests expect the order in which they made the workers, where all are equally good."""

    def random(self) -> float:
        return 0.5

    def shuffle(self, x: Any) -> None:
        """They stay as they are."""


def furnish(module: ModuleType) -> None:
    """The places that the tests make have no worker, and their builders no lists: our chooser looks
    at both.
    """
    base = module.TestBRDBase
    add_workers, create_builder = base.addWorkers, base.createBuilder

    def add_with_workers(self: Any, names: Any) -> None:
        add_workers(self, names)
        for builder in self.builders.values():
            for wfb in builder.workers:
                wfb.worker = worker_named(wfb.name)
                wfb.state = None

    def create_with_lists(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = create_builder(self, *args, **kwargs)
        for builder in self.builders.values():
            builder.master = self.master
            builder.building = []
            if isinstance(builder.config, mock.Mock):
                builder.config.locks = builder.config.workernames = builder.config.tags = []
                builder.config.properties = builder.config.defaultProperties = {}
        return made

    base.addWorkers, base.createBuilder = add_with_workers, create_with_lists


def worker_named(name: str) -> Any:
    return mock.Mock(
        name=f'worker of {name}',
        workername=name,
        conn=mock.Mock(info={}),
        isPaused=lambda: False,
        _graceful=False,
        quarantine_timer=None,
        builds_may_be_incompatible=False,
        max_builds=None,
        worker_commands={},
        workerforbuilders={},
        properties=Properties(),
        info=Properties(),
        machine_name=None,
    )


def main(what: str, path: str, results: str) -> None:
    with in_place(what):
        module = read(Path(path))
    if what == 'chooser':
        if hasattr(module, 'TestBRDBase'):
            furnish(module)
        engine.Random = InOrder
        buildrequestdistributor.BuildRequestDistributor.BuildChooser = BalancedBuildChooser
        buildrequestdistributor.BasicBuildChooser = BalancedBuildChooser
    folder = tempfile.mkdtemp()
    runner = TrialRunner(Recorder, workingDirectory=f'{folder}/trial', stream=sys.stderr)
    result = runner.run(TestLoader().loadModule(module))
    outcomes = getattr(result, '_originalReporter', result).outcomes
    Path(results).write_text(json.dumps(outcomes), encoding='utf-8')


if __name__ == '__main__':
    main(*sys.argv[1:])
