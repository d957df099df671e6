# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one file of Buildbot's own tests: ``python run.py WHAT FILE RESULTS``.

WHAT: ``stock``, or what of ours stands in the place of Buildbot's: ``locks``, ``chooser`` or
``distributor``. RESULTS is written as JSON: what went wrong in each test, by its name; nothing in
most.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from buildbot import locks
from buildbot.plugins import util
from buildbot.process import buildrequestdistributor
from twisted.trial.reporter import Reporter
from twisted.trial.runner import TestLoader
from twisted.trial.runner import TrialRunner
from upstream.furniture import InOrder
from upstream.furniture import furnish
from upstream.stand import Stand

from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.locks.realgroup import RealGroupLock
from buildbot_balancer.locks.semaphore import Semaphore
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.master.choice import engine
from buildbot_balancer.master.choice.chooser import BalancedBuildChooser


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


def add_balancer(module: ModuleType) -> None:
    """Each master of the tests has the service, which brings the distributor."""
    base = module.RunFakeMasterTestCase
    setup = base.setup_master

    def setup_master(self: Any, config: dict[str, Any]) -> Any:
        config['services'] = [Balancer()]  # the tests go on to change this very config
        return setup(self, config)

    base.setup_master = setup_master


def main(what: str, path: str, results: str) -> None:
    with in_place(what):
        module = read(Path(path))
    of_distribution = hasattr(module, 'TestBRDBase')
    if of_distribution and what != 'stock':
        furnish(module)
    if what == 'chooser':
        engine.Random = InOrder
        buildrequestdistributor.BuildRequestDistributor.BuildChooser = BalancedBuildChooser
        buildrequestdistributor.BasicBuildChooser = BalancedBuildChooser
    elif what == 'distributor' and of_distribution:
        buildrequestdistributor.BuildRequestDistributor = Stand
    elif what == 'distributor':
        add_balancer(module)
    folder = tempfile.mkdtemp()
    runner = TrialRunner(Recorder, workingDirectory=f'{folder}/trial', stream=sys.stderr)
    result = runner.run(TestLoader().loadModule(module))
    outcomes = getattr(result, '_originalReporter', result).outcomes
    Path(results).write_text(json.dumps(outcomes), encoding='utf-8')


if __name__ == '__main__':
    main(*sys.argv[1:])
