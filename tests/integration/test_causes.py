# SPDX-License-Identifier: GPL-2.0-or-later
"""For each cause alone, and for each pair, the reason names the cause and those concerned."""

from __future__ import annotations

from typing import Any

from buildbot.util.twisted import async_to_deferred
from support.causes import BRANCH
from support.causes import HOST
from support.causes import MASTER
from support.causes import TIDE
from support.causes import CausesCase
from support.masters import HeldStep

# cause: the code of the verdict, and what the reason says, {} being the worker
CAUSES: dict[str, tuple[str, tuple[str, ...]]] = {
    'busy': ('busy', ('busy',)),
    'offline': ('offline', ('offline', '"{} is mine"', 'until')),
    'reluctant': ('reluctant', ('reluctant', '"using {}"')),
    'holiday': ('going-on-holiday', ('on holiday', '"moving {}"')),
    'paused': ('paused', ('paused', '{}')),
    'quarantined': ('quarantined', ('quarantine', '{}')),
    'disconnected': ('disconnected', ('not connected', '{}')),
    'load': ('load', ('load', '{}', '9.00')),
    'stock-lock': ('lock', ('lock', TIDE, 'ebb #')),
    'group-lock': ('lock', ('lock', HOST, 'guest #')),
    'can-start-build': ('can-start-build', ('{}',)),
    'policy-error': ('policy-error', ('{}', 'no such luck')),
    'hour': ('offline', ('offline', '{}', 'UTC')),
    'branch-lock': ('lock', ('lock', BRANCH, 'other #')),
    'master-lock': ('lock', ('lock', MASTER, 'first #')),
}
OF_ALL_WORKERS = ('branch-lock', 'master-lock')
# Buildbot's own hook is asked about a worker that has passed all else, and never for an answer.
HIDDEN = ('can-start-build',)
ON_ONE = [cause for cause in CAUSES if cause not in OF_ALL_WORKERS]


class Causes(CausesCase):
    timeout = 300

    async def check(self, first: str, second: str) -> None:
        """`first` on the one worker, `second` on the other; both are on."""
        one = 'h1' if first == 'hour' else 'w1'
        places = {one: first, 'w2': second}
        request = await self.request('late' if first == 'hour' else 'b')
        await self.until(lambda: request in self.balancer.engine.decisions)
        sight = await self.balancer.sight.request(request)
        said = f'{first} and {second}: {sight.reason}'
        self.assertEqual(sight.state, 'waiting', said)
        wanted: dict[str, int] = {}
        for cause in places.values():
            wanted[CAUSES[cause][0]] = wanted.get(CAUSES[cause][0], 0) + 1
        if first not in OF_ALL_WORKERS:  # else both causes keep the other worker
            self.assertEqual({one.code: one.count for one in sight.verdicts}, wanted, said)
        self.assertIn('0 of 2 workers', sight.reason, said)
        for name, cause in places.items():
            for part in CAUSES[cause][1]:
                self.assertIn(part.format(name), sight.reason, said)
        self.assertEqual(sum(one.count for one in sight.verdicts), 2, said)
        named = {name for one in sight.verdicts for name in one.names}
        apart = {n for n, c in places.items() if CAUSES[c][0] != 'lock'}
        self.assertTrue(apart <= named or first in OF_ALL_WORKERS, said)
        await self.cancel(request)

    async def cancel(self, request: int) -> None:
        await self.master.data.control(
            'cancel', {'reason': 'enough'}, ('buildrequests', str(request))
        )
        await self.until(lambda: request not in self._pending())

    def _pending(self) -> Any:
        return self.balancer._parts.distribution._backlog.queue

    async def pairs(self, firsts: list[str]) -> None:
        """Each of these, beside each of all."""
        await self.begin()
        for first in firsts:
            one = 'h1' if first == 'hour' else 'w1'
            await self.on(first, one)
            for second in ON_ONE if first not in OF_ALL_WORKERS else [first, *ON_ONE]:
                if second == 'hour' or (first in OF_ALL_WORKERS and second in HIDDEN):
                    continue
                if second != first or second not in OF_ALL_WORKERS:
                    await self.on(second, 'w2')
                await self.check(first, second)
                if second != first or second not in OF_ALL_WORKERS:
                    await self.off(second, 'w2')
            await self.off(first, one)
        self.flushLoggedErrors(RuntimeError)  # that of the policy, once each
        for step in list(HeldStep.running):
            step.let_go()

    @async_to_deferred
    async def test_what_owners_say(self) -> None:
        await self.pairs(['offline', 'reluctant', 'holiday'])

    @async_to_deferred
    async def test_what_buildbot_knows_of_workers(self) -> None:
        await self.pairs(['busy', 'paused', 'quarantined', 'disconnected'])

    @async_to_deferred
    async def test_what_the_config_says(self) -> None:
        await self.pairs(['load', 'can-start-build', 'policy-error', 'hour'])

    @async_to_deferred
    async def test_locks(self) -> None:
        await self.pairs(['stock-lock', 'group-lock', 'branch-lock', 'master-lock'])
