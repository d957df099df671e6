# SPDX-License-Identifier: GPL-2.0-or-later
"""What the fakes of Buildbot's tests of distribution lack, and ours looks at."""

from __future__ import annotations

from random import Random
from types import ModuleType
from typing import Any
from unittest import mock

from buildbot.process.properties import Properties
from buildbot.process.workerforbuilder import States
from twisted.internet import defer


class InOrder(Random):
    """The tests expect the order in which they made the workers, where all are equally good."""

    def random(self) -> float:
        return 0.5

    def shuffle(self, x: Any) -> None:
        """They stay as they are."""


def furnish(module: ModuleType) -> None:
    """The places that the tests make have no worker, and their builders no lists."""
    base = module.TestBRDBase
    add_workers, create_builder = base.addWorkers, base.createBuilder

    def add_with_workers(self: Any, names: Any) -> None:
        add_workers(self, names)
        for name in names:
            worker = self.master.workers.workers[name] = worker_named(name)
            for builder in self.builders.values():
                _put_in_place(builder, worker)

    def create_with_lists(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = create_builder(self, *args, **kwargs)
        for builder in self.builders.values():
            _give_lists(builder, self.master)
        return made

    base.addWorkers, base.createBuilder = add_with_workers, create_with_lists


def _give_lists(builder: Any, master: Any) -> None:
    if isinstance(builder.building, list):
        return  # it has them
    builder.master = master
    builder.building = []
    made, builder.getBuilderId = builder.getBuilderId, lambda: defer.succeed(made())
    if isinstance(builder.config, mock.Mock):
        builder.config.locks = builder.config.workernames = builder.config.tags = []
        builder.config.properties = builder.config.defaultProperties = {}


def _put_in_place(builder: Any, worker: Any) -> None:
    """Each builder has a place of its own; the tests give one to all of them."""
    at = [place.name for place in builder.workers].index(worker.workername)
    free = builder.workers[at].isAvailable
    place = mock.Mock(
        isAvailable=free,
        isBusy=lambda: not free(),
        builder=builder,
        worker=worker,
        state=States.AVAILABLE,
    )
    place.name = worker.workername
    builder.workers[at] = worker.workerforbuilders[builder.name] = place
    builder.config.workernames = [one.name for one in builder.workers]


def worker_named(name: str) -> Any:
    worker = mock.Mock(
        workername=name,
        conn=mock.Mock(info={}),
        isPaused=lambda: False,
        _graceful=False,
        quarantine_timer=None,
        builds_may_be_incompatible=False,
        max_builds=None,
        worker_commands={},
        workerforbuilders={},
        locks=[],
        properties=Properties(),
        info=Properties(),
        machine_name=None,
    )
    worker.name = name
    return worker
