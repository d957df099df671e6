# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from buildbot.locks import MasterLock
from buildbot.plugins import util
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import SUCCESS
from buildbot.util.twisted import async_to_deferred
from support.fake_builds import HOLD
from support.fake_builds import LOCK
from support.fake_builds import Ends
from support.fake_builds import FakeBuildCase
from support.fake_builds import Waits
from twisted.internet import defer
from twisted.internet import error
from twisted.python.failure import Failure

from buildbot_balancer.errors import LockConflictError
from buildbot_balancer.steps.group import StepGroup


def ends(name: str = 'one', result: int = SUCCESS, **more: Any) -> Any:
    return Ends(name=name, ends=result, **more)


class Interrupts(FakeBuildCase):
    def test_every_call_reaches_the_running_member(self) -> None:
        build = self.start(StepGroup('test', [StepGroup('inner', [Waits(name='one')])]))
        lost = Failure(error.ConnectionLost())
        for reason in ('first', 'second', lost):
            self.successResultOf(build.currentStep.interrupt(reason))
        member = self.step(build, 'one')
        self.assertEqual(member.told, ['first', 'second', lost])
        member.done.callback(CANCELLED)
        self.pump()
        self.assertEqual(build.results, CANCELLED)

    def test_a_member_whose_interrupt_raises_does_not_keep_the_build_from_being_cancelled(
        self,
    ) -> None:
        class Stubborn(Waits):
            def interrupt(self, reason: Any) -> Any:
                raise RuntimeError('no')

        build = self.start(StepGroup('test', [Stubborn(name='one'), ends('two')]))
        self.successResultOf(build.stopBuild('not needed'))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.step(build, 'one').done.callback(SUCCESS)
        self.pump()
        self.assertEqual((build.results, self.names(build)), (CANCELLED, ['test', 'one']))

    def interrupted_at_its_row(self, step: Any) -> Any:
        """Buildbot's interrupt raises while the step's name is rendered and its row is added."""
        build = self.start(step)
        self.successResultOf(build.stopBuild('not needed'))
        self.name.callback('late')
        self.pump()
        self.assertTrue(build.finished)
        self.assertEqual(build.results, CANCELLED)
        self.check_lock_is_free()
        return build

    def late_name(self) -> Any:
        self.name: defer.Deferred[str] = defer.Deferred()
        return util.renderer(lambda props: self.name)

    def test_a_member_can_be_cancelled_before_it_has_a_row(self) -> None:
        group = StepGroup('test', [Waits(name=self.late_name()), ends('two')], locks=[HOLD])
        build = self.interrupted_at_its_row(group)
        self.assertEqual(self.names(build), ['test', 'late'])

    def test_a_group_can_be_cancelled_before_it_has_a_row(self) -> None:
        group = StepGroup(self.late_name(), [ends('one')], locks=[HOLD])
        self.assertEqual(self.names(self.interrupted_at_its_row(group)), ['late'])

    def test_a_group_in_a_group_can_be_cancelled_before_it_has_a_row(self) -> None:
        inner = StepGroup(self.late_name(), [ends('one')])
        build = self.interrupted_at_its_row(StepGroup('test', [inner, ends('two')], locks=[HOLD]))
        self.assertEqual(self.names(build), ['test', 'late'])

    def test_a_cancel_between_two_members_starts_no_other(self) -> None:
        saved: list[Any] = []
        updates = self.master.data.updates
        stock = updates.setBuildProperties

        def save(buildid: int, build: Any) -> Any:
            if not build.executedSteps or build.executedSteps[-1].name != 'one' or saved:
                return stock(buildid, build)
            saved.append(defer.Deferred())
            return saved[0]

        updates.setBuildProperties = save
        group = StepGroup('test', [ends('one'), ends('two'), ends('off', alwaysRun=True)])
        build = self.start(group, ends('three'))
        self.successResultOf(build.stopBuild('not needed'))
        saved[0].callback(None)
        self.pump()
        self.assertEqual(self.names(build), ['test', 'one', 'off'])
        self.assertEqual((build.results, build.executedSteps[0].results), (CANCELLED, CANCELLED))


