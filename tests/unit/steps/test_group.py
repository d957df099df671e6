# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

from buildbot.config import ConfigErrors
from buildbot.interfaces import IBuildStep
from buildbot.locks import LockAccess
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import steps
from buildbot.plugins import util
from buildbot.process.factory import BuildFactory
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SKIPPED
from buildbot.process.results import SUCCESS
from buildbot.process.results import WARNINGS
from buildbot.util.twisted import async_to_deferred
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from support.fake_builds import HOLD
from support.fake_builds import LOCK
from support.fake_builds import Ends
from support.fake_builds import FakeBuildCase
from support.fake_builds import Waits
from support.fake_builds import made
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass

from buildbot_balancer.steps import conflicts
from buildbot_balancer.steps.group import StepGroup


def ends(name: str = 'one', result: int = SUCCESS, **more: Any) -> Any:
    return Ends(name=name, ends=result, **more)


class PartialAccess(LockAccess):
    """As that of a lock whose real lock depends on more than its name."""

    compare_attrs = ('group',)

    def __init__(self, lockid: Any, group: Any) -> None:
        super().__init__(lockid, 'counting')
        self.group = group


class Config(SynchronousTestCase):
    def refused(self, *args: Any, **kwargs: Any) -> str:
        with self.assertRaises(ConfigErrors) as caught:
            StepGroup(*args, **kwargs)
        self.assertEqual(len(caught.exception.errors), 1)
        return str(caught.exception)

    def test_no_steps(self) -> None:
        sentence = "StepGroup 'test': steps must be a list of at least one step"
        self.assertEqual(self.refused(name='test'), sentence)
        self.assertEqual(self.refused(name='test', steps=[]), sentence)

    def test_something_that_is_no_list(self) -> None:
        self.assertIn(
            "StepGroup 'test': steps must be a list of steps, not Ends(",
            self.refused('test', ends()),
        )

    def test_something_that_is_no_step(self) -> None:
        self.assertEqual(
            self.refused('test', [ends(), 'make check']),
            "StepGroup 'test': steps[1] is no step: 'make check'",
        )

    def test_a_class_is_no_step(self) -> None:
        self.assertIn('steps[0] is no step', self.refused('test', [Ends]))

    def test_an_unknown_argument(self) -> None:
        self.assertEqual(
            self.refused('test', [ends()], haltOnFialure=True),
            "StepGroup 'test': unknown argument 'haltOnFialure'",
        )

    def test_a_workdir_that_nobody_would_use(self) -> None:
        self.assertEqual(
            self.refused('test', [ends()], workdir='build'),
            "StepGroup 'test': workdir would not reach the steps; give it to them",
        )

    def test_a_lock_without_its_access(self) -> None:
        self.assertRegex(
            self.refused('test', [ends()], locks=[LOCK]),
            r"locks: <.*> is no access; write lock.access\('exclusive'\)$",
        )
        self.assertIn('locks must be a list', self.refused('test', [ends()], locks=HOLD))

    def test_a_lock_that_stands_there_twice(self) -> None:
        locks = [HOLD, MasterLock('lock', 2).access('counting')]
        self.assertEqual(
            self.refused('test', [ends()], locks=locks),
            "StepGroup 'test': locks: 'lock' stands there twice",
        )

    def test_a_member_that_takes_the_groups_lock(self) -> None:
        self.assertEqual(
            self.refused('test', [ends(), ends('two', locks=[HOLD])], locks=[HOLD]),
            "StepGroup 'test': step 'two' takes the lock 'lock', which the group holds already",
        )

    def test_a_member_of_a_member_that_takes_the_groups_lock(self) -> None:
        inner = StepGroup('inner', [ends('two', locks=[LOCK.access('counting')])])
        outer = StepGroup('outer', [inner])
        self.assertIn("step 'two' takes the lock", self.refused('test', [outer], locks=[HOLD]))

    def test_a_factory_that_makes_such_a_member(self) -> None:
        factory = ends('two', locks=[HOLD]).get_step_factory()
        self.assertIn("step 'two' takes the lock", self.refused('test', [factory], locks=[HOLD]))

    def test_other_locks_are_no_conflict(self) -> None:
        member = ends(locks=[MasterLock('other').access('exclusive')])
        StepGroup(
            'test', [member, ends(locks=[WorkerLock('lock').access('counting')])], locks=[HOLD]
        )

    def test_accesses_that_may_mean_another_real_lock_are_left_to_the_build(self) -> None:
        one, other = PartialAccess(LOCK, 'esx1'), PartialAccess(LOCK, 'esx2')
        StepGroup('test', [ends(locks=[other])], locks=[one])
        self.assertIn('takes the lock', self.refused('test', [ends(locks=[one])], locks=[one]))

    def test_renderables_are_left_to_the_build(self) -> None:
        StepGroup('test', util.Property('steps'), locks=util.Property('locks'))

    def test_arguments_can_be_given_later_as_with_every_step(self) -> None:
        group = StepGroup('test', [ends()])
        group.set_step_arg('haltOnFailure', True)
        self.assertTrue(made(group).haltOnFailure)

    def test_equal_groups_are_equal_so_that_a_reconfig_sees_no_change(self) -> None:
        one, other = (StepGroup('test', [ends('one')], locks=[HOLD]) for _ in range(2))
        self.assertEqual(one, other)
        self.assertNotEqual(one, StepGroup('test', [ends('two')], locks=[HOLD]))

    def test_the_name_may_be_a_renderable(self) -> None:
        StepGroup(util.Interpolate('%(prop:x)s'), [ends()])


