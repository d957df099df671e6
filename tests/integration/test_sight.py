# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of requests and workers on a real master."""

from __future__ import annotations

from typing import Any

from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.util.twisted import async_to_deferred
from support.masters import HeldStep
from support.sights import SightCase
from twisted.internet import defer
from twisted.internet import reactor

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.explain.sights import LockSight
from buildbot_balancer.locks.branch import BranchLock
from buildbot_balancer.locks.group import WorkerGroupLock
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.master.distribution.budget import Budget
from buildbot_balancer.master.sight import sight as sight_module
from buildbot_balancer.master.sight.sight import Sight
from buildbot_balancer.policy.decision import Decision
from buildbot_balancer.policy.filters import Filter
from buildbot_balancer.policy.filters import MaxLoad
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.policy import default_filters

TWO = {'b': ('w1', 'w2')}
APART = {'b': ('w1',), 'c': ('w2',)}
NIGHT = Filter('night', lambda request, worker: False, 'builds only by day')


class BrokenError(Exception):
    """A defect of a config."""


class Broken:
    def check(self, request: Any, worker: Any, now: float) -> Any:
        raise BrokenError('filter defect')


def policy(*filters: Any, **more: Any) -> Policy:
    return Policy(filters=[*default_filters(), *filters], **more)


class OneCause(SightCase):
    proto = 'null'

    async def waits(self, *parts: str, state: str = 'waiting', builder: str = 'b') -> Any:
        found = await self.says(await self.request(builder), *parts, state=state)
        self.assertEqual(found.position, 1)
        return found

    @async_to_deferred
    async def test_every_worker_is_busy(self) -> None:
        await self.see(TWO)
        await self.busy(count=2)
        found = await self.waits('0 of 2 workers: 2 busy; seen at ')
        self.assertEqual(
            [(one.code, one.count, one.names) for one in found.verdicts],
            [('busy', 2, ('w1', 'w2'))],
        )

    @async_to_deferred
    async def test_an_owner_has_said_no_and_why_and_until_when(self) -> None:
        await self.see(TWO)
        self.buildbot_worker('w1').info.setProperty('admin', 'Ann <ann@example.org>', 'Worker')
        self.say('w1', mood=Mood.OFFLINE, reason='moving house')
        self.say('w2', mood=Mood.OFFLINE, until=reactor.seconds() + 7000)
        await self.until(lambda: {self.mood('w1'), self.mood('w2')} == {'offline'})
        await self.waits('0 of 2 workers: 2 offline (Ann: "moving house"; w2: until ')

    @async_to_deferred
    async def test_an_owner_is_on_holiday(self) -> None:
        await self.see({'b': ('w1',), 'c': ('w1',)})
        await self.busy('c')  # or the holiday has begun
        self.say('w1', mood=Mood.GOING_ON_HOLIDAY, reason='sea')
        await self.until(lambda: self.mood('w1') == 'going-on-holiday')
        await self.waits('0 of 1 worker: 1 on holiday (w1: "sea")')

    @async_to_deferred
    async def test_a_reluctant_one_takes_it_later(self) -> None:
        await self.see(policy=policy(reluctant_after=7000))
        self.say('w1', mood=Mood.RELUCTANT, reason='using it')
        await self.until(lambda: self.mood('w1') == 'reluctant')
        await self.waits('1 reluctant (w1: "using it", takes it from ', ' on)')

    @async_to_deferred
    async def test_somebody_has_paused_the_worker(self) -> None:
        await self.see()
        self.buildbot_worker('w1').pause('broken fan')
        await self.waits('0 of 1 worker: 1 paused (w1: "broken fan")')
        self.assertEqual(self.worker_sight('w1').summary, 'is paused ("broken fan")')

    @async_to_deferred
    async def test_the_worker_is_in_quarantine(self) -> None:
        await self.see()
        self.buildbot_worker('w1').quarantine_timeout = 600
        self.buildbot_worker('w1').putInQuarantine()
        await self.waits('0 of 1 worker: 1 in quarantine (w1)')
        self.assertIn('is in quarantine', self.worker_sight('w1').summary)
        self.buildbot_worker('w1').stopQuarantineTimer()

    @async_to_deferred
    async def test_the_worker_shuts_down(self) -> None:
        await self.see()
        self.buildbot_worker('w1')._graceful = True
        await self.waits('0 of 1 worker: 1 shutting down (w1)')

    @async_to_deferred
    async def test_a_lock_of_buildbots_own_is_held(self) -> None:
        lock = MasterLock('disk', maxCount=1)
        await self.see(APART, builder={'locks': [lock.access('exclusive')]})
        await self.busy('c')
        await self.waits(
            '0 of 1 worker: 1 kept by a lock', 'and lock disk 1 of 1 held by c #1; seen'
        )

    @async_to_deferred
    async def test_a_worker_lock_of_buildbots_own_is_held(self) -> None:
        lock = WorkerLock('disk', maxCount=1)
        await self.see({'b': ('w1',), 'c': ('w1',)}, builder={'locks': [lock.access('exclusive')]})
        await self.busy('c')
        await self.waits('1 kept by a lock', 'and lock disk[w1] 1 of 1 held by c #1; seen')

    @async_to_deferred
    async def test_a_lock_of_a_group_is_held(self) -> None:
        lock = WorkerGroupLock('host', 1, workerToGroup={'w1': 'esx1', 'w2': 'esx1'})
        await self.see(APART, builder={'locks': [lock.access('counting')]})
        await self.busy('c')
        await self.waits('1 kept by a lock', 'and lock host[esx1] 1 of 1 held by c #1; seen')
        said = self.worker_sight('w1').summary
        self.assertIn('is free; 1 request waits for its builders; request 2 of b: wants', said)
        self.assertIn('wants lock host[esx1] 1 of 1 held by c #1', said)

    @async_to_deferred
    async def test_a_lock_of_a_branch_is_held(self) -> None:
        await self.see(APART, builder={'locks': [BranchLock('version').access('exclusive')]})
        await self.busy('c')
        await self.waits('1 kept by a lock', 'and lock version[main] 1 of 1 held by c #1; seen')

    @async_to_deferred
    async def test_a_build_wants_more_of_a_lock_than_there_is(self) -> None:
        lock = WorkerGroupLock('host', 2, maxCountForGroup={'w1': 1})
        await self.see(builder={'locks': [lock.access('counting', count=2)]})
        await self.waits(
            'waiting does not help: 0 of 1 worker: 1 kept by the limit of a lock', state='stuck'
        )

    @async_to_deferred
    async def test_the_builder_has_no_worker(self) -> None:
        await self.see()
        self.builder().config.workernames = []
        self.builder().workers.clear()
        await self.waits('waiting does not help: its builder has no worker', state='stuck')

    @async_to_deferred
    async def test_canstartbuild_says_no(self) -> None:
        await self.see(builder={'canStartBuild': lambda builder, wfb, request: False})
        await self.waits('0 of 1 worker: 1 refused (w1: is refused by canStartBuild')

    @async_to_deferred
    async def test_a_policy_raises(self) -> None:
        await self.see(policy=policy(Broken()))
        await self.waits('1 that the policy fails on (w1: is unknown to Broken, which raised')
        self.assertTrue(self.flushLoggedErrors(BrokenError))

    @async_to_deferred
    async def test_it_is_the_wrong_hour(self) -> None:
        await self.see(policy=policy(NIGHT))
        await self.waits('0 of 1 worker: 1 night (w1: builds only by day)')

    @async_to_deferred
    async def test_its_load_is_over_the_limit(self) -> None:
        await self.see(policy=policy(MaxLoad(limit=1e-9)), recheck=1)
        await self.waits('0 of 1 worker: 1 o', ' (w1: has a')

    @async_to_deferred
    async def test_the_request_names_a_worker_that_its_builder_does_not_have(self) -> None:
        await self.see(TWO)
        request = await self.request(workername='w9')
        await self.says(
            request,
            'waiting does not help: 0 of 2 workers: 2 not chosen (is not w9, which the request',
            state='stuck',
        )

    @async_to_deferred
    async def test_its_builder_is_paused(self) -> None:
        await self.see(TWO)
        await self.busy(count=2)
        request = await self.request()
        builderid = await self.master.data.updates.findBuilderId('b')
        await self.balancer.control.pause_builder(builderid, 'flood', None, 'ann')
        await self.says(request, 'builder b is paused by ann ("flood")', state='paused')

    @async_to_deferred
    async def test_its_builder_has_left_the_config(self) -> None:
        await self.see(APART)
        self.buildbot_worker('w2').pause('')
        request = await self.request('c')
        builders = [one for one in self.config['builders'] if one.name == 'b']
        await self.reconfig(Balancer(), builders=builders)
        await self.says(request, 'no master that runs has builder c', state='stuck')


