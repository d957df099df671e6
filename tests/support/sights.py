# SPDX-License-Identifier: GPL-2.0-or-later
"""A real master with a Sight, over our distributor or over Buildbot's with our chooser."""

from __future__ import annotations

from typing import Any

from buildbot.util.twisted import async_to_deferred

from buildbot_balancer.explain.sights import RequestSight
from buildbot_balancer.explain.sights import WorkerSight
from buildbot_balancer.master.balancer import Balancer
from support.distributor_master import DistributorCase
from support.masters import HeldStep


class Seeing:
    """For a MasterCase."""

    @property
    def sight(self: Any) -> Any:
        """What this master itself sees."""
        return self.balancer.sight and self.balancer._parts.sight

    async def request_sight(self: Any, request: int) -> RequestSight:
        """As of this moment."""
        self.sight._answers.clear()
        found = await self.sight.request(request)
        assert found is not None
        return found

    def worker_sight(self: Any, name: str) -> WorkerSight:
        return next(one for one in self.sight.workers() if one.name == name)

    async def says(self: Any, request: int, *parts: str, state: str = 'waiting') -> RequestSight:
        """Waits until the reason has all these parts, in their order."""
        last: list[RequestSight] = []

        async def true() -> bool:
            last[:] = [await self.request_sight(request)]
            return last[0].state == state and _in_order(last[0].reason, parts)

        for _ in range(400):
            if await true():
                return last[0]
            await self.stays(lambda: True, 0.02)
        raise AssertionError(f'not {state}: {parts}, but {last[0]}')


class SightCase(Seeing, DistributorCase):
    async def see(
        self,
        builders: dict[str, tuple[str, ...]] | None = None,
        served: list[str] | None = None,
        builder: dict[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        """A master, and what is seen of it. `served` are the builders that the Balancer serves,
        `builder` is of each builder, all else of the Balancer.
        """
        places = builders or {'b': ('w1',)}
        await self.start(
            tuple(sorted({name for some in places.values() for name in some})),
            builders=places,
            services=[Balancer(builders=served, **arguments)],
            builder=builder or {},
        )
        await self.until(lambda: all(map(self.is_attached, self.master.workers.workers)))
        await self.until(lambda: self.sight is not None)

    @async_to_deferred
    async def tearDown(self) -> None:
        """Nothing runs when the database goes."""
        for name, worker in self.master.workers.workers.items():
            if name:
                worker.pause('')
        await self.no_builds()

    async def busy(self, builder: str = 'b', count: int = 1) -> list[int]:
        """So many builds run."""
        before = len(HeldStep.running)
        requests = [await self.request(builder) for _ in range(count)]
        await self.started(before + count)
        return requests


def _in_order(text: str, parts: tuple[str, ...]) -> bool:
    place = 0
    for part in parts:
        found = text.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return True
