# SPDX-License-Identifier: GPL-2.0-or-later
"""What each of two masters on one database shows of the other, and what users said through one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from buildbot.plugins import schedulers
from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.several import SeveralMasters
from twisted.internet import defer

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.cluster import neighbours
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.tables.seen import SEEN


class Pair(SeveralMasters):
    async def two(self) -> tuple[Any, Any]:
        """Each with a worker and a builder of its own, and a builder ``b`` that both have."""
        one = await self.begin({'b': ('w1', 'w2'), 'one': ('w1',)}, here=('w1',), elsewhere=('w2',))
        two = await self.begin({'b': ('w1', 'w2'), 'two': ('w2',)}, here=('w2',), elsewhere=('w1',))
        return one, two

    @async_to_deferred
    async def tearDown(self) -> None:
        """Nothing runs when the database goes."""
        for master in self.masters:
            for worker in master.workers.workers.values() if master.running else ():
                worker.pause('')
        await self.until(self._is_over)

    def _is_over(self) -> bool:
        self.let_all_go()
        builders = [one for master in self.masters for one in master.botmaster.builders.values()]
        return not any(one.building for one in builders)


class Workers(Pair):
    @async_to_deferred
    async def test_one_of_another_master_is_shown_as_the_master_sees_it_that_has_it(self) -> None:
        one, two = await self.two()
        await self.request_of(two, 'two')
        await self.started(1)
        await self.publish(two)
        found = await self.get(one, 'workers', 'w2')
        self.assertEqual((found['master'], found['running']), (two.name, 1))
        self.assertEqual(found['summary'], f'connected to master {two.name}: runs 1 build: two #1')
        found = await self.get(two, 'workers', 'w2')
        self.assertEqual((found['master'], found['running']), (None, 1))

    @async_to_deferred
    async def test_one_that_is_here_is_shown_as_it_is_here(self) -> None:
        one, two = await self.two()
        await self.publish(two)  # to whom w1 is not connected
        found = {row['name']: row for row in await self.get(one, 'workers')}
        self.assertEqual(
            {name: row['master'] for name, row in found.items()}, {'w1': None, 'w2': two.name}
        )
        self.assertEqual(found['w1']['summary'], 'is free: nothing waits for it')

    @async_to_deferred
    async def test_one_that_only_another_master_has_in_its_config_is_shown(self) -> None:
        one = await self.begin({'b': ('w1',)}, here=('w1',))
        two = await self.begin({'c': ('w2', 'w3')}, here=('w2',), elsewhere=('w3',))
        await self.publish(two)
        names = {row['name']: row['summary'] for row in await self.get(one, 'workers')}
        self.assertEqual({*names}, {'w1', 'w2', 'w3'})
        self.assertEqual(names['w3'], f'on master {two.name}: is not connected')

    @async_to_deferred
    async def test_one_that_has_moved_here_is_shown_as_it_is_here(self) -> None:
        one = await self.begin({'b': ('w1',)}, here=(), elsewhere=('w1',))
        two = await self.begin({'b': ('w1',)}, here=(), elsewhere=('w1',))
        await self.attach_to(two, 'w1')
        await self.publish(two)
        before = await self.get(one, 'workers', 'w1')
        await self.detach('w1')
        await self.attach_to(one, 'w1')
        one_way = await self.get(one, 'workers', 'w1')
        (other_way,) = await self.get(one, 'workers')
        self.assertEqual(
            [row['master'] for row in (before, one_way, other_way)], [two.name, None, None]
        )
        await self.detach('w1')

    @async_to_deferred
    async def test_what_a_master_saw_that_stops_is_not_shown(self) -> None:
        one, two = await self.two()
        await self.publish(two)
        before = await self.get(one, 'workers', 'w2')
        await self.end(two)
        self.neighbours_of(one)._seen.forget()
        after = await self.get(one, 'workers', 'w2')
        self.assertEqual((before['master'], after['master']), (two.name, None))
        self.assertEqual(after['summary'], 'is not connected')

    @async_to_deferred
    async def test_a_picture_that_is_old_is_said_to_be(self) -> None:
        one, two = await self.two()
        await self.publish(two)
        self.age(two, 90)
        found = await self.get(one, 'workers', 'w2')
        self.assertIn('which may be out of date', found['summary'])
        self.assertFalse(found['fresh'])

    def age(self, master: Any, seconds: float) -> None:
        engine = sa.create_engine(f'sqlite:///{self.file}/state.sqlite')
        with engine.begin() as connection:
            mine = SEEN.c.masterid == master.masterid
            older = {'seen_at': SEEN.c.seen_at - seconds}
            connection.execute(sa.update(SEEN).where(mine).values(older))
        engine.dispose()


class Requests(Pair):
    @async_to_deferred
    async def test_one_that_waits_on_both_says_why_on_each(self) -> None:
        one, two = await self.two()
        for master, name in ((one, 'w1'), (two, 'w2')):
            await self.control_of(master).drain_worker(self.worker_id(name), name, None, 'ann')
        request = await self.request_of(one, 'b')
        await self.soon(lambda: self.says(one, request, '0 of 2 workers'))
        await self.soon(lambda: self.says(two, request, '0 of 2 workers'))
        await self.publish(two)
        reason = (await self.get(one, 'requests', request))['reason']
        here, _, there = reason.partition(f'; on master {two.name}: ')
        self.assertIn('0 of 2 workers', here)
        self.assertIn('0 of 2 workers', there)

    @async_to_deferred
    async def test_one_of_a_builder_of_another_master_is_shown_as_that_one_sees_it(self) -> None:
        one, two = await self.two()
        await self.control_of(two).drain_worker(self.worker_id('w2'), 'moving', None, 'ann')
        request = await self.request_of(two, 'two')
        await self.soon(lambda: self.says(two, request, 'moving'))
        await self.publish(two)
        found = await self.get(one, 'requests', request)
        self.assertEqual((found['master'], found['state']), (two.name, 'waiting'))
        self.assertTrue(found['reason'].startswith(f'on master {two.name}: 0 of 1 worker: '), found)
        listed = await self.get(one, 'requests')
        self.assertEqual(
            [(row['buildrequestid'], row['master']) for row in listed], [(request, two.name)]
        )
        listed = await self.get(one, 'builders', 'two', 'requests')
        self.assertEqual([row['buildrequestid'] for row in listed], [request])

    @async_to_deferred
    async def test_one_that_runs_says_on_which_master(self) -> None:
        one, two = await self.two()
        request = await self.request_of(two, 'two')
        await self.started(1)
        runs = f'runs as two #1 on w2 on master {two.name[:20]}'
        await self.soon(lambda: self.says(one, request, runs))

    async def says(self, master: Any, request: int, text: str) -> bool:
        return text in (await self.get(master, 'requests', request))['reason']


class Words(Pair):
    def setUp(self) -> None:
        super().setUp()
        self.patch(neighbours, 'POLL', 1000.0)  # by messages alone
        self.patch(neighbours, 'ALONE', 1000.0)

    def is_offline(self, master: Any, name: str) -> bool:
        return self.mood_of(master, name) == Mood.OFFLINE.label

    @async_to_deferred
    async def test_what_is_said_of_a_worker_through_another_master_holds(self) -> None:
        one, two = await self.two()
        workerid = self.worker_id('w1')
        await self.control_of(two).set_worker(workerid, 'offline', 'moving', None, 'ann')
        await self.until(lambda: self.is_offline(one, 'w1'))
        standing = self.balancer_of(one).standing('w1')
        self.assertEqual((standing.reason, standing.source), ('moving', 'admin'))
        await self.request_of(one, 'one')
        await self.stays(lambda: not HeldStep.running)
        await self.control_of(two).resume_worker(workerid, 'ann')
        await self.started(1)

    @async_to_deferred
    async def test_a_pause_through_another_master_holds_and_its_end_wakes(self) -> None:
        one, two = await self.two()
        await self.control_of(one).drain_worker(self.worker_id('w1'), None, None, 'ann')
        builderid = await one.botmaster.builders['b'].getBuilderId()
        await self.control_of(one).pause_builder(builderid, 'release', None, 'ann')
        pauses = self.balancer_of(two)._parts.pauses
        await self.until(lambda: pauses.is_paused('b'))
        await self.request_of(one, 'b')
        await self.stays(lambda: not HeldStep.running)
        await self.control_of(one).resume_builder(builderid, 'ann')
        await self.started(1)

    @async_to_deferred
    async def test_a_lost_message_costs_one_beat(self) -> None:
        self.patch(neighbours, 'POLL', 0.3)
        one, two = await self.two()
        with self.lost_messages():
            await self.control_of(two).set_worker(
                self.worker_id('w1'), 'offline', 'moving', None, 'ann'
            )
            await self.until(lambda: self.is_offline(one, 'w1'))
        self.assertNotIn(neighbours.SAID, self.bridge.carried)

    @async_to_deferred
    async def test_one_that_is_drained_through_another_master_is_empty_when_its_own_says_so(
        self,
    ) -> None:
        one, two = await self.two()
        await self.request_of(one, 'one')
        await self.started(1)
        await self.control_of(two).drain_worker(self.worker_id('w1'), None, None, 'ann')
        holiday = Mood.GOING_ON_HOLIDAY.label
        await self.until(lambda: self.mood_of(one, 'w1') == holiday)
        self.assertEqual(self.mood_of(two, 'w1'), holiday)
        self.let_all_go()
        await self.until(lambda: self.is_offline(one, 'w1') and self.is_offline(two, 'w1'))

    @async_to_deferred
    async def test_what_is_said_here_is_not_undone_by_what_was_read_before(self) -> None:
        one, _ = await self.two()
        workerid, words = self.worker_id('w1'), self.balancer_of(one)._parts.words
        ask, wait = words._database.ask, defer.Deferred()
        reading: list[Any] = []

        async def slow(work: Any, *args: Any) -> Any:
            answer = await ask(work, *args)
            if work.__name__ == '_load_all' and not reading:
                reading.append(answer)
                await wait
            return answer

        self.patch(words._database, 'ask', slow)
        self.neighbours_of(one)._hearing.look()
        await self.until(lambda: reading)
        await self.control_of(one).set_worker(workerid, 'offline', None, None, 'ann')
        wait.callback(None)
        await self.until(lambda: self.neighbours_of(one)._hearing._going is None)
        self.assertTrue(self.is_offline(one, 'w1'))


class OwnersWord(Pair):
    """It is the worker's: it comes with the worker, whichever master that connects to."""

    @async_to_deferred
    async def test_it_holds_on_the_next_master_before_anything_can_start_there(self) -> None:
        one = await self.begin({'b': ('w1',)}, here=(), elsewhere=('w1',))
        two = await self.begin({'b': ('w1',)}, here=(), elsewhere=('w1',))
        await self.attach_to(one, 'w1')
        self.say('w1', mood=Mood.OFFLINE, reason='mine')
        await self.until(lambda: self.mood_of(one, 'w1') == 'offline')
        await self.request_of(two)
        await self.detach('w1')
        moods = self.moods_while_it_attaches(two, 'w1')
        await self.attach_to(two, 'w1')
        await self.until(lambda: self.balancer_of(two).standing('w1').reason == 'mine')
        await self.stays(lambda: not HeldStep.running)
        self.assertEqual(set(moods), {True})  # it refuses from the first moment
        self.say('w1', mood=Mood.EAGER)
        await self.started(1)
        self.let_all_go()
        await self.detach('w1')

    def moods_while_it_attaches(self, master: Any, name: str) -> list[bool]:
        refused: list[bool] = []
        fleet = self.balancer_of(master).engine.fleet
        attached = fleet.attached

        def noted(worker: Any, connection: Any) -> Any:
            refused.append(fleet.refuses(worker))
            return attached(worker, connection)

        self.patch(fleet, 'attached', noted)
        return refused


