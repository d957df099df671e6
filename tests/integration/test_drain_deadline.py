# SPDX-License-Identifier: GPL-2.0-or-later
"""A drain with a deadline, from the owner's file to a build that runs again elsewhere."""

from __future__ import annotations

from typing import Any

from buildbot.process.results import CANCELLED
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.steps.shell import ShellCommand
from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.masters import MasterCase
from twisted.internet import reactor

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.master.workers.durations import Durations
from buildbot_balancer.reporter import status

FAR = 3600.0  # seconds


class Drains(MasterCase):
    async def begin(self, **more: Any) -> None:
        await self.start(services=[Balancer()], **more)

    def drain(self, name: str, deadline: float | None) -> None:
        """`deadline`: seconds from now."""
        at = None if deadline is None else float(int(reactor.seconds() + deadline))
        self.say(name, mood=Mood.GOING_ON_HOLIDAY, draining=True, deadline=at)

    async def only(self, name: str) -> str:
        """The other worker takes nothing; returns the name of that one."""
        other = {'w1': 'w2', 'w2': 'w1'}[name]
        self.say(other, mood=Mood.OFFLINE)
        await self.until(lambda: self.mood(other) == 'offline')
        return other

    def status(self, name: str) -> status.Status:
        return status.load(self.worker_dir(name)) or status.Status(mood='', source='')

    async def ended(self) -> list[tuple[str, int]]:
        """Where each build ran and how it ended, when the last of them has."""
        builds = await self.builds()
        while not all(one['complete'] for one in builds):
            await self.stays(lambda: True, 0.05)
            builds = await self.builds()
        names = {one.workerid: name for name, one in self.master.workers.workers.items()}
        return [(names[one['workerid']], one['results']) for one in builds]

    async def completed(self, brid: int) -> int:
        row = await self.master.data.get(('buildrequests', brid))
        while not row['complete']:
            await self.stays(lambda: True, 0.05)
            row = await self.master.data.get(('buildrequests', brid))
        return int(row['results'])


class OnPb(Drains):
    proto = 'pb'

    @async_to_deferred
    async def test_a_build_that_still_runs_then_runs_again_elsewhere(self) -> None:
        await self.begin()
        other = await self.only('w1')
        brid = await self.request()
        await self.started(1)
        self.say(other)
        await self.until(lambda: self.mood(other) == 'eager')
        self.drain('w1', 0)
        await self.until(lambda: self.status('w1').free)
        await self.started(1)
        self.let_all_go()
        self.assertEqual(await self.completed(brid), SUCCESS)
        self.assertEqual(await self.ended(), [('w1', RETRY), ('w2', SUCCESS)])

    @async_to_deferred
    async def test_a_command_is_killed_before_the_machine_is_free(self) -> None:
        await self.begin(steps=lambda: [ShellCommand(command=['sleep', '600'])])
        await self.only('w1')
        await self.request()
        await self.until(lambda: self.reporters['w1']._link.commands() == 1)
        self.drain('w1', 0)
        await self.until(lambda: self.status('w1').free)
        self.assertEqual(self.reporters['w1']._link.commands(), 0)
        self.assertEqual(await self.ended(), [('w1', RETRY)])

    @async_to_deferred
    async def test_until_then_it_runs_on_and_who_resumes_loses_nothing(self) -> None:
        await self.begin()
        await self.only('w1')
        await self.request()
        await self.started(1)
        self.drain('w1', FAR)
        await self.until(lambda: self.mood('w1') == 'going-on-holiday')
        deadline = self.balancer._parts.deadline
        self.assertEqual([*deadline._timers], ['w1'])
        self.say('w1')
        await self.until(lambda: self.mood('w1') == 'eager')
        self.assertEqual(deadline._timers, {})
        self.let_all_go()
        self.assertEqual(await self.ended(), [('w1', SUCCESS)])

    @async_to_deferred
    async def test_a_drain_without_one_stops_nothing(self) -> None:
        await self.begin()
        await self.only('w1')
        await self.request()
        await self.started(1)
        self.drain('w1', None)
        await self.until(lambda: self.mood('w1') == 'going-on-holiday')
        await self.stays(lambda: HeldStep.running)
        self.let_all_go()

    @async_to_deferred
    async def test_a_build_that_a_person_has_stopped_is_not_run_again(self) -> None:
        class Slow(HeldStep):
            def interrupt(self, reason: Any) -> Any:  # it takes its time to end
                return super(HeldStep, self).interrupt(reason)

        await self.begin(steps=lambda: [Slow()])
        await self.only('w1')
        brid = await self.request()
        await self.started(1)
        build = self.balancer.engine.fleet.builds.of('w1')[0]
        await build.stopBuild('not wanted')
        self.drain('w1', 0)
        await self.until(lambda: self.mood('w1') == 'going-on-holiday')
        for step in list(HeldStep.running):
            step.let_go(CANCELLED)
        await self.until(lambda: self.status('w1').free)
        self.assertEqual(await self.completed(brid), CANCELLED)

    @async_to_deferred
    async def test_the_owner_hears_how_long_builds_will_take_from_past_ones(self) -> None:
        await self.begin()
        await self.only('w1')
        await self.request()
        await self.started(1)
        self.let_all_go()
        await self.ended()
        # the past build becomes one of ten minutes
        table = self.master.db.model.builds
        change = table.update().values(started_at=table.c.started_at - 600)
        await self.master.db.pool.do_with_transaction(lambda conn: conn.execute(change).rowcount)
        await self.request()
        await self.started(1)
        self.drain('w1', FAR)
        await self.until(lambda: self.status('w1').builds_left is not None)
        left = self.status('w1').builds_left or 0
        self.assertTrue(0 < left <= 601, left)
        self.let_all_go()
        await self.until(lambda: self.status('w1').free)
        self.assertIsNone(self.status('w1').builds_left)


