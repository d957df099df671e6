# SPDX-License-Identifier: GPL-2.0-or-later
"""Buildbot's own workers and places, on a master that is only their names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from buildbot.process.workerforbuilder import WorkerForBuilder
from buildbot.worker import Worker

from buildbot_balancer.availability.announcement import COMMAND
from buildbot_balancer.availability.announcement import FILE
from buildbot_balancer.availability.announcement import Announcement


def make_workers(*names: str, **more: Any) -> dict[str, Worker]:
    return {name: Worker(name, 'pw', **more) for name in names}


def make_master(workers: dict[str, Worker]) -> Any:
    return SimpleNamespace(
        workers=SimpleNamespace(workers=workers, connections={}),
        botmaster=SimpleNamespace(builders={}),
    )


def make_place(worker: Worker, builder: str = 'b') -> WorkerForBuilder:
    place = WorkerForBuilder(SimpleNamespace(name=builder, getBuilderId=lambda: None))
    place.worker = worker
    worker.addWorkerForBuilder(place)
    return place


def connect(worker: Worker, announcement: Announcement | None = None, **more: Any) -> Any:
    """A new connection, as `attached` leaves it; `reporter=False` for a stock worker."""
    info: dict[str, Any] = {}
    if announcement is not None:
        info[FILE] = announcement.to_wire()
    worker.conn = SimpleNamespace(info=info)
    worker.worker_commands = {COMMAND: '1'} if more.get('reporter', True) else {'shell': '3'}
    return worker.conn


def disconnect(worker: Worker) -> None:
    worker.conn = None