class SeveralCauses(SightCase):
    proto = 'null'

    @async_to_deferred
    async def test_the_commonest_is_first_and_a_rare_one_is_not_lost(self) -> None:
        names = tuple(f'w{n:02}' for n in range(12))
        await self.see({'b': names})
        for name in names[:11]:
            self.buildbot_worker(name).pause('')
        self.say('w11', mood=Mood.OFFLINE, reason='mine')
        await self.until(lambda: self.mood('w11') == 'offline')
        request = await self.request()
        found = await self.says(
            request,
            '0 of 12 workers: 11 paused (w00, w01, w02, w03, w04, ...), 1 offline (w11: "mine")',
        )
        self.assertEqual([one.count for one in found.verdicts], [11, 1])

    @async_to_deferred
    async def test_a_busy_worker_and_a_held_lock_are_both_told(self) -> None:
        lock = MasterLock('disk', maxCount=1)
        await self.see(builder={'locks': [lock.access('exclusive')]})
        await self.busy()
        await self.says(
            await self.request(), '0 of 1 worker: 1 busy; and lock disk 1 of 1 held by b #1'
        )

    @async_to_deferred
    async def test_one_worker_is_kept_by_two_things(self) -> None:
        await self.see(policy=policy(NIGHT))
        self.buildbot_worker('w1').pause('')
        self.say('w1', mood=Mood.OFFLINE, reason='mine')
        await self.until(lambda: self.mood('w1') == 'offline')
        request = await self.request()
        self.balancer.engine.decisions._last.clear()
        await self.says(request, '1 paused (w1: also offline ("mine"), also builds only by day)')
        self.assertEqual(self.worker_sight('w1').summary, 'is paused; is offline ("mine")')