class OnMsgpack(Drains):
    proto = 'msgpack'

    test_a_build_that_still_runs_then_runs_again_elsewhere = (
        OnPb.test_a_build_that_still_runs_then_runs_again_elsewhere
    )


class Past(Drains):
    proto = 'pb'

    @async_to_deferred
    async def test_the_longest_of_the_same_worker_counts_and_failures_do_not(self) -> None:
        await self.start(
            names=('w1', 'w2'),
            builders={'b': ('w1', 'w2')},
            services=[Balancer()],
        )
        builderid = await self.master.data.updates.findBuilderId('b')
        masterid = self.master.masterid
        ids = {name: self.buildbot_worker(name).workerid for name in ('w1', 'w2')}
        brid = await self.request()
        await self.started(1)
        rows = [  # worker, seconds, locks, results
            ('w1', 100, 0, SUCCESS),
            ('w1', 900, 600, SUCCESS),
            ('w2', 2000, 0, SUCCESS),
            ('w1', 5000, 0, 2),
            ('w2', 70, 0, None),
        ]
        table = self.master.db.model.builds

        def insert(conn: Any) -> list[int]:
            return [
                conn.execute(
                    table.insert().values(
                        number=100 + number,
                        builderid=builderid,
                        buildrequestid=brid,
                        workerid=ids[name],
                        masterid=masterid,
                        started_at=1000,
                        complete_at=None if results is None else 1000 + seconds,
                        locks_duration_s=locks,
                        state_string='',
                        results=results,
                    )
                ).inserted_primary_key[0]
                for number, (name, seconds, locks, results) in enumerate(rows)
            ]

        made = await self.master.db.pool.do_with_transaction(insert)
        # each as if it ran now
        ends = await Durations(self.master).ends(made)
        self.assertEqual(ends[made[0]], 1000 + 300)
        self.assertEqual(ends[made[1]], 1000 + 600 + 300)
        self.assertEqual(ends[made[4]], 1000 + 2000)
        self.assertEqual(await Durations(self.master).ends([]), {})
        self.let_all_go()