class WaitsForLocks(FakeBuildCase):
    def wait_twice(self, step: Any) -> tuple[Any, Any]:
        """A heavy waiter, woken by the first release of a lighter one, must wait again."""
        lock = MasterLock('units', 3)
        light = [lock.access('counting') for _ in range(3)]
        real = self.real_lock(lock)
        owners = [object() for _ in light]
        for owner, access in zip(owners, light):
            real.claim(owner, access)
        build = self.start(step(lock.access('counting', 2)))
        real.release(owners[0], light[0])
        self.pump()
        self.assertEqual(len(real.waiting), 1)
        return build, real

    def test_a_group_that_was_woken_in_vain_can_be_cancelled(self) -> None:
        build, real = self.wait_twice(lambda access: StepGroup('test', [ends()], locks=[access]))
        self.successResultOf(build.stopBuild('not needed'))
        self.pump()
        self.assertEqual((build.results, real.waiting), (CANCELLED, []))

    def test_a_member_that_was_woken_in_vain_can_be_cancelled(self) -> None:
        build, real = self.wait_twice(lambda access: StepGroup('test', [ends(locks=[access])]))
        self.successResultOf(build.stopBuild('not needed'))
        self.pump()
        self.assertEqual((build.results, real.waiting), (CANCELLED, []))

    def test_buildbots_own_step_cannot(self) -> None:
        """When this fails, Buildbot has been mended: holding.forget_old_waits can go."""
        build, _ = self.wait_twice(lambda access: ends(locks=[access]))
        self.failureResultOf(build.stopBuild('not needed'), AssertionError)
        self.flushLoggedErrors(AssertionError)

    def test_the_lock_is_kept_until_the_last_member_has_ended(self) -> None:
        build = self.start(StepGroup('test', [Waits(name='a'), Waits(name='b')], locks=[HOLD]))
        real = self.real_lock()
        for name in 'ab':
            self.assertEqual([owner for owner, _ in real.owners], [id(build.currentStep)])
            self.step(build, name).done.callback(SUCCESS)
            self.pump()
        self.check_lock_is_free()

    @async_to_deferred
    async def test_one_that_waits_says_so(self) -> None:
        self.real_lock().claim(self, HOLD)
        build = self.start(StepGroup('test', [ends('one')], locks=[HOLD]))
        self.assertEqual((await self.row(build, 'test'))['state_string'], 'waiting for locks')
        self.real_lock().release(self, HOLD)
        self.pump()
        self.assertEqual((await self.row(build, 'test'))['state_string'], '1 of 1 done')
        self.check_lock_is_free()


