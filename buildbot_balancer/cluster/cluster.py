# SPDX-License-Identifier: GPL-2.0-or-later
"""Cluster: this master's part in what several masters share."""

from __future__ import annotations

from random import Random
from typing import Any
from uuid import uuid4

from buildbot_balancer.cluster.elsewhere import Elsewhere
from buildbot_balancer.cluster.freed import Freed
from buildbot_balancer.cluster.membership import LEASE
from buildbot_balancer.cluster.membership import Membership
from buildbot_balancer.cluster.sharing import Sharing
from buildbot_balancer.cluster.store import Store
from buildbot_balancer.cluster.sweep import Sweep
from buildbot_balancer.locks import realshared


class Cluster:
    """Costs nothing until somebody wants a shared lock: then its lease begins."""

    def __init__(
        self, master: Any, reactor: Any, database: Any, random: Random, lease: float = LEASE
    ) -> None:
        self.freed = Freed(master, uuid4().hex, self._opened)
        self.store = Store(database, reactor, random.random, self.freed.say)
        self._sharing = Sharing(reactor, self.store, random)
        self.membership = Membership(
            reactor, self.store, lambda: (master.name, master.masterid), self._sharing, lease
        )
        self._sharing.lease = self.membership
        self.elsewhere = Elsewhere(
            reactor, self.store, lambda: self.membership.incarnation, _nobody
        )
        self._sharing.refused = self.elsewhere.look  # so that whoever asks why is told who has it
        self._sweep = Sweep(reactor, self.store, self._sharing)
        self._master = master
        self._runs = False

    @property
    def sharing(self) -> Sharing | None:
        """None while it does not run."""
        return self._sharing if self._runs else None

    async def start(self) -> None:
        await self.freed.start()
        self._runs = True
        self._sweep.start()
        realshared.bid_again(self._master)

    async def stop(self) -> None:
        """Builds that run go on, without their units."""
        self._runs = False
        self._sweep.stop()
        self._sharing.stop()
        await self._sharing.flush()
        await self.freed.stop()
        await self.membership.stop()

    def _opened(self, key: Any) -> None:
        if self._runs:
            self._sharing.opened(key)


def _nobody(_: Any) -> None:
    """Nobody wants to know."""
