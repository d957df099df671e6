# SPDX-License-Identifier: GPL-2.0-or-later
"""The data API over HTTP, on a real master that shows what it is given."""

from __future__ import annotations

from urllib.parse import quote

from buildbot.plugins import util
from buildbot.util.service import BuildbotService
from buildbot.util.twisted import async_to_deferred
from parameterized import parameterized
from support.facades import FakeControl
from support.facades import FakeHistory
from support.facades import FakeSight
from support.facades import lock_sight
from support.facades import request_sight
from support.facades import worker_sight
from support.masters import MasterCase
from support.web import LOCAL
from support.web import Web

from buildbot_balancer.explain.event import Event
from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.www.authz import BalancerControlEndpointMatcher
from buildbot_balancer.www.news import News
from buildbot_balancer.www.resources import register

HOSTILE = '<img src=x onerror=alert(1)>\x1b[31m"\'&\u202e\u2713'
LOCK = 'a/b.c \u2713'
PASSWORDS = {'ann': 'a', 'bob': 'b'}


class Shown(BuildbotService):
    """Stands in the place of the Balancer, and shows what it is given."""

    name = 'balancer'

    def reconfigService(self, *args, **kwargs):
        register(self.master)
        self.sight = FakeSight()
        self.history = FakeHistory()
        self.control = FakeControl()
        self.sight.all_workers = [
            worker_sight(1, name='ada', mood='offline', load=0.5),
            worker_sight(2, name='bob', mood='eager', load=None),
            worker_sight(3, name='cyd', mood='offline', load=1.5, reason=HOSTILE),
        ]
        self.sight.all_requests = [request_sight(number) for number in range(1, 201)]
        self.sight.all_builders = [BuilderSight(builderid=1, name='b')]
        self.sight.all_locks = [lock_sight(LOCK, 'x'), lock_sight(LOCK, 'y')]
        self.history.events = [Event(eventid=1, kind='set', at=1.5, worker='ada', actor='ann')]
        return super().reconfigService(*args, **kwargs)


class Case(MasterCase):
    proto = 'null'

    async def serve(self, services=(), **www):
        await self.start(
            ('w1',),
            connect=False,
            services=list(services) or [Shown()],
            www={'port': LOCAL, **www},
        )
        self.web = Web(self.master)

    @property
    def shown(self):
        return self.balancer

    async def reconfigure(self, config):
        self.master.config_loader.config_dict = config
        await self.master.reconfig()

    async def rows(self, path):
        answer = await self.web.get(f'balancer/{path}')
        self.assertEqual(answer.status, 200, answer)
        (name,) = set(answer.json) - {'meta'}
        return answer.json[name]


