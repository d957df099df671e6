# SPDX-License-Identifier: GPL-2.0-or-later
"""Two causes at once, each on a worker of its own; and builds that wait for one another."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from buildbot.locks import WorkerLock
from buildbot.plugins import util
from buildbot.util.twisted import async_to_deferred
from support.families import FamilyCase
from support.families import trigger
from support.sights import Seeing
from support.sights import SightCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.policy.filters import Filter
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.policy import default_filters

BUILDERS = {'b': ('w1', 'w2'), 'on-w1': ('w1',), 'on-w2': ('w2',)}
# what is said of a worker called W, perhaps with something else in between
SAID = {
    'paused': '1 paused (W: "fan")',
    'quarantined': '1 in quarantine (W)',
    'graceful': '1 shutting down (W)',
    'offline': '1 offline (W: "mine")',
    'reluctant': '1 reluctant (W: "using it", takes it from ',
    'hour': '1 night (W: builds only by day)',
    'policy': '1 that the policy fails on (W: is unknown to Filter defect, which raised',
    'can-start': '1 refused (W: is refused by canStartBuild',
    'lock': '1 kept by a lock (would wait for disk)...; and lock disk[W] 1 of 1 held by on-W #',
}


class DefectError(Exception):
    """Of a config."""


class Pairs(SightCase):
    proto = 'null'

    async def begin(self) -> None:
        self.dark: set[str] = set()
        self.defect: set[str] = set()
        self.refused: set[str] = set()

        def works(_: Any, worker: Any) -> bool:
            if worker.name in self.defect:
                raise DefectError(worker.name)
            return True

        def can_start(_: Any, wfb: Any, __: Any) -> bool:
            return wfb.worker.workername not in self.refused

        night = Filter(
            'night', lambda _, worker: worker.name not in self.dark, 'builds only by day'
        )
        await self.see(
            BUILDERS,
            builder={
                'locks': [WorkerLock('disk').access('exclusive')],
                'canStartBuild': can_start,
            },
            policy=Policy(
                filters=[*default_filters(), night, Filter('defect', works)], reluctant_after=7000
            ),
        )

    async def make(self, cause: str, name: str) -> None:
        worker = self.buildbot_worker(name)
        if cause == 'paused':
            worker.pause('fan')
        elif cause == 'quarantined':
            worker.quarantine_timeout = 600
            worker.putInQuarantine()
        elif cause == 'graceful':
            worker._graceful = True
        elif cause == 'offline':
            await self.speak(name, Mood.OFFLINE, 'mine')
        elif cause == 'reluctant':
            await self.speak(name, Mood.RELUCTANT, 'using it')
        elif cause == 'lock':
            await self.busy(f'on-{name}')
        else:
            self.names(cause).add(name)

    async def unmake(self, cause: str, name: str) -> None:
        worker = self.buildbot_worker(name)
        if cause == 'paused':
            worker.unpause()
        elif cause == 'quarantined':
            worker.stopQuarantineTimer()
        elif cause == 'graceful':
            worker._graceful = False
        elif cause in {'offline', 'reluctant'}:
            await self.speak(name, Mood.EAGER, '')
        elif cause == 'lock':
            await self.no_builds()
        else:
            self.names(cause).discard(name)

    def names(self, cause: str) -> set[str]:
        return {'hour': self.dark, 'policy': self.defect, 'can-start': self.refused}[cause]

    async def speak(self, name: str, mood: Mood, reason: str) -> None:
        self.say(name, mood=mood, reason=reason)
        await self.until(lambda: self.mood(name) == mood.label)

    async def check(self, causes: dict[str, str]) -> None:
        """By worker's name."""
        for name, cause in causes.items():
            await self.make(cause, name)
        request = await self.request('b')
        for name, cause in causes.items():
            await self.says(request, *SAID[cause].replace('W', name).split('...'))
        await self.master.data.control('cancel', {}, ('buildrequests', str(request)))
        await self.says(request, 'cancelled', state='complete')
        for name, cause in causes.items():
            await self.unmake(cause, name)

    @async_to_deferred
    async def test_both_are_told_with_the_names_concerned(self) -> None:
        await self.begin()
        for one, other in combinations(SAID, 2):
            await self.check({'w1': one, 'w2': other})
        self.assertTrue(self.flushLoggedErrors(DefectError))

    @async_to_deferred
    async def test_a_worker_of_another_builder_keeps_nobody_waiting(self) -> None:
        await self.begin()
        await self.make('paused', 'w2')
        request = await self.request('b')
        await self.says(request, 'runs as b #1 on w1', state='running')


class Families(Seeing, FamilyCase):
    async def check(self, **arguments: Any) -> None:
        access = util.MasterLock('host').access('exclusive')
        await self.start_family(
            balancer=Balancer(**arguments),
            parent={'locks': [access], 'steps': [trigger('child')]},
            child={'locks': [access]},
        )
        await self.request('parent')
        (breq,) = await self.pending('child')
        decisions = self.balancer.engine.decisions
        await self.until(lambda: breq.id in decisions and decisions[breq.id].stuck)
        await self.says(
            breq.id,
            "waiting does not help: its parent build parent #1 holds lock 'host' and waits for",
            state='stuck',
        )
        await self.end()

    @async_to_deferred
    async def test_a_child_that_its_parent_keeps_waiting_is_stuck(self) -> None:
        await self.check()

    @async_to_deferred
    async def test_so_it_is_with_our_chooser_in_buildbots_own_distributor(self) -> None:
        await self.check(builders=['child'])
