# SPDX-License-Identifier: GPL-2.0-or-later
"""Connection: of a worker that is there in name only."""

from __future__ import annotations

from typing import Any
from typing import ClassVar

from buildbot.worker.protocols.base import Connection
from twisted.internet import defer

INFO = {'admin': None, 'host': None, 'access_uri': None, 'version': 'benchmark'}


class IdleConnection(Connection):  # type: ignore[misc]  # Buildbot has no types
    """Takes every message at once, and sends none by itself."""

    info: ClassVar[dict[str, Any]] = INFO

    def remotePrint(self, message: str) -> defer.Deferred[None]:
        return defer.succeed(None)

    def get_peer(self) -> str:
        return 'benchmark'


async def connect(master: Any) -> None:
    """As ``Worker.attached`` does, but for the builders, which do not have the workers yet."""
    for worker in master.workers.workers.values():
        worker.conn = IdleConnection(worker.workername)
        worker.worker_commands = {}
        await master.data.updates.workerConnected(
            workerid=worker.workerid, masterid=master.masterid, workerinfo=INFO
        )


async def give_places(master: Any) -> None:
    """Now the builders have their workers; all in one turn, and nobody is woken by it."""
    for worker in master.workers.workers.values():
        for builder in master.botmaster.getBuildersForWorker(worker.workername):
            await builder.attached(worker, {})