class TheQueue(SightCase):
    proto = 'null'

    @async_to_deferred
    async def test_requests_are_in_the_order_in_which_they_are_looked_at(self) -> None:
        await self.see(APART)
        await self.busy('b')
        await self.busy('c')
        waiting = [await self.request(one, priority=p) for one, p in (('b', 0), ('c', 5), ('b', 1))]
        await self.until(lambda: len(self.sight._roll.known()) == 3)
        found, total = await self.sight.requests()
        self.assertEqual([one.buildrequestid for one in found], [waiting[n] for n in (1, 2, 0)])
        self.assertEqual([one.position for one in found], [1, 2, 3])
        self.assertEqual(total, 3)
        page, total = await self.sight.requests(offset=1, limit=1)
        self.assertEqual(([one.buildrequestid for one in page], total), ([waiting[2]], 3))
        builderid = await self.master.data.updates.findBuilderId('b')
        page, total = await self.sight.requests(builderid=builderid)
        self.assertEqual([one.buildrequestid for one in page], [waiting[2], waiting[0]])
        self.assertEqual(([one.position for one in page], total), ([2, 3], 2))
        self.assertEqual(await self.sight.requests(builderid=99), ([], 0))
        self.assertEqual(self.sight.waiting(builderid), 2)

    @async_to_deferred
    async def test_one_that_nobody_has_looked_at_says_who_is_before_it(self) -> None:
        await self.see()
        await self.busy()
        first, second, third = [await self.request() for _ in range(3)]
        await self.says(first, '1 busy')
        for one in (second, third):
            self.balancer.engine.decisions._last.pop(one, None)
        (_, middle, last), _ = await self.sight.requests()
        self.assertEqual(last.state, 'queued')
        self.assertIn(f'is behind request {first} of b; request {first}: 0 of 1', middle.reason)
        self.assertIn(f'is behind request {first} and 1 more of b; request {first}', last.reason)
        await self.says(third, '0 of 1 worker: 1 busy')

    @async_to_deferred
    async def test_a_request_that_runs_and_one_that_is_over_say_where(self) -> None:
        await self.see()
        (request,) = await self.busy()
        found = await self.says(request, 'runs as b #1 on w1 since', '(score', state='running')
        self.assertEqual((found.position, found.buildername), (None, 'b'))
        await self.no_builds()
        await self.says(request, 'b #1 on w1: success at', state='complete')

    @async_to_deferred
    async def test_a_request_that_was_cancelled_before_it_was_built(self) -> None:
        await self.see()
        await self.busy()
        request = await self.request()
        await self.master.data.control('cancel', {}, ('buildrequests', str(request)))
        await self.says(request, 'ended without a build at ', ': cancelled', state='complete')

    @async_to_deferred
    async def test_there_is_no_such_request(self) -> None:
        await self.see()
        self.assertIsNone(await self.sight.request(99))

    @async_to_deferred
    async def test_asked_twice_at_once_it_looks_once(self) -> None:
        await self.see()
        self.buildbot_worker('w1').pause('')
        request = await self.request()
        await self.says(request, '1 paused')
        looks: list[int] = []
        outlook = self.balancer.engine.outlook

        async def counted(builder: Any, breq: Any, only: Any = None) -> Any:
            looks.append(breq.id)
            return await outlook(builder, breq, only)

        self.patch(sight_module, 'AGAIN', 3600.0)
        await self.until(lambda: not self.sight._asked)  # nobody else asks just now
        self.sight._answers.clear()
        self.sight._pending._looked_at.clear()
        self.balancer.engine.decisions._last.clear()
        self.patch(self.brd._explainer, 'soon', lambda heads: None)
        self.patch(self.balancer.engine, 'outlook', counted)
        both = [defer.ensureDeferred(self.sight.request(request)) for _ in range(2)]
        one, other = [await deferred for deferred in both]
        self.assertIs(one, other)
        self.assertEqual(await self.sight.request(request), one)
        self.assertEqual(looks, [request])

    @async_to_deferred
    async def test_when_too_much_is_asked_it_answers_by_what_is_known(self) -> None:
        await self.see()
        self.buildbot_worker('w1').pause('')
        request = await self.request()
        await self.says(request, '1 paused')
        await self.until(lambda: request in self.balancer.engine.decisions)
        self.patch(self.brd._explainer, 'soon', lambda heads: None)
        self.balancer.engine.decisions._last.clear()
        self.sight._pending._looked_at.clear()
        self.sight._budget = Budget(lambda: 0.0, 1, 0)
        self.sight._budget.may_spend(1)
        self.assertEqual((await self.request_sight(request)).state, 'queued')

    @async_to_deferred
    async def test_a_database_that_fails_is_told_to_all_who_asked_and_asked_anew(self) -> None:
        await self.see()
        self.buildbot_worker('w1').pause('')
        request = await self.request()
        stock = self.master.db.buildrequests.getBuildRequest
        answer: defer.Deferred[Any] = defer.Deferred()
        self.patch(self.master.db.buildrequests, 'getBuildRequest', lambda _: answer)
        both = [defer.ensureDeferred(self.sight.request(request)) for _ in range(2)]
        answer.errback(OSError('away'))
        for one in both:
            await self.assertFailure(one, OSError)
        self.patch(self.master.db.buildrequests, 'getBuildRequest', stock)
        self.assertIsNotNone(await self.sight.request(request))

    @async_to_deferred
    async def test_what_was_said_of_a_build_that_is_over_counts_no_more(self) -> None:
        await self.see()
        self.buildbot_worker('w1').pause('')
        request = await self.request()
        await self.says(request, '1 paused')
        decisions = self.balancer.engine.decisions
        decisions._last[request] = Decision(
            request=request, builder='b', at=reactor.seconds() + 9, worker='w1'
        )
        await self.says(request, '1 paused')

    @async_to_deferred
    async def test_locks_are_found_among_all_where_there_is_no_other_way(self) -> None:
        await self.see()
        locks = [
            LockSight(name=name, group=group, max=1, held=0)
            for name, group in (('a', 'x'), ('a', 'y'), ('b', 'x'))
        ]
        distributed = self.balancer._parts.distribution.distributed
        sight = Sight(self.master, reactor, self.balancer.engine, distributed, lambda: locks, list)
        self.assertEqual(sight.locks(), locks)
        self.assertEqual(sight.lock('a'), locks[:2])
        self.assertEqual(sight.lock('a', 'y'), locks[1:2])
        self.assertEqual(sight.lock('z'), [])
        self.assertEqual(sight.builders(), [])

    @async_to_deferred
    async def test_what_was_true_when_it_was_looked_at_is_told_as_such(self) -> None:
        await self.see()
        self.buildbot_worker('w1').pause('fan')
        request = await self.request()
        await self.says(request, '1 paused (w1: "fan"); seen at')
        self.buildbot_worker('w1')._paused = False
        (found,), _ = await self.sight.requests()
        self.assertIn('which may be out of date', found.reason)