class Reading(Case):
    @async_to_deferred
    async def setUp(self):
        super().setUp()
        await self.serve()

    @async_to_deferred
    async def test_a_collection_has_buildbots_form(self):
        answer = await self.web.get(
            'balancer/workers?mood=offline&order=-load&limit=1&offset=1&field=name&field=mood'
            '&field=load'
        )
        self.assertEqual(answer.status, 200)
        self.assertEqual(
            answer.json,
            {
                'balancer_workers': [{'name': 'ada', 'mood': 'offline', 'load': 0.5}],
                'meta': {'total': 2},
            },
        )

    @async_to_deferred
    async def test_unknown_loads_stand_in_no_filters_way(self):
        self.assertEqual([row['name'] for row in await self.rows('workers?load__lt=1')], ['ada'])

    @async_to_deferred
    async def test_every_collection_answers(self):
        for path, name in {
            'workers/1/samples': 'balancer_samples',
            'builders': 'balancer_builders',
            'builders/b/requests?limit=1': 'balancer_requests',
            'locks?order=-held&group=x': 'balancer_locks',
            'history?kind=set&order=-at': 'balancer_events',
            'workers/ada/history': 'balancer_events',
        }.items():
            answer = await self.web.get(f'balancer/{path}')
            self.assertEqual(answer.status, 200, answer)
            self.assertIn(name, answer.json)
            self.assertIn('total', answer.json['meta'])

    @async_to_deferred
    async def test_a_page_of_requests_is_one_page(self):
        answer = await self.web.get('balancer/requests?limit=50&offset=50&field=buildrequestid')
        ids = [row['buildrequestid'] for row in answer.json['balancer_requests']]
        self.assertEqual(ids, list(range(51, 101)))
        self.assertEqual(answer.json['meta'], {'total': 200})
        self.assertEqual(self.shown.sight.asked, [('requests', 50, 50, None)])

    @async_to_deferred
    async def test_one_thing_is_a_list_of_one(self):
        (row,) = await self.rows('requests/7')
        self.assertEqual(row['verdicts'], [{'code': 'busy', 'count': 2, 'names': ['w1', 'w2']}])
        self.assertIsInstance(row['submitted_at'], float)

    @async_to_deferred
    async def test_a_lock_of_any_name_can_be_asked_for(self):
        name = quote(LOCK, safe='')
        rows = await self.rows(f'locks/{name}?group=y')
        self.assertEqual([row['group'] for row in rows], ['y'])

    @async_to_deferred
    async def test_hostile_text_arrives_as_it_is_and_never_as_a_page(self):
        for accept in ('application/json', 'text/html', '*/*'):
            answer = await self.web.get('balancer/workers/3', accept=accept)
            self.assertEqual(answer.json['balancer_workers'][0]['reason'], HOSTILE)
            kind = answer.content_type.split(';')[0]
            self.assertIn(kind, {'application/json', 'text/plain'})

    @parameterized.expand(
        [
            ('workers/99', 'there is no worker 99'),
            ('workers/<b>', 'there is no worker <b>'),
            ('requests/99999999999', 'there is no build request 99999999999'),
            ('locks/%1b[31m%3Ci%3E%2F', 'there is no lock [31m<i>/'),
            ('builders/99/requests', 'there is no builder 99'),
            ('workers/99/history', 'there is no worker 99'),
        ]
    )
    @async_to_deferred
    async def test_what_there_is_not_is_a_404_with_a_sentence(self, path, sentence):
        answer = await self.web.get(f'balancer/{quote(path, safe="/%")}')
        self.assertEqual((answer.status, answer.error), (404, sentence))
        self.assertTrue(answer.content_type.startswith('text/plain'))

    @parameterized.expand(
        [
            ('workers?limit=-1', '"limit" must not be negative'),
            ('workers?order=nope', "no such field 'nope'"),
            ('workers?load=nan', 'invalid filter value for load'),
            ('workers?mood=offline&field=name', 'cannot filter on un-selected fields'),
            ('locks?order=holders', 'the field "holders" has no order'),
            ('locks?holders=x', 'invalid filter value for holders'),
        ]
    )
    @async_to_deferred
    async def test_a_query_that_makes_no_sense_is_a_400_with_a_sentence(self, path, sentence):
        answer = await self.web.get(f'balancer/{path}')
        self.assertEqual((answer.status, answer.error), (400, sentence))

    @async_to_deferred
    async def test_the_spec_of_the_api_lists_ours(self):
        answer = await self.web.get('application.spec')
        paths = {each['path']: each['type_spec'] for each in answer.json['specs']}
        self.assertIn('workers/n:workerid', paths)
        fields = {each['name']: each for each in paths['balancer/requests']['fields']}
        self.assertEqual(fields['submitted_at']['type'], 'number')
        self.assertEqual(fields['verdicts']['type_spec']['of']['type'], 'balancer_count')

    @async_to_deferred
    async def test_when_the_balancer_leaves_the_config_each_path_says_so_until_it_is_back(self):
        await self.reconfigure({**self.config, 'services': []})
        answer = await self.web.get('balancer/requests/1')
        self.assertEqual(answer.status, 404)
        self.assertIn('no Balancer runs on this master', answer.error)
        answer = await self.web.call('balancer/workers/1', 'drain')
        self.assertEqual(answer.status, 404)
        await self.reconfigure({**self.config, 'services': [Shown()]})
        self.assertEqual(len(await self.rows('workers')), 3)

    @async_to_deferred
    async def test_events_are_told_to_who_listens(self):
        heard = []
        for pattern in (('balancer_workers', None, None), ('balancer', 'workers', '2', None)):
            await self.master.mq.startConsuming(lambda *told: heard.append(told), pattern)
        news = News(self.master, self.master.reactor)
        self.addCleanup(news.stop)
        news.worker_changed(2)
        news.request_changed(7)
        await self.until(lambda: len(heard) >= 2)
        keys = {'/'.join(key): message['name'] for key, message in heard}
        self.assertEqual(
            keys,
            {'balancer_workers/2/updated': 'bob', 'balancer/workers/2/updated': 'bob'},
        )
        self.assertEqual(self.shown.sight.asked, [('worker', 2)])


