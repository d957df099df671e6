# SPDX-License-Identifier: GPL-2.0-or-later
"""Every way in which a group of steps can end, on real masters and workers."""

from __future__ import annotations

from typing import Any

from buildbot.locks import MasterLock
from buildbot.plugins import util
from buildbot.process.results import SUCCESS
from buildbot.util.twisted import async_to_deferred
from support.groups import HOLD
from support.groups import JTAG
from support.groups import Adds
from support.groups import GroupCase

from buildbot_balancer.errors import LockConflictError
from buildbot_balancer.steps.group import StepGroup


@util.renderer
def the_lock(props: Any) -> list[Any]:
    """Known only when the step is about to take it."""
    return [JTAG.access('exclusive')]


class Conflicts:
    """Locks that only a build can know, run for each protocol below."""

    async def fails_with(self, sentence: str, row: str) -> None:
        done = await self.finished(await self.request())
        self.assertEqual(done['results'], 4)  # EXCEPTION
        self.assertEqual(self.row(done, row)['state_string'], f'{sentence} (exception)')
        self.assertIn(sentence, done['state_string'])
        self.assertEqual(self.said(), ['+off', '-off'])
        self.assertEqual(len(self.flushLoggedErrors(LockConflictError)), 1)
        await self.check_all_is_free()

    @async_to_deferred
    async def test_a_part_that_takes_the_lock_of_its_group_is_an_error_and_no_hang(self) -> None:
        await self.start_with(
            lambda: [
                StepGroup(
                    name='test',
                    locks=[HOLD],
                    steps=[self.part('1', locks=the_lock), self.part('off', alwaysRun=True)],
                )
            ]
        )
        await self.fails_with(
            "step '1' takes the lock 'jtag', which the group 'test' holds already", '1'
        )

    @async_to_deferred
    async def test_a_part_of_a_group_in_a_group_is_refused_too(self) -> None:
        inner = StepGroup(name='inner', steps=[self.shell('1', 'true', locks=the_lock)])
        await self.start_with(
            lambda: [
                StepGroup(
                    name='test', locks=[HOLD], steps=[inner, self.part('off', alwaysRun=True)]
                )
            ]
        )
        await self.fails_with(
            "step '1' takes the lock 'jtag', which the group 'test' holds already", '1'
        )

    @async_to_deferred
    async def test_a_group_in_a_group_that_takes_its_lock_is_refused(self) -> None:
        inner = StepGroup(name='inner', locks=the_lock, steps=[self.shell('1', 'true')])
        await self.start_with(
            lambda: [
                StepGroup(
                    name='test', locks=[HOLD], steps=[inner, self.part('off', alwaysRun=True)]
                )
            ]
        )
        await self.fails_with(
            "step 'inner' takes the lock 'jtag', which the group 'test' holds already", 'inner'
        )

    @async_to_deferred
    async def test_a_part_that_takes_a_lock_of_the_build_is_refused(self) -> None:
        await self.start_with(
            lambda: [
                StepGroup(
                    name='test',
                    steps=[self.part('1', locks=[HOLD]), self.part('off', alwaysRun=True)],
                )
            ],
            builder={'locks': [HOLD]},
        )
        await self.fails_with("step '1' takes the lock 'jtag', which the build holds already", '1')

    @async_to_deferred
    async def test_a_group_that_takes_a_lock_of_the_build_is_refused(self) -> None:
        await self.start_with(
            lambda: [
                StepGroup(name='test', locks=[HOLD], steps=[self.part('1')]),
                self.part('off', alwaysRun=True),
            ],
            builder={'locks': [HOLD]},
        )
        await self.fails_with(
            "step 'test' takes the lock 'jtag', which the build holds already", 'test'
        )

    @async_to_deferred
    async def test_a_part_that_is_added_later_is_refused_too(self) -> None:
        await self.start_with(
            lambda: [
                StepGroup(
                    name='test',
                    locks=[HOLD],
                    steps=[
                        Adds(after=[self.part('1', locks=[HOLD])], name='adds'),
                        self.part('off', alwaysRun=True),
                    ],
                )
            ]
        )
        await self.fails_with(
            "step '1' takes the lock 'jtag', which the group 'test' holds already", '1'
        )

    @async_to_deferred
    async def test_a_part_may_take_another_lock(self) -> None:
        other = MasterLock('jtag')
        await self.start_with(
            lambda: [
                StepGroup(
                    name='test',
                    locks=[HOLD],
                    steps=[self.part('1', 0.1, locks=[other.access('exclusive')])],
                )
            ]
        )
        brids = [await self.request('b'), await self.request('c')]
        for brid in brids:
            self.assertEqual((await self.finished(brid))['results'], SUCCESS)
        await self.check_all_is_free()


class ConflictsOnPB(Conflicts, GroupCase):
    proto = 'pb'


class ConflictsOnMsgpack(Conflicts, GroupCase):
    proto = 'msgpack'
