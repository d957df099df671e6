# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands in a group of steps, and what is seen of it, on real masters and workers."""

from __future__ import annotations

from typing import Any

from buildbot.plugins import steps
from buildbot.plugins import util
from buildbot.process.results import SUCCESS
from buildbot.util.twisted import async_to_deferred
from support.groups import HOLD
from support.groups import Adds
from support.groups import GroupCase

from buildbot_balancer.errors import StepGroupError
from buildbot_balancer.steps.group import StepGroup


class Contents:
    """Run for each protocol below."""

    def group(self, *members: Any, **more: Any) -> Any:
        return StepGroup(name='test', locks=[HOLD], steps=list(members), **more)

    @async_to_deferred
    async def test_steps_that_a_part_adds_run_inside_the_group_at_that_place(self) -> None:
        await self.start_with(
            lambda: [
                self.group(
                    StepGroup(
                        name='inner',
                        steps=[
                            Adds(after=[self.part('added')], last=[self.part('last')], name='adds'),
                            self.part('1'),
                        ],
                    ),
                    Adds(after=[self.part('added too', 0.2), self.part('and')], name='again'),
                    self.part('2'),
                ),
                self.part('behind'),
            ]
        )
        brid = await self.request()
        build = await self.running_build()
        await self.until_said('+added')
        self.assertTrue(await self.is_held())
        done = await self.finished(brid)
        self.assertEqual(
            [name for name, _ in self.rows(done)],
            [
                'test',
                'inner',
                'adds',
                'added',
                '1',
                'again',
                'added too',
                'and',
                '2',
                'behind',
                'last',
            ],
        )
        self.assertEqual(self.row(done, 'inner')['state_string'], '3 of 3 done')
        self.assertEqual(self.row(done, 'test')['state_string'], '5 of 5 done')
        self.assertEqual(build.steps, [])
        await self.check_all_is_free()

    @async_to_deferred
    async def test_steps_may_come_from_a_property(self) -> None:
        @util.renderer
        def rendered(props: Any) -> list[Any]:
            return [self.part(f'{i}') for i in range(props.getProperty('parts', 0))]

        await self.start_with(lambda: [StepGroup(name='test', locks=[HOLD], steps=rendered)])
        done = await self.finished(await self.request(parts=2))
        self.assertEqual([name for name, _ in self.rows(done)], ['test', '0', '1'])
        empty = await self.finished(await self.request())
        self.assertEqual((empty['results'], self.rows(empty)), (SUCCESS, [('test', 'skipped')]))
        await self.check_all_is_free()

    @async_to_deferred
    async def test_a_property_that_gives_no_steps_is_an_error_that_says_so(self) -> None:
        await self.start_with(
            lambda: [
                StepGroup(name='test', locks=[HOLD], steps=util.Property('parts')),
                self.part('behind'),
            ]
        )
        done = await self.finished(await self.request(parts='make check'))
        self.assertEqual(self.rows(done), [('test', 'exception')])
        self.assertEqual(
            self.row(done, 'test')['state_string'],
            "steps must be a list of steps, not 'make check' (exception)",
        )
        self.assertEqual(len(self.flushLoggedErrors(StepGroupError)), 1)
        await self.check_all_is_free()

    @async_to_deferred
    async def test_properties_of_a_part_are_saved_when_it_ends(self) -> None:
        await self.start_with(
            lambda: [
                self.group(
                    steps.SetPropertyFromCommand(
                        name='ask', command=['echo', 'v1'], property='version'
                    ),
                    self.shell(
                        'use', 'exit 1', doStepIf=lambda s: s.getProperty('version') != 'v1'
                    ),
                    self.part('1', 60),
                )
            ]
        )
        brid = await self.request()
        build = await self.running_build()
        await self.until_said('+1')
        saved = await self.master.data.get(('builds', build.buildid, 'properties'))
        self.assertEqual(saved['version'][0], 'v1')
        await build.stopBuild('seen')
        done = await self.finished(brid)
        self.assertEqual(self.row(done, 'use')['results'], 3)  # SKIPPED
        await self.check_all_is_free()

    @async_to_deferred
    async def test_each_part_keeps_its_logs_and_whether_it_is_shown(self) -> None:
        await self.start_with(
            lambda: [
                self.group(self.shell('1', 'echo one'), self.shell('2', 'true', hideStepIf=True))
            ]
        )
        done = await self.finished(await self.request())
        self.assertEqual([r['hidden'] for r in done['steps'][-3:]], [False, False, True])
        logs = await self.master.data.get(('steps', self.row(done, '1')['stepid'], 'logs'))
        text = await self.master.data.get(('logs', logs[0]['logid'], 'contents'))
        self.assertIn('oone\n', text['content'])
        await self.check_all_is_free()

    @async_to_deferred
    async def test_the_row_says_which_part_runs_and_how_many_are_done(self) -> None:
        await self.start_with(
            lambda: [self.group(self.part('1'), self.part('make check', 60), self.part('3'))]
        )
        brid = await self.request()
        build = await self.running_build()
        await self.until_state('test', '2 of 3: make check')
        await build.stopBuild('seen')
        done = await self.finished(brid)
        self.assertEqual(self.row(done, 'test')['state_string'], '2 of 3 done (cancelled)')
        await self.check_all_is_free()

    @async_to_deferred
    async def test_the_builds_summary_names_the_part_that_failed_and_not_the_group_too(
        self,
    ) -> None:
        await self.start_with(lambda: [self.group(self.part('1'), self.shell('2', 'exit 1'))])
        done = await self.finished(await self.request())
        self.assertEqual(done['state_string'], "failed 'sh -c ...' (failure)")
        await self.check_all_is_free()

    @async_to_deferred
    async def test_it_works_under_the_balancer(self) -> None:
        from buildbot_balancer.master.balancer import Balancer

        await self.start_with(
            lambda: [self.group(self.part('1', 0.1), self.part('2', 0.1))],
            services=[Balancer(report_grace=1)],
        )
        brids = [await self.request(name) for name in ('b', 'c', 'b', 'c')]
        for brid in brids:
            self.assertEqual((await self.finished(brid))['results'], SUCCESS)
        self.assertEqual(self.said(), ['+1', '-1', '+2', '-2'] * 4)
        await self.check_all_is_free()


class ContentsOnPB(Contents, GroupCase):
    proto = 'pb'


class ContentsOnMsgpack(Contents, GroupCase):
    proto = 'msgpack'