class Controlling(Case):
    @async_to_deferred
    async def setUp(self):
        super().setUp()
        await self.serve()

    @async_to_deferred
    async def test_without_rules_everybody_may(self):
        answer = await self.web.call('balancer/workers/3', 'set', mood='reluctant', reason=HOSTILE)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json, {'id': 1, 'jsonrpc': '2.0', 'result': None})
        reason = '<img src=x onerror=alert(1)>[31m"\'&\u2713'
        self.assertEqual(
            self.shown.control.done, [('set', 3, 'reluctant', reason, None, 'anonymous')]
        )

    @async_to_deferred
    async def test_who_one_is_cannot_be_made_up(self):
        await self.web.call('balancer/builders/1', 'pause', owner='root')
        self.assertEqual(self.shown.control.done, [('pause', 1, None, None, 'anonymous')])

    @async_to_deferred
    async def test_a_result_is_passed_on(self):
        answer = await self.web.call('balancer/workers/ada', 'forget')
        self.assertEqual(answer.json['result'], {'forgotten': 3})

    @parameterized.expand(
        [
            ('workers/1', 'set', {}, 400, -32602, '"mood" is missing'),
            ('workers/1', 'drain', {'mood': 'x'}, 400, -32602, 'it takes reason, until'),
            ('workers/1', 'drain', {'until': 'x'}, 400, -32602, '"x" is no time'),
            ('workers/1', 'explode', {}, 501, -32601, '"explode" is no action here'),
            ('workers/99', 'drain', {}, 404, -32600, 'there is no worker 99'),
            ('builders/b', 'drain', {}, 501, -32601, '"drain" is no action here'),
            ('requests/1', 'drain', {}, 501, -32601, 'not supported'),
        ]
    )
    @async_to_deferred
    async def test_what_is_wrong_is_one_sentence(self, path, action, params, status, code, part):
        answer = await self.web.call(f'balancer/{path}', action, **params)
        self.assertEqual((answer.status, answer.json['error']['code']), (status, code))
        self.assertIn(part, answer.error)
        self.assertEqual(self.shown.control.done, [])

    @async_to_deferred
    async def test_numbers_that_json_does_not_have_do_nothing(self):
        for until in ('NaN', 'Infinity', '-Infinity', '1e999'):
            params = f'{{"until": {until}}}'
            answer = await self.web.post(
                'balancer/workers/1',
                f'{{"jsonrpc": "2.0", "id": 1, "method": "drain", "params": {params}}}',
            )
            self.assertEqual(answer.status, 400, answer)
        self.assertEqual(self.shown.control.done, [])

    @async_to_deferred
    async def test_what_the_owner_does_not_want_is_refused_with_a_sentence(self):
        self.shown.control.refusal = 'cyd is offline by the word of its owner'
        answer = await self.web.call('balancer/workers/3', 'set', mood='eager')
        self.assertEqual((answer.status, answer.json['error']['code']), (400, -32000))
        self.assertEqual(answer.error, 'cyd is offline by the word of its owner')


class Guarded(Case):
    """With Buildbot's own logins and rules."""

    @async_to_deferred
    async def setUp(self):
        super().setUp()
        await self.serve(
            auth=util.UserPasswordAuth(PASSWORDS),
            authz=util.Authz(
                allowRules=[
                    BalancerControlEndpointMatcher(role='bobs', worker='b*', defaultDeny=False),
                    util.AnyControlEndpointMatcher(role='admins'),
                ],
                roleMatchers=[
                    util.RolesFromUsername(roles=['admins'], usernames=['ann']),
                    util.RolesFromUsername(roles=['bobs'], usernames=['bob']),
                ],
            ),
        )

    @async_to_deferred
    async def test_who_has_not_the_role_may_read_only(self):
        answer = await self.web.call('balancer/workers/2', 'drain')
        self.assertEqual(answer.status, 403)
        self.assertIn('you need to have role', answer.error)
        self.assertEqual(self.shown.control.done, [])
        self.assertEqual(len(await self.rows('workers')), 3)

    @async_to_deferred
    async def test_who_has_it_is_named(self):
        await self.web.login('ann', 'a')
        answer = await self.web.call('balancer/workers/1', 'drain', reason='x', owner='bob')
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.shown.control.done, [('drain', 1, 'x', None, 'ann')])

    @async_to_deferred
    async def test_a_rule_for_one_worker_is_for_that_worker(self):
        await self.web.login('bob', 'b')
        self.assertEqual((await self.web.call('balancer/workers/2', 'drain')).status, 200)
        self.assertEqual((await self.web.call('balancer/workers/1', 'drain')).status, 403)
        self.assertEqual((await self.web.call('balancer/builders/1', 'pause')).status, 403)
        self.assertEqual((await self.web.call('workers/1', 'kill')).status, 403)
        self.assertEqual(self.shown.control.done, [('drain', 2, None, None, 'bob')])