class PartlyServed(SightCase):
    """Buildbot's own distributor, with our chooser for some builders."""

    proto = 'null'

    @async_to_deferred
    async def test_a_builder_that_is_served(self) -> None:
        await self.see(APART, served=['b'])
        self.say('w1', mood=Mood.OFFLINE, reason='mine')
        await self.until(lambda: self.mood('w1') == 'offline')
        await self.says(await self.request('b'), '1 offline (w1: "mine")')

    @async_to_deferred
    async def test_one_that_is_not_served_says_so_and_what_is_known(self) -> None:
        await self.see(APART, served=['b'])
        self.say('w2', mood=Mood.OFFLINE, reason='mine')
        await self.until(lambda: self.mood('w2') == 'offline')
        request = await self.request('c')
        await self.says(
            request,
            'the balancer does not serve builder c, so Buildbot alone starts it;',
            '0 of 1 worker: 1 offline (w2: "mine")',
        )
        (found,), total = await self.sight.requests()
        self.assertEqual((found.buildrequestid, found.position, total), (request, 1, 1))

    @async_to_deferred
    async def test_a_lock_is_named_there_too(self) -> None:
        lock = MasterLock('disk', maxCount=1)
        await self.see(APART, served=['b'], builder={'locks': [lock.access('exclusive')]})
        await self.busy('c')
        request = await self.request('b')
        await self.says(request, 'and lock disk 1 of 1 held by c #1')
        decisions = self.balancer.engine.decisions
        await self.until(lambda: request in decisions)
        self.assertEqual(decisions[request].locks, (('disk', ''),))