class Defects(FakeBuildCase):
    """What raises where Buildbot does not expect it."""

    @async_to_deferred
    async def test_a_member_whose_start_raises_ends_and_lets_go(self) -> None:
        class Broken(Ends):
            def releaseLocks(self) -> None:
                raise RuntimeError('defect')

        other = MasterLock('other')
        build = self.finish(
            StepGroup(
                'test',
                [
                    Broken(name='one', locks=[other.access('exclusive')]),
                    ends('two'),
                    ends('off', alwaysRun=True),
                ],
                locks=[HOLD],
            ),
        )
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual((build.results, self.names(build)), (EXCEPTION, ['test', 'one', 'off']))
        row = await self.row(build, 'one')
        self.assertEqual((row['complete'], row['results']), (True, EXCEPTION))
        self.check_lock_is_free()
        self.check_lock_is_free(other)

    def test_a_member_whose_summary_raises_is_an_exception(self) -> None:
        class Broken(Ends):
            def getBuildResultSummary(self) -> Any:
                raise RuntimeError('defect')

        build = self.finish(StepGroup('test', [Broken(name='one')], locks=[HOLD]))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(build.results, EXCEPTION)
        self.check_lock_is_free()

    def test_properties_that_cannot_be_saved_are_an_exception(self) -> None:
        updates = self.master.data.updates
        stock = updates.setBuildProperties

        def save(buildid: int, build: Any) -> Any:
            if build.executedSteps and build.executedSteps[-1].name == 'one':
                raise RuntimeError('database')
            return stock(buildid, build)

        updates.setBuildProperties = save
        build = self.finish(StepGroup('test', [ends('one'), ends('off', alwaysRun=True)]))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual((build.results, self.names(build)), (EXCEPTION, ['test', 'one', 'off']))

    def test_a_member_that_cannot_be_made_is_an_exception_and_leaves_the_next_steps(self) -> None:
        class Moody(Ends):
            moody = False

            def __init__(self, **kwargs: Any) -> None:
                if self.moody:
                    raise RuntimeError('not today')
                super().__init__(**kwargs)

        member = Moody(name='one')
        Moody.moody = True
        group = StepGroup('test', util.Transform(lambda: [member]), locks=[HOLD])
        build = self.finish(group, ends('off', alwaysRun=True))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(build.results, EXCEPTION)
        self.assertEqual(self.names(build), ['test', 'off'])
        self.check_lock_is_free()

    def test_a_group_lets_go_when_its_own_end_raises(self) -> None:
        class Broken(StepGroup):
            def _cleanup_logs(self) -> Any:
                raise RuntimeError('defect')

        build = self.finish(Broken('test', [ends('one')], locks=[HOLD]))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(build.results, EXCEPTION)
        self.check_lock_is_free()

    def test_a_group_whose_claim_raises_leaves_the_queue(self) -> None:
        self.real_lock().claim(self, HOLD)
        other = self.real_lock(MasterLock('other'))
        locks = [MasterLock('other').access('exclusive'), HOLD]
        build = self.start(StepGroup('test', [ends('one')], locks=locks))

        def claim(*_: Any) -> None:
            raise RuntimeError('defect')

        self.patch(other, 'claim', claim)
        self.real_lock().release(self, HOLD)
        self.pump()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(build.results, EXCEPTION)
        self.check_lock_is_free()

    @async_to_deferred
    async def test_locks_that_are_rendered_to_the_same_one_twice_are_an_error(self) -> None:
        twice = util.Transform(lambda: [HOLD, LOCK.access('exclusive')])
        build = self.finish(StepGroup('test', [ends('one')], locks=twice))
        self.assertEqual(len(self.flushLoggedErrors(LockConflictError)), 1)
        self.assertEqual(
            (await self.row(build, 'test'))['state_string'],
            "step 'test' takes the lock 'lock' twice (exception)",
        )
        self.assertEqual(build.results, EXCEPTION)
        self.check_lock_is_free()

    @async_to_deferred
    async def test_a_member_with_the_lock_of_a_group_around_it_is_refused_before_it_waits(
        self,
    ) -> None:
        member = ends('one', locks=util.Transform(lambda: [HOLD]))
        inner = StepGroup('inner', [member])
        build = self.finish(StepGroup('test', [inner, ends('off', alwaysRun=True)], locks=[HOLD]))
        self.assertEqual(len(self.flushLoggedErrors(LockConflictError)), 1)
        sentence = "step 'one' takes the lock 'lock', which the group 'test' holds already"
        self.assertEqual(build.text, [f'{sentence} (exception)'])
        self.assertEqual((await self.row(build, 'one'))['state_string'], f'{sentence} (exception)')
        self.assertEqual(self.names(build), ['test', 'inner', 'one', 'off'])
        self.check_lock_is_free()

    def test_a_member_with_the_lock_of_the_build_is_refused(self) -> None:
        build = self.finish(StepGroup('test', [ends('one', locks=[HOLD])]), locks=[HOLD])
        self.assertEqual(len(self.flushLoggedErrors(LockConflictError)), 1)
        self.assertEqual(
            build.text,
            ["step 'one' takes the lock 'lock', which the build holds already (exception)"],
        )
        self.check_lock_is_free()

    def test_it_is_said_by_stock_steps_with_an_assertion(self) -> None:
        """When this fails, Buildbot has learnt to say it: conflicts.guard may go."""
        build = self.finish(ends('one', locks=[HOLD]), locks=[HOLD])
        self.assertEqual(build.results, EXCEPTION)
        self.assertEqual(len(self.flushLoggedErrors(AssertionError)), 1)
        self.flushLoggedErrors(RuntimeError)
