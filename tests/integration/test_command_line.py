# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line as a process of its own, against a real master's web server."""

from __future__ import annotations

import json
import os
import sys

import attrs
from buildbot.plugins import util
from buildbot.www import auth
from buildbot.www.authz.endpointmatchers import AnyControlEndpointMatcher
from buildbot.www.authz.endpointmatchers import AnyEndpointMatcher
from buildbot.www.authz.roles import RolesFromUsername
from support.facades import NOW
from support.facades import Facade
from support.facades import lock_sight
from support.facades import request_sight
from support.facades import worker_sight
from support.masters import MasterCase
from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.explain.event import Event
from buildbot_balancer.explain.sights import BuilderSight
from buildbot_balancer.explain.sights import to_json
from buildbot_balancer.www.resources import register


@attrs.frozen
class Done:
    output: str
    error: str
    code: int

    @property
    def json(self):
        return json.loads(self.output)


def only_admins(matcher):
    return util.Authz(
        allowRules=[matcher(role='admins')],
        roleMatchers=[RolesFromUsername(roles=['admins'], usernames=['ann'])],
    )


class Case(MasterCase):
    async def start_site(self, *args, www=None, **more):
        site = {'port': 'tcp:0:interface=127.0.0.1', 'plugins': {}, **(www or {})}
        await self.start(*args, www=site, **more)
        self.url = f'http://127.0.0.1:{self.master.www.getPortnum()}/'

    async def run_it(self, *args, **env):
        given = {f'BUILDBOT_BALANCER_{name.upper()}': value for name, value in env.items()}
        kept = {k: v for k, v in os.environ.items() if not k.startswith('BUILDBOT_BALANCER_')}
        output, error, code = await getProcessOutputAndValue(
            sys.executable,
            ['-m', 'buildbot_balancer', *map(str, args), '--url', self.url],
            env={
                **kept,
                'NO_PROXY': '127.0.0.1',
                'PYTHONPATH': os.pathsep.join(filter(None, sys.path)),
                **given,
            },
            reactor=reactor,
        )
        return Done(output.decode(), error.decode(), code)

    async def run_ok(self, *args, **env):
        done = await self.run_it(*args, **env)
        self.assertEqual((done.code, done.error), (0, ''), done)
        return done

    async def refused(self, code, *args, **env):
        done = await self.run_it(*args, **env)
        self.assertEqual((done.code, done.output), (code, ''), done)
        self.assertTrue(done.error.startswith('Error: '), done.error)
        self.assertEqual(done.error.count('\n'), 1, done.error)
        return done.error


class StockMaster(Case):
    """No Balancer: what can be told of the master all the same, and of its logins."""

    async def start_stock(self, **www):
        await self.start_site(connect=False, www=www)

    async def test_a_buildbot_without_a_balancer_is_said(self):
        await self.start_stock()
        self.assertIn('Balancer', await self.refused(2, 'workers'))
        self.url += 'plugins/'
        self.assertIn('does not answer as a Buildbot does', await self.refused(2, 'workers'))

    async def test_users_and_passwords_of_buildbots_own(self):
        await self.start_stock(
            auth=auth.UserPasswordAuth({'ann': 'right', 'bob': 'b'}),
            authz=only_admins(AnyEndpointMatcher),
        )
        self.assertIn("role 'admins'", await self.refused(4, 'workers'))
        wrong = await self.refused(4, 'workers', user='ann', password='wrong')
        self.assertIn('wrong user or password', wrong)
        self.assertIn("role 'admins'", await self.refused(4, 'workers', user='bob', password='b'))
        self.assertIn('Balancer', await self.refused(2, 'workers', user='ann', password='right'))

    async def test_a_cookie_of_a_browser(self):
        await self.start_stock(
            auth=auth.UserPasswordAuth({'ann': 'right'}), authz=only_admins(AnyEndpointMatcher)
        )
        session = self.master.www.site.makeSession()
        session.user_info = {'username': 'ann'}
        self.assertIn('Balancer', await self.refused(2, 'workers', cookie=session.uid))
        old = await self.refused(4, 'workers', cookie=f'TWISTED_SESSION={session.uid}x')
        self.assertIn('is over', old)

    async def test_a_token_that_a_proxy_knows(self):
        # the header that a proxy would make of the token is the token's own here
        await self.start_stock(
            auth=auth.RemoteUserAuth(
                header='Authorization', headerRegex=r'Bearer (?P<username>\w+)-token'
            ),
            authz=only_admins(AnyEndpointMatcher),
        )
        self.assertIn('Balancer', await self.refused(2, 'workers', token='ann-token'))
        self.assertIn("role 'admins'", await self.refused(4, 'workers', token='bob-token'))


