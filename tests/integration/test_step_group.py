# SPDX-License-Identifier: GPL-2.0-or-later
"""Every way in which a group of steps can end, on real masters and workers."""

from __future__ import annotations

from typing import Any

from buildbot.process.results import CANCELLED
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.util.twisted import async_to_deferred
from support.groups import HOLD
from support.groups import Calls
from support.groups import GroupCase
from support.groups import Raises

from buildbot_balancer.steps.group import StepGroup


class Endings:
    """Run for each protocol below."""

    def group(self, *members: Any, **more: Any) -> Any:
        return StepGroup(name='test', locks=[HOLD], steps=list(members), **more)

    @async_to_deferred
    async def test_the_lock_is_kept_between_the_parts(self) -> None:
        await self.start_with(
            lambda: [self.group(*(self.part(str(i), 0.2) for i in range(3)), haltOnFailure=True)]
        )
        brids = [await self.request('b'), await self.request('c')]
        for brid in brids:
            build = await self.finished(brid)
            self.assertEqual(build['results'], SUCCESS)
            self.assertEqual([name for name, _ in self.rows(build)], ['test', '0', '1', '2'])
            self.assertEqual(self.row(build, 'test')['state_string'], '3 of 3 done')
        self.assertEqual(self.said(), ['+0', '-0', '+1', '-1', '+2', '-2'] * 2)
        await self.check_all_is_free()

    @async_to_deferred
    async def test_a_failed_part_stops_neither_the_next_ones_nor_the_steps_behind(self) -> None:
        await self.start_with(
            lambda: [
                self.group(self.part('1', code=1), self.part('2')),
                self.part('behind'),
            ]
        )
        build = await self.finished(await self.request())
        self.assertEqual(build['results'], FAILURE)
        self.assertEqual(
            self.rows(build),
            [('test', 'failure'), ('1', 'failure'), ('2', 'success'), ('behind', 'success')],
        )
        self.assertEqual(
            self.row(build, 'test')['state_string'], '2 of 2 done, failed: 1 (failure)'
        )
        await self.check_all_is_free()

    @async_to_deferred
    async def test_haltonfailure_and_alwaysrun_reach_as_far_as_the_group(self) -> None:
        await self.start_with(
            lambda: [
                self.group(
                    self.part('1', code=1, haltOnFailure=True),
                    self.part('2'),
                    self.part('power-off', alwaysRun=True),
                ),
                self.part('behind'),
            ]
        )
        build = await self.finished(await self.request())
        self.assertEqual(build['results'], FAILURE)
        names = [name for name, _ in self.rows(build)]
        self.assertEqual(names, ['test', '1', 'power-off', 'behind'])
        await self.check_all_is_free()

    @async_to_deferred
    async def test_a_group_that_halts_on_failure_ends_the_build(self) -> None:
        await self.start_with(
            lambda: [
                self.group(self.part('1', code=1), self.part('2'), haltOnFailure=True),
                self.part('behind'),
                self.part('cleanup', alwaysRun=True),
            ]
        )
        build = await self.finished(await self.request())
        names = [name for name, _ in self.rows(build)]
        self.assertEqual(names, ['test', '1', '2', 'cleanup'])
        await self.check_all_is_free()

    @async_to_deferred
    async def test_a_group_that_does_not_flunk_leaves_the_build_green(self) -> None:
        await self.start_with(
            lambda: [self.group(self.part('1', code=1), flunkOnFailure=False, warnOnFailure=True)]
        )
        build = await self.finished(await self.request())
        self.assertEqual(build['results'], 1)  # WARNINGS
        await self.check_all_is_free()

    @async_to_deferred
    async def test_an_exception_in_a_part_ends_the_build_after_the_cleanup(self) -> None:
        await self.start_with(
            lambda: [
                self.group(
                    Raises(name='1'), self.part('2'), self.part('power-off', alwaysRun=True)
                ),
                self.part('behind'),
            ]
        )
        build = await self.finished(await self.request())
        self.assertEqual(
            self.rows(build),
            [('test', 'exception'), ('1', 'exception'), ('power-off', 'success')],
        )
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        await self.check_all_is_free()

    @async_to_deferred
    async def test_a_build_cancelled_while_it_waits_for_the_lock_leaves_the_queue(self) -> None:
        await self.start_with(lambda: [self.group(self.part('1'))])
        lock = await self.lock()
        lock.claim(self, HOLD)
        brid = await self.request()
        build = await self.running_build()
        await self.until(lambda: lock.waiting)
        await self.until_state('test', 'waiting for locks')
        await build.stopBuild('not needed')
        done = await self.finished(brid)
        self.assertEqual(done['results'], CANCELLED)
        self.assertEqual(self.rows(done), [('test', 'cancelled')])
        lock.release(self, HOLD)
        await self.check_all_is_free()
        self.assertEqual(self.said(), [])

    @async_to_deferred
    async def test_a_cancel_reaches_the_running_part_and_the_cleanup_keeps_the_lock(self) -> None:
        await self.start_with(
            lambda: [
                self.group(
                    self.part('1', 60),
                    self.part('2'),
                    self.part('power-off', 0.3, alwaysRun=True),
                ),
                self.part('behind'),
            ]
        )
        brid = await self.request()
        build = await self.running_build()
        await self.until_said('+1')
        rival = await self.request('c')
        await build.stopBuild('not needed')
        await self.until_said('+power-off')
        self.assertTrue(await self.is_held())
        done = await self.finished(brid)
        self.assertEqual(done['results'], CANCELLED)
        self.assertEqual(
            self.rows(done), [('test', 'cancelled'), ('1', 'cancelled'), ('power-off', 'success')]
        )
        other = await self.running_build('c')
        await self.until(lambda: self.said().count('+1') == 2)
        self.assertEqual(self.said(), ['+1', '+power-off', '-power-off', '+1'])
        await other.stopBuild('enough')
        await self.finished(rival)
        await self.check_all_is_free()

    @async_to_deferred
    async def test_a_second_cancel_reaches_the_cleanup(self) -> None:
        await self.start_with(
            lambda: [self.group(self.part('1', 60), self.part('power-off', 60, alwaysRun=True))]
        )
        brid = await self.request()
        build = await self.running_build()
        await self.until_said('+1')
        await build.stopBuild('not needed')
        await self.until_said('+power-off')
        await build.stopBuild('really')
        done = await self.finished(brid)
        self.assertEqual(
            self.rows(done),
            [('test', 'cancelled'), ('1', 'cancelled'), ('power-off', 'cancelled')],
        )
        await self.check_all_is_free()

    @async_to_deferred
    async def test_a_cancel_reaches_a_part_of_a_group_in_a_group(self) -> None:
        await self.start_with(
            lambda: [
                self.group(
                    StepGroup(name='inner', steps=[self.part('1', 60), self.part('2')]),
                    self.part('3'),
                )
            ]
        )
        brid = await self.request()
        build = await self.running_build()
        await self.until_said('+1')
        await build.stopBuild('not needed')
        done = await self.finished(brid)
        self.assertEqual(done['results'], CANCELLED)
        self.assertEqual(
            self.rows(done), [('test', 'cancelled'), ('inner', 'cancelled'), ('1', 'cancelled')]
        )
        await self.check_all_is_free()

    @async_to_deferred
    async def test_a_cancel_at_any_moment_leaves_nothing_behind(self) -> None:
        await self.start_with(
            lambda: [
                self.group(
                    *(self.part(str(i)) for i in range(3)), self.part('off', alwaysRun=True)
                ),
                self.part('behind'),
            ]
        )
        for moment in range(15):
            brid = await self.request()
            build = await self.running_build()
            await self.stays(lambda: True, moment * 0.017)
            await build.stopBuild(f'after {moment}')
            done = await self.finished(brid)
            self.assertEqual(done['results'], CANCELLED, self.rows(done))
        await self.check_all_is_free()

    @async_to_deferred
    async def test_a_lost_worker_means_retry_and_the_build_runs_again(self) -> None:
        await self.start_with(
            lambda: [
                self.group(self.part('1', 1), self.part('off', alwaysRun=True)),
                self.part('behind'),
            ],
            process=True,
        )
        brid = await self.request()
        build = await self.running_build()
        await self.until_runs('1')
        self.process.kill()
        done = await self.finished(brid)
        self.assertEqual(done['results'], RETRY)
        self.assertEqual(self.rows(done), [('test', 'retry'), ('1', 'retry')])
        self.assertNotIn('end-of-group', [step.name for step in build.steps])
        lock = await self.lock()
        self.assertEqual((lock.owners, lock.waiting), ([], []))
        await self.connect_process()
        again = await self.finished(brid, tries=2)
        self.assertEqual(again['results'], SUCCESS)
        await self.check_all_is_free()

    async def lost_before_it_has_answered(self, *, grouped: bool) -> list[tuple[str, str]]:
        """The rows of a build whose worker is lost after the call to start '1' was sent."""

        def parts() -> list[Any]:
            return [
                Calls(self.freeze_process, name='freeze'),
                self.part('1'),
                self.part('off', alwaysRun=True),
            ]

        await self.start_with(lambda: [self.group(*parts())] if grouped else parts(), process=True)
        brid = await self.request()
        build = await self.running_build()
        await self.until(
            lambda: any(step.name == '1' for step in build.executedSteps) and self.unanswered()
        )
        self.process.kill()
        done = await self.finished(brid)
        self.assertEqual(done['results'], RETRY)
        self.assertEqual(len(self.flushLoggedErrors()), 1)  # Buildbot's "BuildStep.failed"
        await self.connect_process()
        again = await self.finished(brid, tries=2)
        self.assertEqual(again['results'], SUCCESS)
        await self.check_all_is_free()
        return self.rows(done)

    @async_to_deferred
    async def test_a_worker_lost_before_it_has_answered_is_an_exception_of_the_step(self) -> None:
        """Buildbot's own behaviour; see until_runs."""
        rows = await self.lost_before_it_has_answered(grouped=False)
        self.assertEqual(rows, [('freeze', 'success'), ('1', 'exception')])

    @async_to_deferred
    async def test_the_group_of_that_step_means_retry_as_ever(self) -> None:
        rows = await self.lost_before_it_has_answered(grouped=True)
        self.assertEqual(rows, [('test', 'retry'), ('freeze', 'success'), ('1', 'exception')])

    @async_to_deferred
    async def test_a_worker_lost_while_the_group_waits_for_the_lock_means_retry(self) -> None:
        await self.start_with(lambda: [self.group(self.part('1'))], process=True)
        lock = await self.lock()
        lock.claim(self, HOLD)
        brid = await self.request()
        await self.running_build()
        await self.until(lambda: lock.waiting)
        self.process.kill()
        done = await self.finished(brid)
        self.assertEqual(done['results'], RETRY)
        self.assertEqual(lock.waiting, [])
        lock.release(self, HOLD)
        await self.connect_process()
        again = await self.finished(brid, tries=2)
        self.assertEqual(again['results'], SUCCESS)
        await self.check_all_is_free()

    @async_to_deferred
    async def test_a_worker_lost_during_the_cleanup_after_a_cancel_ends_the_group(self) -> None:
        await self.start_with(
            lambda: [self.group(self.part('1', 60), self.part('off', 5, alwaysRun=True))],
            process=True,
        )
        brid = await self.request()
        build = await self.running_build()
        await self.until_said('+1')
        await build.stopBuild('not needed')
        await self.until_runs('off')
        self.process.kill()
        done = await self.finished(brid)
        self.assertEqual(done['results'], RETRY)  # as without a group
        self.assertEqual(self.rows(done), [('test', 'retry'), ('1', 'cancelled'), ('off', 'retry')])
        await self.connect_process()
        await (await self.running_build()).stopBuild('enough')
        await self.finished(brid, tries=2)
        await self.check_all_is_free()


class EndingsOnPB(Endings, GroupCase):
    proto = 'pb'


class EndingsOnMsgpack(Endings, GroupCase):
    proto = 'msgpack'