class Workers(SightCase):
    proto = 'null'

    @async_to_deferred
    async def test_one_that_builds_and_one_that_is_free(self) -> None:
        await self.see(APART)
        await self.busy('b')
        self.assertEqual(self.worker_sight('w1').summary, 'runs 1 build: b #1')
        self.assertEqual(self.worker_sight('w1').running, 1)
        self.assertEqual(self.worker_sight('w2').summary, 'is free: nothing waits for it')
        workerid = self.buildbot_worker('w2').workerid
        self.assertEqual(self.sight.worker(workerid).name, 'w2')
        self.assertIsNone(self.sight.worker(99))

    @async_to_deferred
    async def test_one_that_no_builder_uses(self) -> None:
        await self.see(APART)
        builders = [one for one in self.config['builders'] if one.name == 'b']
        await self.reconfig(Balancer(), builders=builders)
        self.assertIn('no builder uses it', self.worker_sight('w2').summary)

    @async_to_deferred
    async def test_asked_about_one_the_policy_is_asked_too(self) -> None:
        await self.see(policy=policy(MaxLoad(limit=1e-9)), recheck=1)
        request = await self.request()
        await self.says(request, '(w1: has a')
        said = self.sight.worker(self.buildbot_worker('w1').workerid).summary
        self.assertIn(f'request {request} of b: this worker has a', said)

    @async_to_deferred
    async def test_samples_are_those_of_the_worker_with_that_id(self) -> None:
        await self.see()
        self.sight._samples.take()
        *_, sample = self.sight.samples(self.buildbot_worker('w1').workerid)
        self.assertEqual(sample.running, 0)
        self.assertEqual(self.sight.samples(99), [])


class Disconnected(SightCase):
    proto = 'pb'

    @async_to_deferred
    async def test_the_worker_is_away(self) -> None:
        await self.see()
        await self.disconnect('w1')
        await self.says(await self.request(), '0 of 1 worker: 1 not connected (w1: last heard of ')
        self.assertIn('is not connected (last heard of', self.worker_sight('w1').summary)
        self.assertEqual(HeldStep.running, [])