class RealApi(Case):
    """The data API as it is, over what a test says there is."""

    async def start_api(self, **www):
        await self.start_site(connect=False, www=www)
        self.facade = Facade()
        self.master.service_manager.namedServices['balancer'] = self.facade
        self.addCleanup(self.master.service_manager.namedServices.pop, 'balancer')
        register(self.master)
        self.facade.sight.all_workers = [worker_sight(1), worker_sight(2, name='a/b \u00fc\x1b')]
        self.facade.sight.all_builders = [
            BuilderSight(builderid=1, name='b1'),
            BuilderSight(builderid=2, name='w x/y'),
        ]
        self.facade.sight.all_locks = [lock_sight('ab/c', 'g'), lock_sight('other')]
        self.facade.sight.all_requests = [request_sight(n) for n in range(1, 6)]
        self.facade.history.events = [
            Event(kind='mood', at=NOW, worker='gone', mood='offline', eventid=2),
            Event(kind='held', at=NOW, lock='ab/c', group='g', duration=9.0, eventid=1),
        ]

    async def test_each_command_reads_what_is_there(self):
        await self.start_api()
        workers = (await self.run_ok('workers', '--json')).json
        self.assertEqual(workers, [to_json(one) for one in self.facade.sight.all_workers])
        self.assertNotIn('\x1b', (await self.run_ok('workers')).output)
        locks = (await self.run_ok('why', '--lock', 'ab/c', '--json')).json
        self.assertEqual(locks, [to_json(self.facade.sight.all_locks[0])])
        self.assertIn('win #41', (await self.run_ok('locks')).output)
        found = (await self.run_ok('why', 'w x/y', '--json')).json
        self.assertEqual([one['buildrequestid'] for one in found], [1, 3, 5])
        self.assertEqual((await self.run_ok('why', 3, '--json')).json, found[1])
        self.assertIn('5 requests wait for 2 builders', (await self.run_ok('why')).output)

    async def test_the_history_is_asked_for_by_name(self):
        await self.start_api()
        for args, events in (
            ((), [2, 1]),
            (('--limit', 1), [2]),
            (('--worker', 'gone'), [2]),
            (('--worker', 'w1'), []),
            (('--lock', 'ab/c'), [1]),
            (('--lock', 'ab/c[g]'), [1]),
            (('--request', 3), []),
        ):
            done = await self.run_ok('history', '--json', *args)
            self.assertEqual([event['eventid'] for event in done.json], events, args)
        self.facade.history.problem = 'its tables may not be made'
        self.assertIn('its tables may not be made', await self.refused(2, 'history'))

    async def test_what_is_not_there_is_said(self):
        await self.start_api()
        self.assertIn('"w1"', await self.refused(3, 'why', '--worker', 'w11'))
        self.assertIn('no request 4711', await self.refused(3, 'why', 4711))
        self.assertIn('no request', await self.refused(3, 'why', 10**30))
        self.master.service_manager.namedServices['balancer'] = None
        self.assertIn('no Balancer runs', await self.refused(2, 'why', 3))

    async def test_each_control_does_what_it_says(self):
        await self.start_api()
        await self.run_ok('worker', 'set', 'w1', 'offline', '--reason', 'x')
        await self.run_ok('worker', 'drain', 'a/b \u00fc\x1b', '--until', '2h')
        await self.run_ok('worker', 'resume', 'w1')
        self.assertIn('3 events', (await self.run_ok('worker', 'forget', 'w1')).output)
        await self.run_ok('pause', 'w x/y', '--reason', 'y')
        await self.run_ok('unpause', 'w x/y')
        done = self.facade.control.done
        self.assertEqual(done[0], ('set', 1, 'offline', 'x', None, 'anonymous'))
        self.assertEqual((done[1][:3], done[1][4]), (('drain', 2, None), 'anonymous'))
        self.assertGreater(done[1][3], self.master.reactor.seconds())
        self.assertEqual(done[2:4], [('resume', 1, 'anonymous'), ('forget', 1, 'anonymous')])
        self.assertEqual(done[4], ('pause', 2, 'y', None, 'anonymous'))
        self.assertEqual(done[5], ('resume builder', 2, 'anonymous'))

    async def test_a_no_and_a_missing_right_are_said_and_the_user_is_known(self):
        await self.start_api(
            auth=auth.UserPasswordAuth({'ann': 'right', 'bob': 'b'}),
            authz=only_admins(AnyControlEndpointMatcher),
        )
        await self.run_ok('workers')
        self.assertIn("role 'admins'", await self.refused(4, 'pause', 'b1'))
        bob = {'user': 'bob', 'password': 'b'}
        self.assertIn("role 'admins'", await self.refused(4, 'pause', 'b1', **bob))
        ann = {'user': 'ann', 'password': 'right'}
        await self.run_ok('pause', 'b1', **ann)
        self.assertEqual(self.facade.control.done, [('pause', 1, None, None, 'ann')])
        self.facade.control.refusal = 'its owner said no'
        said = await self.refused(4, 'worker', 'set', 'w1', 'eager', **ann)
        self.assertEqual(said, 'Error: its owner said no\n')


