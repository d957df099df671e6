# SPDX-License-Identifier: GPL-2.0-or-later
"""What Prometheus is told by a real master."""

from __future__ import annotations

import socket
from typing import Any

from buildbot.util.twisted import async_to_deferred
from prometheus_client.parser import text_string_to_metric_families
from support.logs import LogLines
from support.masters import MasterCase
from twisted.internet import reactor
from twisted.web.client import Agent
from twisted.web.client import HTTPConnectionPool
from twisted.web.client import readBody

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.reporter.link import Link


def free_port() -> int:
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return int(one.getsockname()[1])


class OnAPage(MasterCase):
    proto = 'pb'

    async def begin(self, **more: Any) -> None:
        www = {'port': 'tcp:0:interface=127.0.0.1', 'plugins': {'balancer': {}}}
        await self.start(services=[Balancer(**more)], www=www)

    async def get(self, path: str, port: int | None = None) -> tuple[int, str]:
        where = port or self.master.www.getPortnum()
        pool = HTTPConnectionPool(reactor, persistent=False)
        agent = Agent(reactor, pool=pool)
        response = await agent.request(b'GET', f'http://127.0.0.1:{where}{path}'.encode())
        body = await readBody(response)
        return response.code, body.decode()

    async def values(self, port: int | None = None, path: str = '') -> dict[Any, float]:
        code, text = await self.get(path or '/plugins/balancer/metrics', port)
        self.assertEqual(code, 200, text)
        return {
            (sample.name.replace('buildbot_balancer_', ''), *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    @async_to_deferred
    async def test_moods_reasons_waits_and_reports_are_told(self) -> None:
        await self.begin()
        await self.request()
        await self.started(1)
        self.say('w1', mood=Mood.OFFLINE)
        self.say('w2', mood=Mood.OFFLINE)
        await self.until(lambda: self.mood('w1') == self.mood('w2') == 'offline')
        waiting = await self.request()
        await self.until(lambda: waiting in self.balancer.engine.decisions)
        found = await self.values()
        self.assertEqual(found['workers', 'offline'], 2)
        self.assertEqual(found['waiting_requests', 'offline'], 1)
        self.assertEqual(found['running_builds',], 1)
        self.assertEqual(found['wait_seconds_count',], 1)
        self.assertGreater(found['reports_total', 'taken'], 1)
        self.assertGreater(found['wakes_total', 'gone'], 1)
        self.assertLess(found['report_age_seconds', 'w1'], 60)
        self.assertGreater(found['decision_seconds_count',], 1)
        self.assertEqual(found['decisions_total', 'started'], 1)
        self.assertGreaterEqual(found['decisions_total', 'waits'], 1)
        self.let_all_go()

    @async_to_deferred
    async def test_switched_off_there_is_nothing_to_be_seen(self) -> None:
        await self.begin(metrics=None)
        code, text = await self.get('/plugins/balancer/metrics')
        self.assertEqual((code, 'no metrics here' in text), (404, True))

    @async_to_deferred
    async def test_with_a_port_of_their_own_they_are_only_there(self) -> None:
        port = free_port()
        await self.begin(metrics=f'tcp:{port}:interface=127.0.0.1')
        self.assertEqual((await self.get('/plugins/balancer/metrics'))[0], 404)
        self.assertEqual((await self.get('/', port))[0], 404)
        self.assertEqual((await self.values(port, '/metrics'))['workers', 'eager'], 2)

    @async_to_deferred
    async def test_a_port_that_is_taken_is_one_line_and_the_master_goes_on(self) -> None:
        lines = LogLines(self)
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            taken.listen()
            await self.begin(metrics=f'tcp:{taken.getsockname()[1]}:interface=127.0.0.1')
        about = [line for line in lines.ours() if 'cannot be served' in line]
        self.assertEqual(len(about), 1)
        await self.request()
        await self.started(1)
        self.let_all_go()

    @async_to_deferred
    async def test_a_key_that_is_gone_is_one_line_too(self) -> None:
        lines = LogLines(self)
        await self.begin()
        port = self.balancer._parts.port
        await port.listen('ssl:0:privateKey=/nowhere/key.pem:interface=127.0.0.1')
        self.assertEqual(len([line for line in lines.ours() if 'cannot be served' in line]), 1)

    @async_to_deferred
    async def test_refused_reports_are_counted_apart(self) -> None:
        await self.begin()
        link: Link = self.reporters['w1']._link
        await link.send('{').addErrback(lambda _: None)
        self.assertEqual((await self.values())['reports_total', 'refused'], 1)
