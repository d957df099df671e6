# SPDX-License-Identifier: GPL-2.0-or-later
"""What has changed is told, and never costs the master much."""

from __future__ import annotations

from types import SimpleNamespace

from buildbot.mq.simple import SimpleMQ
from support.facades import Facade
from support.facades import lock_sight
from support.facades import request_sight
from support.facades import worker_sight
from twisted.internet import defer
from twisted.internet import task
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.explain.sights import to_json
from buildbot_balancer.www.changes import KEPT
from buildbot_balancer.www.changes import MOST
from buildbot_balancer.www.locks import number_of
from buildbot_balancer.www.news import EVERY
from buildbot_balancer.www.news import SOON
from buildbot_balancer.www.news import News


class Case(SynchronousTestCase):
    def setUp(self):
        self.clock = task.Clock()
        self.mq = SimpleMQ()
        self.facade = Facade()
        self.sight = self.facade.sight
        self.sight.all_workers = [worker_sight(each) for each in (1, 2, 3)]
        self.sight.all_requests = [request_sight(each) for each in range(1, 200)]
        self.sight.all_builders = [BuilderSight(builderid=1, name='b1')]
        self.sight.all_locks = [lock_sight('host', 'esx1'), lock_sight('host', 'esx2')]
        self.services = {'balancer': self.facade}
        self.heard = []
        self.news = News(
            SimpleNamespace(
                mq=self.mq,
                service_manager=SimpleNamespace(namedServices=self.services),
                workers=SimpleNamespace(workers={'ann': SimpleNamespace(workerid=2)}),
            ),
            self.clock,
        )

    def listen(self, *pattern):
        self.successResultOf(
            self.mq.startConsuming(lambda key, message: self.heard.append((key, message)), pattern)
        )

    def keys(self):
        return ['/'.join(key) for key, _ in self.heard]

    def wait(self, seconds=EVERY):
        self.clock.advance(seconds)


class Told(Case):
    def test_a_change_is_told_soon_with_what_there_is_now(self):
        self.listen('balancer_workers', None, None)
        self.news.worker_changed(2)
        self.sight.all_workers[1] = worker_sight(2, mood='offline')
        self.wait(SOON)
        self.assertEqual(
            self.heard,
            [(('balancer_workers', '2', 'updated'), to_json(worker_sight(2, mood='offline')))],
        )

    def test_who_listens_to_what_can_be_no_id_deafens_nobody(self):
        self.listen('balancer_requests', '9' * 5000, None)
        self.listen('balancer_requests', '9' * 20, None)
        self.listen('balancer_requests', '7', None)
        for number in range(1, KEPT + 2):
            self.news.request_changed(number)
        self.wait()
        self.assertIn('balancer_requests/7/updated', self.keys())
        self.assertEqual([one for one in self.sight.asked if one[0] == 'request'], [('request', 7)])

    def test_in_buildbots_style_too(self):
        self.listen('balancer', None, None, None)
        self.news.worker_changed(2)
        self.news.request_changed(7)
        self.news.builder_changed(1)
        self.news.lock_changed('host', 'esx2')
        self.wait()
        number = number_of('host', 'esx2')
        self.assertEqual(
            self.keys(),
            [
                'balancer/workers/2/updated',
                'balancer/requests/7/updated',
                'balancer/builders/1/updated',
                f'balancer/locks/{number}/updated',
            ],
        )
        self.assertEqual(self.heard[-1][1]['group'], 'esx2')

    def test_a_worker_may_be_named(self):
        self.listen('balancer_workers', None, None)
        self.news.worker_changed('ann')
        self.news.worker_changed(2)
        self.wait()
        self.assertEqual(self.keys(), ['balancer_workers/2/updated'])

    def test_a_lock_has_an_event_for_each_of_its_groups(self):
        self.listen('balancer_locks', None, None)
        self.news.lock_changed('host')
        self.wait()
        self.assertEqual({each['group'] for _, each in self.heard}, {'esx1', 'esx2'})

    def test_what_is_gone_is_told_as_all(self):
        self.listen('balancer_workers', None, None)
        self.listen('balancer_locks', None, None)
        self.news.worker_changed(9)
        self.news.worker_changed('nobody')
        self.news.lock_changed('none')
        self.wait()
        self.assertEqual(
            self.keys(), ['balancer_workers/all/updated', 'balancer_locks/all/updated']
        )
        self.assertEqual(self.heard[0][1], {})

    def test_once_a_second_however_often_it_changes(self):
        self.listen('balancer_workers', None, None)
        for _ in range(100):
            self.news.worker_changed(2)
            self.clock.advance(0.1)
        self.wait(2 * EVERY)
        self.assertGreaterEqual(len(self.heard), 10)
        self.assertLessEqual(len(self.heard), 12)

    def test_the_last_change_is_told(self):
        self.listen('balancer_workers', None, None)
        self.news.worker_changed(2)
        self.wait(SOON)
        self.news.worker_changed(2)
        self.sight.all_workers[1] = worker_sight(2, mood='offline')
        self.wait(SOON)
        self.assertEqual(len(self.heard), 1)
        self.wait(EVERY)
        self.assertEqual(self.heard[-1][1]['mood'], 'offline')

    def test_a_change_during_a_slow_look_is_told_afterwards(self):
        slow = defer.Deferred()

        async def request(number):
            await slow
            return request_sight(number)

        self.listen('balancer_requests', None, None)
        self.sight.request = request
        self.news.request_changed(1)
        self.wait()
        self.news.request_changed(2)
        self.wait(10 * EVERY)
        self.assertEqual(self.heard, [])
        slow.callback(None)
        self.assertEqual(self.keys(), ['balancer_requests/1/updated'])
        self.wait(SOON)
        self.assertEqual(self.keys()[1:], ['balancer_requests/2/updated'])