class FindConflicts(SynchronousTestCase):
    """What a configurator asks."""

    def found(self, *members: Any) -> list[str]:
        factory = BuildFactory(list(members))
        return [str(one) for one in conflicts.find([HOLD], factory.steps, "the builder 'b'")]

    def test_a_step_that_takes_a_lock_of_its_builder(self) -> None:
        self.assertEqual(
            self.found(ends('one'), ends('two', locks=[HOLD])),
            ["step 'two' takes the lock 'lock', which the builder 'b' holds already"],
        )

    def test_a_group_and_members_of_groups(self) -> None:
        inner = StepGroup('inner', [ends('two', locks=[HOLD])])
        self.assertEqual(len(self.found(StepGroup('a', [inner]), ends('c'))), 1)
        self.assertEqual(len(self.found(StepGroup('a', [ends('b')], locks=[HOLD]))), 1)

    def test_steps_that_cannot_be_made_are_passed_over(self) -> None:
        factory = made(ends()).get_step_factory()
        factory.kwargs = {'unknown': 1}
        self.assertEqual(list(conflicts.find([HOLD], [factory], 'x')), [])

    def test_what_is_rendered_is_not_known(self) -> None:
        locks = util.Property('locks')
        self.assertEqual(list(conflicts.find(locks, [ends(locks=[HOLD])], 'x')), [])
        self.assertEqual(self.found(ends(locks=locks), StepGroup('a', util.Property('s'))), [])


