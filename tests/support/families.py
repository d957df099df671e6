# SPDX-License-Identifier: GPL-2.0-or-later
"""Builders whose builds trigger one another and want the same lock."""

from __future__ import annotations

import contextlib
from typing import Any

from buildbot.config import BuilderConfig
from buildbot.locks import MasterLock
from buildbot.plugins import schedulers
from buildbot.plugins import steps
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.buildstep import BuildStepCancelled
from buildbot.process.factory import BuildFactory

from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.master.locks.parents import Parents
from support.logs import LogLines
from support.masters import HeldStep
from support.masters import MasterCase

HOST = MasterLock('host')
REMEDY = 'can go on; stop one, or take the lock in one of them only'


def trigger(name: str, **more: Any) -> Any:
    return steps.Trigger(
        schedulerNames=[f'to-{name}'], **{'waitForFinish': True, 'name': 'go', **more}
    )


class FamilyCase(MasterCase):
    """Builders `top` and `parent` that trigger, `child` and `other`; each on its own worker."""

    proto = 'null'

    async def start_family(
        self, workers: Any = (), balancer: Any = None, **builders: dict[str, Any]
    ) -> None:
        """`builders`: what each has: locks, steps, workernames."""
        self.log = LogLines(self)
        names = (*builders, 'spare')
        made = [
            BuilderConfig(
                name=name,
                workernames=given.pop('workernames', [name]),
                factory=BuildFactory(given.pop('steps', None) or [HeldStep()]),
                collapseRequests=False,
                **given,
            )
            for name, given in builders.items()
        ]
        config = self.make_config(
            names,
            builders=dict.fromkeys(builders, names),
            services=[balancer or Balancer()],
            schedulers=[schedulers.Triggerable(f'to-{name}', [name]) for name in builders],
        )
        config['builders'] = made
        given_names = [one.workername for one in workers]
        config['workers'] = [
            *(one for one in config['workers'] if one.workername not in given_names),
            *workers,
        ]
        await self.setup_master(config, startWorker=False)
        # beside the Balancer's own, so that a test can ask when its time has come
        self.parents = Parents(self.master)

    async def pending(self, builder: str = 'child', count: int = 1) -> list[Any]:
        """Buildbot's objects of the requests that wait for a worker."""
        found: list[Any] = []
        builderid = await self.master.data.updates.findBuilderId(builder)
        for _ in range(500):
            found = await self.master.db.buildrequests.getBuildRequests(
                builderid=builderid, claimed=False
            )
            if len(found) >= count:
                break
            await self.stays(lambda: True, 0.02)
        assert len(found) == count, found
        return [await BuildRequest.fromBrdict(self.master, one) for one in found]

    def builder(self, name: str = 'child') -> Any:
        return self.master.botmaster.builders[name]

    async def running(self, name: str) -> Any:
        await self.until(
            lambda: any(b.executedSteps for b in self.builder(name).building), why=name
        )
        return self.builder(name).building[0]

    async def deadlock(self, name: str = 'child', workers: Any = None) -> Any:
        (breq,) = await self.pending(name)
        return await self.parents.deadlock(self.builder(name), breq, workers)

    async def end(self) -> None:
        """All builds are stopped, parents first, as a person would."""
        for _ in range(500):
            building = [b for one in self.master.botmaster.builders.values() for b in one.building]
            # who waited for one of these starts now
            if not building and not await self.master.db.buildrequests.getBuildRequests(
                complete=False
            ):
                return
            for build in building:
                if build.executedSteps or build._acquiringLock:
                    # Buildbot raises it for a step that has no row yet; the next round finds one
                    with contextlib.suppress(BuildStepCancelled):
                        await build.stopBuild('the end of the test')
            await self.stays(lambda: True, 0.02)
        raise AssertionError(f'still {building}')

    async def check(self, holder: str, lock: str = 'host', name: str = 'child') -> None:
        """Our own answer, the request's reason, and the line in the log."""
        (breq,) = await self.pending(name)
        found = await self.parents.deadlock(self.builder(name), breq)
        expected = (
            f'its {holder} holds lock {lock!r} and waits for request {breq.id}: neither {REMEDY}'
        )
        self.assertIsNotNone(found)
        self.assertEqual(found.sentence, expected)
        await self.check_said(breq, expected, name)
        await self.end()

    async def check_said(self, breq: Any, expected: str, name: str = 'child') -> None:
        decisions = self.balancer.engine.decisions
        line = f'request {breq.id} of {name} waits: {expected}'
        await self.until(
            lambda: breq.id in decisions and decisions[breq.id].sentence == line,
            seconds=5,
            why=f'{line!r}; instead {[one.sentence for one in decisions.values()]}',
        )
        for _ in range(3):  # the reason is looked for again, and not said again
            self.master.botmaster.maybeStartBuildsForAllBuilders()
            await self.stays(lambda: True, 0.15)
        ours = [one for one in self.log.ours() if 'holds lock' in one]
        self.assertEqual(ours, [f'buildbot-balancer: {line}'])

    async def check_not_deadlocked(self, name: str = 'child', workers: Any = None) -> None:
        self.assertIsNone(await self.deadlock(name, workers))
        self.assertEqual([one for one in self.log.ours() if 'holds lock' in one], [])
        await self.end()
