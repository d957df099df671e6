# SPDX-License-Identifier: GPL-2.0-or-later
"""A real master whose requests our distributor starts, with workers in its own process."""

from __future__ import annotations

from typing import Any

from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.master.distribution.distributor import BalancedDistributor
from support.masters import HeldStep
from support.masters import MasterCase


class DistributorCase(MasterCase):
    proto = 'null'

    async def start_with(
        self,
        builders: dict[str, tuple[str, ...]] | None = None,
        *,
        builder: dict[str, Any] | None = None,
        more: dict[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        """`more` is of the config, `builder` of each builder, all else of the Balancer."""
        builders = builders or {'b': ('w1',)}
        names = tuple(sorted({name for some in builders.values() for name in some}))
        await self.start(
            names,
            builders=builders,
            services=[Balancer(**arguments)],
            builder=builder or {},
            **(more or {}),
        )
        await self.until(lambda: all(map(self.is_attached, names)))

    async def reconfig(self, *services: Any, **changes: Any) -> None:
        self.config.update(changes, services=list(services))
        self.master.config_loader.config_dict = self.config
        await self.master.reconfig()

    @property
    def brd(self) -> Any:
        return self.master.botmaster.brd

    def is_ours(self) -> bool:
        return isinstance(self.brd, BalancedDistributor)

    def builder(self, name: str = 'b') -> Any:
        return self.master.botmaster.builders[name]

    async def order(self) -> list[int]:
        """Requests, as their builds began."""
        builds = sorted(await self.builds(), key=lambda one: one['buildid'])
        return [one['buildrequestid'] for one in builds]

    async def work_off(self, count: int) -> list[int]:
        """Lets one build after the other end until so many have run; their order."""
        for _ in range(count):
            await self.started(1)
            HeldStep.running[0].let_go()
            await self.until(lambda: not HeldStep.running or len(HeldStep.running) > 0)
        await self.until(lambda: not any(b.building for b in self.all_builders()))
        return await self.order()

    def all_builders(self) -> list[Any]:
        return list(self.master.botmaster.builders.values())

    async def no_builds(self) -> None:
        await self.until(self._is_over)

    def _is_over(self) -> bool:
        self.let_all_go()  # also steps that begin only now
        return not any(one.building for one in self.all_builders())

    async def is_complete(self, request: int) -> bool:
        row = await self.master.db.buildrequests.getBuildRequest(request)
        return bool(row.complete)

    def count_looks(self) -> list[int]:
        look, looks = self.brd._look, []
        at = look.at

        async def counted(lane: Any, first: Any, *more: Any) -> Any:
            looks.append(first.id)
            return await at(lane, first, *more)

        look.at = counted
        return looks