class Results(FakeBuildCase):
    def test_members_are_steps_of_the_build(self) -> None:
        count = ends('one', calls=lambda s: s.setStatistic('tests', 3))
        build = self.finish(StepGroup('test', [count, ends('two')], locks=[HOLD]), ends('three'))
        self.assertEqual(self.names(build), ['test', 'one', 'two', 'three'])
        self.assertEqual(build.getSummaryStatistic('tests', max, 0), 3)
        self.assertEqual((build.results, build.steps, build.currentStep), (SUCCESS, [], None))
        self.check_lock_is_free()

    @async_to_deferred
    async def test_equal_names_are_told_apart_by_buildbots_rule(self) -> None:
        build = self.finish(StepGroup('one', [ends('one'), ends('one')]))
        self.assertEqual(
            [r['name'] for r in await self.rows(build)][-3:], ['one', 'one_1', 'one_2']
        )

    def test_a_group_whose_dostepif_says_no_runs_nothing_and_takes_no_lock(self) -> None:
        self.real_lock().claim(self, HOLD)
        build = self.finish(StepGroup('test', [ends()], locks=[HOLD], doStepIf=False))
        self.assertEqual(self.names(build), ['test'])
        self.assertEqual(build.executedSteps[0].results, SKIPPED)

    def test_members_see_in_the_builds_results_what_became_of_the_earlier_ones(self) -> None:
        seen: list[int] = []

        def look(step: Any) -> None:
            seen.append(step.build.results)

        build = self.finish(
            StepGroup(
                'test',
                [
                    ends('one', FAILURE),
                    StepGroup('inner', [ends('two', WARNINGS, warnOnWarnings=True, calls=look)]),
                    ends('three', calls=look),
                ],
                flunkOnFailure=False,
            ),
            ends('four', calls=look),
        )
        self.assertEqual(seen, [FAILURE, FAILURE, SUCCESS])
        self.assertEqual(build.results, SUCCESS)

    def test_warnings_pass_through_as_failures_do(self) -> None:
        member = ends('one', WARNINGS, warnOnWarnings=True)
        self.assertEqual(self.finish(StepGroup('test', [member])).results, WARNINGS)

    def test_a_member_that_says_retry_makes_the_build_retry(self) -> None:
        build = self.finish(StepGroup('test', [ends('one', RETRY), ends('two')]))
        self.assertEqual((build.results, self.names(build)), (RETRY, ['test', 'one']))

    def test_a_group_with_alwaysrun_runs_whole_after_the_build_has_failed(self) -> None:
        build = self.finish(
            ends('one', FAILURE, haltOnFailure=True),
            StepGroup('test', [ends('two'), StepGroup('inner', [ends('three')])], alwaysRun=True),
        )
        self.assertEqual(self.names(build), ['one', 'test', 'two', 'inner', 'three'])

    def test_a_member_that_empties_the_builds_steps_ends_group_and_build(self) -> None:
        def clear(step: Any) -> None:
            step.build.steps = []

        build = self.finish(StepGroup('test', [ends('one', calls=clear), ends('two')]), ends('3'))
        self.assertEqual(self.names(build), ['test', 'one'])

    def test_a_group_as_the_only_step_makes_of_its_members_what_a_build_would(self) -> None:
        flags = st.fixed_dictionaries(
            {},
            optional={
                name: st.booleans()
                for name in (
                    'haltOnFailure',
                    'flunkOnFailure',
                    'flunkOnWarnings',
                    'warnOnFailure',
                    'warnOnWarnings',
                    'alwaysRun',
                    'doStepIf',
                )
            },
        )
        member = st.tuples(st.sampled_from([SUCCESS, WARNINGS, FAILURE, EXCEPTION, RETRY]), flags)

        @settings(
            max_examples=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(member, min_size=1, max_size=6), st.integers(0, 6))
        def compare(members: list[Any], cut: int) -> None:
            def make() -> list[Any]:
                return [ends(f's{i}', r, **more) for i, (r, more) in enumerate(members)]

            plain = self.finish(*make())
            grouped = self.finish(StepGroup('test', make()))
            self.assertEqual(self.names(grouped)[1:], self.names(plain))
            self.assertEqual(grouped.results, plain.results)
            self.assertEqual(grouped.text, plain.text)
            # a group in a group differs where its result ends the outer one, and there alone
            inner = make()
            nested = self.finish(StepGroup('o', [StepGroup('i', inner[:cut])]) if cut else ends())
            first = self.finish(*make()[:cut]) if cut else self.finish(ends())
            self.assertEqual(nested.results, first.results)

        compare()


class Summaries(FakeBuildCase):
    def test_the_builds_summary_names_the_member_and_not_its_groups_too(self) -> None:
        inner = StepGroup('inner', [ends('one', FAILURE, descriptionDone='it failed')])
        self.assertEqual(self.finish(StepGroup('outer', [inner])).text, ['it failed (failure)'])

    def test_a_group_that_was_told_to_speaks_as_well(self) -> None:
        member = ends('one', FAILURE, descriptionDone='it failed')
        build = self.finish(StepGroup('test', [member], updateBuildSummaryPolicy=True))
        self.assertEqual(build.text, ['it failed (failure)', '1 of 1 done, failed: one (failure)'])

    def test_a_group_whose_members_say_nothing_speaks_for_them(self) -> None:
        member = ends('one', FAILURE, updateBuildSummaryPolicy=False)
        build = self.finish(StepGroup('test', [member]))
        self.assertEqual(build.text, ['1 of 1 done, failed: one (failure)'])

    @async_to_deferred
    async def test_a_description_stays(self) -> None:
        group = StepGroup('test', [Waits(name='one')], description='testing', descriptionDone='did')
        build = self.start(group)
        self.assertEqual((await self.row(build, 'test'))['state_string'], 'testing, 1 of 1: one')
        self.step(build, 'one').done.callback(SUCCESS)
        self.pump()
        self.assertEqual((await self.row(build, 'test'))['state_string'], 'did')

    @async_to_deferred
    async def test_many_failures_are_counted(self) -> None:
        build = self.finish(StepGroup('test', [ends(f's{i}', FAILURE) for i in range(5)]))
        self.assertEqual(
            (await self.row(build, 'test'))['state_string'],
            '5 of 5 done, failed: s0, s1, s2 and 2 more (failure)',
        )


class Plugin(SynchronousTestCase):
    def test_buildbots_plugin_loader_takes_it(self) -> None:
        self.assertTrue(verifyClass(IBuildStep, StepGroup))

    def test_members_may_be_any_step_of_buildbots(self) -> None:
        StepGroup('test', [steps.ShellCommand(command='make'), steps.Trigger(schedulerNames=['a'])])