class Alone(SeveralMasters):
    async def begin_alone(self) -> Any:
        drives = schedulers.Triggerable(name='t', builderNames=['b'])  # Buildbot wants one
        return await self.begin(
            {'b': ('w1',)}, here=('w1',), multiMaster=False, schedulers=[drives]
        )

    @async_to_deferred
    async def test_a_master_that_is_alone_says_and_asks_nothing(self) -> None:
        one = await self.begin_alone()
        asked: list[str] = []
        database = self.balancer_of(one)._parts.words._database
        ask = database.ask

        async def noted(work: Any, *args: Any) -> Any:
            asked.append(work.__module__)
            return await ask(work, *args)

        self.patch(database, 'ask', noted)
        await self.control_of(one).set_worker(self.worker_id('w1'), 'reluctant', None, None, 'ann')
        await self.get(one, 'workers')
        await self.neighbours_of(one)._hear()
        rooms = {name.rpartition('.')[2] for name in asked}
        self.assertEqual(rooms - {'events'}, {'kept'})  # what it keeps for itself
        self.assertNotIn(neighbours.SAID, self.bridge.carried)

    @async_to_deferred
    async def test_one_that_becomes_one_of_several_begins_and_ends_with_the_config(self) -> None:
        one = await self.begin_alone()
        self.assertEqual(self.rows(), 0)
        for several, rows in ((True, 3), (False, 0)):
            config = {**one.config_loader.config_dict, 'multiMaster': several}
            one.config_loader.config_dict = {**config, 'services': [Balancer()]}
            await one.reconfig()
            self.assertEqual(self.rows(), rows)

    def rows(self) -> int:
        engine = sa.create_engine(f'sqlite:///{self.file}/state.sqlite')
        with engine.begin() as connection:
            count = connection.execute(sa.select(sa.func.count()).select_from(SEEN)).scalar_one()
        engine.dispose()
        return int(count)
