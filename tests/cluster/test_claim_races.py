# SPDX-License-Identifier: GPL-2.0-or-later
"""What it costs a master that another one was faster with a request."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from support.masters import HeldStep
from support.masters import MasterCase
from twisted.python import log

from buildbot_balancer.master.configurator import BalancerConfigurator


class LostClaimRaces(MasterCase):
    async def test_one_is_quiet_and_costs_the_claim_alone(self) -> None:
        await self.start(configurators=[BalancerConfigurator()])
        other = await self.master.db.masters.findMasterId(name='other')
        asked: list[str] = []
        said: list[Any] = []
        real = self.master.data.updates.claimBuildRequests

        async def claim(requests: list[int], **more: Any) -> Any:
            """The other is faster by as little as can be, and its message comes later."""
            await self.master.db.buildrequests._claim_buildrequests_for_master(
                requests, 1_800_000_000, other
            )
            asked.clear()
            log.addObserver(said.append)
            self.addCleanup(log.removeObserver, said.append)
            sa.event.listen(self.master.db.pool.engine, 'before_cursor_execute', note)
            return await real(requests, **more)

        def note(*event: Any) -> None:
            asked.append(event[2])

        self.master.data.updates.claimBuildRequests = claim
        await self.request()
        await self.until(lambda: asked)
        self.master.data.updates.claimBuildRequests = real
        await self.stays(lambda: True)  # for whatever else it may ask
        about = [one for one in asked if 'buildrequest' in one or 'buildset' in one]
        self.assertEqual(len(about), 1, about)
        self.assertIn('INSERT INTO buildrequest_claims', about[0])
        self.assertEqual([one for one in said if one['isError']], [])
        self.assertEqual(HeldStep.running, [])
        self.assertEqual(await self.builds(), [])
