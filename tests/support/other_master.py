# SPDX-License-Identifier: GPL-2.0-or-later
"""Another master on the same database, as far as shared locks go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from buildbot.db import enginestrategy
from twisted.internet import reactor

from buildbot_balancer.cluster.store import Store
from buildbot_balancer.cluster.want import LockKey
from buildbot_balancer.cluster.want import Refused
from buildbot_balancer.cluster.want import Taken
from buildbot_balancer.cluster.want import Want
from buildbot_balancer.master.database import Database
from support.databases import Pool
from support.databases import master_with

LEASE = 30.0


class OtherMaster:
    """`freed`, if it is set, is called as a message that comes over the mq."""

    def __init__(self, url: str, name: str = 'other') -> None:
        self.engine = enginestrategy.create_engine(url, basedir=str(Path.cwd()))
        database = Database(master_with(Pool(self.engine)))
        database.problem = ''
        self.freed: Any = None
        self.store = Store(database, reactor, lambda: 0.5, self._freed)
        self.name = name
        self.incarnation = ''

    async def begin(self, masterid: int = 99, lease: float = LEASE) -> None:
        self.incarnation = await self.store.begin(self.name, masterid, lease)

    async def take(self, owner: str, *wants: Want, **more: Any) -> Taken | Refused:
        return await self.store.take(self.incarnation, owner, list(wants), **more)

    async def has(self, owner: str, *wants: Want, **more: Any) -> bool:
        return isinstance(await self.take(owner, *wants, **more), Taken)

    async def give_back(self, *owners: str) -> None:
        await self.store.give_back(self.incarnation, list(owners))

    async def holders(self) -> dict[tuple[str, str], list[str]]:
        """Owners, by lock; without those that only wait."""
        return {
            tuple(one.key): [share.owner for share in one.holders]
            for one in await self.store.picture()
            if one.holders
        }

    async def waiters(self) -> dict[tuple[str, str], list[str]]:
        return {
            tuple(one.key): [share.owner for share in one.waiters]
            for one in await self.store.picture()
            if one.waiters
        }

    def dispose(self) -> None:
        self.engine.dispose()

    def _freed(self, locks: Any) -> None:
        if self.freed is not None:
            self.freed([LockKey(*one) for one in locks])