class Bounded(Case):
    def test_nobody_listens_and_nothing_is_looked_up(self):
        self.listen('workers', None, None)
        self.news.worker_changed(2)
        self.news.request_changed(7)
        for each in range(MOST + 1):
            self.news.lock_changed('branch', f'b{each}')
        self.wait()
        self.assertEqual(self.sight.asked, [])

    def test_only_what_somebody_listens_to_is_looked_up(self):
        self.listen('balancer_requests', '7', None)
        for number in (6, 7, 8):
            self.news.request_changed(number)
        self.wait()
        self.assertEqual(self.keys(), ['balancer_requests/7/updated'])
        self.assertEqual(self.sight.asked, [('request', 7)])

    def test_many_at_once_are_one_event(self):
        self.listen('balancer_requests', None, None)
        for number in range(1, MOST + 2):
            self.news.request_changed(number)
        self.wait()
        self.assertEqual(self.keys(), ['balancer_requests/all/updated'])
        self.assertEqual(self.sight.asked, [])

    def test_who_listens_to_one_of_many_hears_of_it(self):
        self.listen('balancer_requests', '7', None)
        self.listen('balancer_requests', None, None)
        for number in range(1, MOST + 2):
            self.news.request_changed(number)
        self.wait()
        self.assertEqual(self.sight.asked, [('request', 7)])
        self.assertEqual(
            self.keys(), ['balancer_requests/7/updated'] * 2 + ['balancer_requests/all/updated']
        )

    def test_who_listens_to_another_one_hears_nothing(self):
        self.listen('balancer_requests', '150', None)
        for number in range(1, MOST + 2):
            self.news.request_changed(number)
        self.wait()
        self.assertEqual(self.sight.asked, [])
        self.assertEqual(self.heard, [])

    def test_ten_thousand_a_second_are_as_cheap_as_a_few(self):
        self.listen('balancer_requests', '7', None)
        self.listen('balancer_requests', None, None)
        for number in range(10_000):
            self.news.request_changed(10_000 - number)
        self.assertEqual(len(self.news._changes['balancer_requests'].keys), KEPT)
        self.wait()
        self.assertEqual(self.sight.asked, [('request', 7)])
        self.assertEqual(len(self.heard), 3)

    def test_many_locks_at_once(self):
        locks = [lock_sight('branch', f'b{each}') for each in range(MOST + 1)]
        self.sight.all_locks = locks
        number = str(number_of('branch', 'b3'))
        self.listen('balancer_locks', number, None)
        self.listen('balancer', 'locks', None, None)
        for each in locks:
            self.news.lock_changed(each.name, each.group)
        self.wait()
        told = [f'balancer_locks/{number}/updated', f'balancer/locks/{number}/updated']
        self.assertEqual(self.keys(), [*told, 'balancer/locks/all/updated'])
        self.assertEqual(self.sight.asked, ['locks'])

    def test_a_lock_of_many_groups_too(self):
        self.sight.all_locks = [lock_sight('branch', f'b{each}') for each in range(MOST + 1)]
        self.listen('balancer_locks', None, None)
        self.news.lock_changed('branch')
        self.wait()
        self.assertEqual(self.keys(), ['balancer_locks/all/updated'])

    def test_where_nothing_changes_nothing_is_scheduled(self):
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.listen('balancer_workers', None, None)
        self.news.worker_changed(2)
        self.wait()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Trouble(Case):
    def test_a_look_that_fails_is_logged_once_and_stops_nothing(self):
        def worker(workerid):
            raise KeyError(workerid)

        self.sight.worker = worker
        self.listen('balancer_workers', None, None)
        self.listen('balancer_requests', None, None)
        for _ in range(3):
            self.news.worker_changed(2)
            self.news.request_changed(7)
            self.wait()
        self.assertEqual(self.keys(), ['balancer_requests/7/updated'] * 3)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_while_no_balancer_runs_nothing_is_told(self):
        self.listen('balancer_workers', None, None)
        self.services.clear()
        self.news.worker_changed(2)
        self.wait()
        self.services['balancer'] = self.facade
        self.news.worker_changed(1)
        self.wait()
        self.assertEqual(self.keys(), ['balancer_workers/1/updated'])

    def test_after_the_stop_nothing_is_told(self):
        self.listen('balancer_workers', None, None)
        self.news.worker_changed(2)
        self.news.stop()
        self.news.worker_changed(2)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.wait()
        self.assertEqual(self.heard, [])

    def test_not_even_by_a_look_that_goes_on(self):
        slow = defer.Deferred()

        async def request(number):
            return await slow

        self.listen('balancer_requests', None, None)
        self.sight.request = request
        self.news.request_changed(1)
        self.wait()
        self.news.request_changed(2)
        self.news.stop()
        slow.callback(request_sight(1))
        self.assertEqual(self.heard, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
