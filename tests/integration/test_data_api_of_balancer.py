# SPDX-License-Identifier: GPL-2.0-or-later
"""What the real Balancer shows and does over HTTP."""

from __future__ import annotations

from buildbot.plugins import util
from buildbot.util.twisted import async_to_deferred
from support.logs import LogLines
from support.sights import SightCase
from support.web import LOCAL
from support.web import Web

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.www.authz import UNGUARDED
from buildbot_balancer.www.resources import ALL

HOSTILE = '<img src=x onerror=alert(1)>\x1b[31m"\'&\u202e\u2713'
CLEANED = '<img src=x onerror=alert(1)>[31m"\'&\u2713'


class OfTheBalancer(SightCase):
    proto = 'null'

    @async_to_deferred
    async def setUp(self):
        super().setUp()
        self.lines = LogLines(self)
        await self.start(
            ('w1', 'w2'),
            builders={'b': ('w1',), 'a/b': ('w1', 'w2')},
            services=[util.Balancer()],
            www={'port': LOCAL},
        )
        self.web = Web(self.master)

    async def rows(self, path):
        answer = await self.web.get(f'balancer/{path}')
        self.assertEqual(answer.status, 200, answer)
        (name,) = set(answer.json) - {'meta'}
        rtype = {each.plural: each for each in ALL}[name]
        for row in answer.json[name]:
            self.assertEqual(list(rtype.entityType.validate(path, row)), [])
        return answer.json[name]

    async def eventually(self, path, **wanted):
        for _ in range(400):
            row = (await self.rows(path))[0]
            if {name: row[name] for name in wanted} == wanted:
                return
            await self.stays(lambda: True, 0.02)
        raise AssertionError(f'{row} is never {wanted}')

    @async_to_deferred
    async def test_a_master_without_rules_says_so_in_one_line(self):
        said = [line for line in self.lines.ours() if line.endswith(UNGUARDED)]
        self.assertEqual(len(said), 1, self.lines.ours())

    @async_to_deferred
    async def test_every_row_is_what_the_types_say(self):
        (running,) = await self.busy()
        waiting = [await self.request() for _ in range(3)]
        await self.eventually(f'requests/{waiting[0]}', state='waiting', position=1)
        (row,) = await self.rows(f'requests/{running}')
        self.assertEqual((row['state'], row['position']), ('running', None))
        (row,) = await self.rows('requests?limit=1&offset=1')
        self.assertEqual((row['buildrequestid'], row['buildername']), (waiting[1], 'b'))
        builderid = row['builderid']
        self.assertEqual(len(await self.rows(f'requests?builderid={builderid}&position__ge=1')), 3)
        (row,) = await self.rows('builders/a%2Fb')
        self.assertEqual((row['name'], row['paused']), ('a/b', False))
        self.assertEqual(await self.rows('builders/a%2Fb/requests'), [])
        names = [row['name'] for row in await self.rows('workers?order=-name')]
        self.assertEqual(names, ['w2', 'w1'])
        self.assertEqual([row['running'] for row in await self.rows('workers?order=name')], [1, 0])
        await self.rows('workers/w1/samples')
        self.assertEqual(await self.rows('locks'), [])
        self.assertEqual((await self.web.get('balancer/requests/99999')).status, 404)
        self.assertEqual((await self.web.get('balancer/workers/nobody/history')).status, 404)

    @async_to_deferred
    async def test_a_drain_holds_is_told_and_stands_in_the_history(self):
        heard = []
        await self.master.mq.startConsuming(
            lambda key, message: heard.append(message), ('balancer_workers', None, None)
        )
        answer = await self.web.call('balancer/workers/w1', 'drain', reason=HOSTILE, until='2h')
        self.assertEqual(answer.status, 200, answer)
        await self.eventually('workers/w1', mood='offline', reason=CLEANED)
        await self.until(lambda: any(message.get('mood') == 'offline' for message in heard))
        waiting = await self.request()
        await self.eventually(f'requests/{waiting}', state='waiting')
        events = []
        while {'drain', 'freed'} - {row['kind'] for row in events}:
            events = await self.rows('workers/w1/history?actor=anonymous')
        self.assertEqual({row['reason'] for row in events}, {CLEANED})
        answer = await self.web.call('balancer/workers/w1', 'set', mood='auto')
        self.assertEqual(answer.status, 200, answer)
        await self.started(1)

    @async_to_deferred
    async def test_a_pause_holds_and_is_shown(self):
        answer = await self.web.call('balancer/builders/b', 'pause', reason='no disk', until='2h')
        self.assertEqual(answer.status, 200, answer)
        (row,) = await self.rows('builders/b')
        self.assertEqual((row['paused'], row['reason'], row['by']), (True, 'no disk', 'anonymous'))
        waiting = await self.request()
        await self.eventually(f'requests/{waiting}', state='paused')
        self.assertEqual((await self.web.call('balancer/builders/b', 'resume')).status, 200)
        await self.started(1)

    @async_to_deferred
    async def test_what_its_owner_does_not_want_is_refused(self):
        self.say('w1', mood=Mood.OFFLINE, reason='mine')
        await self.until(lambda: self.mood('w1') == 'offline')
        answer = await self.web.call('balancer/workers/w1', 'set', mood='eager')
        self.assertEqual((answer.status, answer.json['error']['code']), (400, -32000))
        self.assertIn('cannot be overruled', answer.error)