class Master(Case):
    async def start_balanced(self, *args, **more):
        await self.start_site(*args, services=[util.Balancer(recheck=1)], **more)

    async def test_an_owners_mood_is_shown_with_its_reason(self):
        await self.start_balanced()
        self.say('w1', mood=Mood.RELUCTANT, reason='using it')
        await self.until(lambda: self.mood('w1') == 'reluctant')
        one, two = (await self.run_ok('workers', '--json')).json
        self.assertEqual((one['name'], one['mood'], one['reason']), ('w1', 'reluctant', 'using it'))
        self.assertEqual((two['name'], two['mood'], two['running']), ('w2', 'eager', 0))
        self.assertIn('using it', (await self.run_ok('why', '--worker', 'w1')).output)
        self.assertIn('using it', (await self.run_ok('workers')).output)

    async def test_a_request_that_waits_says_why_and_one_that_runs_does_not_wait(self):
        await self.start_balanced(('w1',))
        first = await self.request()
        await self.started(1)
        self.say('w1', mood=Mood.OFFLINE, reason='moving house')
        await self.until(lambda: self.mood('w1') == 'offline')
        second = await self.request()
        done = await self.run_ok('why', second)
        self.assertIn(f'request {second} of b: ', done.output)
        self.assertIn('w1', done.output)
        self.assertEqual((await self.run_it('why', '--exit-code', second)).code, 5)
        self.assertEqual((await self.run_it('why', '--exit-code', first)).code, 0)
        self.assertIn('1 request waits for 1 builder', (await self.run_ok('why')).output)
        self.assertIn('b: 1 request waits', (await self.run_ok('why', 'b')).output)
        self.let_all_go()

    async def test_unknown_names_get_the_nearest_one(self):
        await self.start_balanced(('anna',))
        self.assertIn('"anna"', await self.refused(3, 'why', '--worker', 'ana'))
        self.assertIn('no builder "bb"', await self.refused(3, 'why', 'bb'))
        self.assertIn('no request 4711', await self.refused(3, 'why', '4711'))
        self.assertIn('no lock "x"', await self.refused(3, 'why', '--lock', 'x'))

    async def test_a_lock_names_its_holder_and_who_waits(self):
        lock = util.MasterLock('ab/c')
        await self.start_balanced(('w1', 'w2'), builder={'locks': [lock.access('exclusive')]})
        await self.request()
        await self.started(1)
        waits = await self.request()
        shown = (await self.run_ok('locks', '--json')).json
        self.assertIn('ab/c', [item['name'] for item in shown])
        self.assertIn('b #1', (await self.run_ok('why', '--lock', 'ab/c')).output)
        self.assertIn('ab/c', (await self.run_ok('why', waits)).output)
        self.let_all_go()
        await self.started(1)
        self.let_all_go()

    async def test_a_paused_builder_starts_nothing_until_it_is_unpaused(self):
        await self.start_balanced()
        await self.run_ok('pause', 'b', '--reason', 'release', '--until', '2h')
        number = await self.request()
        done = await self.run_ok('why', number, '--json')
        self.assertEqual(done.json['state'], 'paused')
        self.assertIn('release', done.json['reason'])
        self.assertIn('release', (await self.run_ok('why', 'b')).output)
        await self.run_ok('unpause', 'b')
        await self.started(1)
        self.let_all_go()

    async def test_an_admin_drains_and_resumes_a_worker_and_it_is_in_the_history(self):
        await self.start_balanced(('w1',))
        await self.run_ok('worker', 'drain', 'w1', '--reason', 'new disk')
        await self.until(lambda: self.mood('w1') != 'eager')
        await self.run_ok('worker', 'resume', 'w1')
        await self.until(lambda: self.mood('w1') == 'eager')
        kinds: set[str] = set()
        for _ in range(20):  # what has happened is written down once a second
            events = (await self.run_ok('history', '--worker', 'w1', '--json')).json
            kinds = {event['kind'] for event in events}
            if {'drain', 'resume'} <= kinds:
                break
        self.assertLessEqual({'drain', 'resume'}, kinds)
        self.assertIn('new disk', (await self.run_ok('history', '--worker', 'w1')).output)

    async def test_an_owners_no_cannot_be_overruled(self):
        await self.start_balanced(('w1',))
        self.say('w1', mood=Mood.OFFLINE, reason='mine')
        await self.until(lambda: self.mood('w1') == 'offline')
        await self.refused(4, 'worker', 'set', 'w1', 'eager')
        self.assertEqual(self.mood('w1'), 'offline')

    async def test_only_who_may_can_control_and_all_may_look(self):
        await self.start_balanced(
            www={
                'auth': auth.UserPasswordAuth({'ann': 'right', 'bob': 'b'}),
                'authz': only_admins(AnyControlEndpointMatcher),
            }
        )
        await self.run_ok('workers')
        for login in ({}, {'user': 'bob', 'password': 'b'}):
            self.assertIn("role 'admins'", await self.refused(4, 'pause', 'b', **login))
        await self.run_ok('pause', 'b', user='ann', password='right')
        builders = await self.run_ok('history', '--json')
        self.assertIn('ann', [event['actor'] for event in builders.json])
