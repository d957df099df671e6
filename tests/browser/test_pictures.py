# SPDX-License-Identifier: GPL-2.0-or-later
"""A shop on an ordinary afternoon: each view of it is shown without an error.

Where BALANCER_SCREENSHOTS is set, the pictures of the docs are taken of it.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from playwright.sync_api import Page
from playwright.sync_api import expect
from support import shop
from support.browser import PHONE
from support.browser import picture
from support.views import ViewCase

from buildbot_balancer.explain.sights import Count
from buildbot_balancer.explain.sights import Sample
from buildbot_balancer.explain.sights import ShareSight

SIZE = {'width': 1100, 'height': 620}
ANNAS = 'using it'


def afternoon() -> float:
    """Two past three, by the browser's clock too: the pictures are always of the same hour."""
    now = datetime.now().astimezone()
    return now.replace(hour=15, minute=2, second=0, microsecond=0).timestamp()


class Pictures(ViewCase):
    def setUp(self) -> None:
        super().setUp()
        self.now = afternoon()
        self.shop.shelves = {
            'workers': self.workers(),
            'requests': self.requests(),
            'locks': self.locks(),
            'builders': self.builders(),
            'history': self.history(),
        }
        self.shop.samples = self.samples

    def at(self, hour: int, minute: int = 0) -> float:
        day = datetime.fromtimestamp(self.now).astimezone()
        return day.replace(hour=hour, minute=minute).timestamp()

    def workers(self) -> list[Any]:
        heard = {'reported_at': self.now}
        said = (
            {
                'name': 'anna-laptop',
                'mood': 'reluctant',
                'reason': ANNAS,
                'source': 'owner',
                'until': self.at(18),
                'load': 1.32,
                'running': 0,
                'summary': 'takes a build only if nobody else can',
            },
            {'name': 'build-01', 'load': 0.72, 'running': 2, 'summary': 'runs 2 of 2 builds'},
            {'name': 'build-02', 'load': 0.64, 'running': 2, 'summary': 'runs 2 of 2 builds'},
            {
                'name': 'esx1-msvc10',
                'load': 0.41,
                'running': 1,
                'summary': 'runs win #41, which holds the lock host[esx1]',
            },
            {
                'name': 'esx1-msvc11',
                'mood': 'going-on-holiday',
                'source': 'drain',
                'reason': 'new disk',
                'load': 0.38,
                'running': 1,
                'summary': 'finishes win #42, and takes nothing new',
            },
            {
                'name': 'mac-mini',
                'load': None,
                'running': 0,
                'fresh': False,
                'reported_at': self.now - 240,
                'summary': 'has been silent for 4 min',
            },
        )
        return [shop.worker(n, **{**heard, **one}) for n, one in enumerate(said, 1)]

    def samples(self, workerid: int) -> list[Sample]:
        busy = {1: 0.2, 2: 1.0, 3: 0.9, 4: 0.6, 5: 0.6, 6: 0.1}[workerid]
        found = []
        for minute in range(60):
            wave = 0.5 + 0.5 * math.sin(minute / 8 + workerid * 2)
            noise = 0.06 * math.sin(minute * 1.7) * math.sin(minute * 0.6)
            running = round(2 * busy * wave)
            load = max(0.02, busy * wave * 0.8 + noise + (0.7 * wave if workerid == 1 else 0))
            found.append(Sample(at=self.now - 60 * (59 - minute), load=load, running=running))
        return found[:-4] if workerid == 6 else found

    def requests(self) -> list[Any]:
        why = (
            '0 of 6 workers: 2 busy, 1 reluctant (anna-laptop: "using it", until 18:00), 1 on'
            ' holiday, 1 silent for 4 min; and lock host[esx1] 2 of 2 held by win #41, win #42'
        )
        verdicts = (
            Count(code='busy', count=2, names=('build-01', 'build-02')),
            Count(code='lock', count=1, names=('host[esx1]',)),
            Count(code='reluctant', count=1, names=('anna-laptop',)),
            Count(code='going-on-holiday', count=1, names=('esx1-msvc11',)),
            Count(code='disconnected', count=1, names=('mac-mini',)),
        )
        rows = (
            (1, 'win', 'waiting', 10, why, verdicts),
            (2, 'linux', 'waiting', 0, '0 of 2 workers: 2 busy', verdicts[:1]),
            (1, 'win', 'queued', 0, 'stands behind request 41 of win', ()),
            (3, 'docs', 'paused', 0, 'the builder is paused by ann until 17:00: "new Sphinx"', ()),
            (
                4,
                'gpu',
                'stuck',
                0,
                '0 of 6 workers: none has what it requires: gpu',
                (Count(code='incapable', count=6, names=('build-01', 'build-02', 'mac-mini')),),
            ),
        )
        return [
            shop.request(
                41 + n,
                position=n + 1,
                builderid=builderid,
                buildername=name,
                state=state,
                priority=priority,
                reason=reason,
                verdicts=found,
                submitted_at=self.now - 1500 + 260 * n,
            )
            for n, (builderid, name, state, priority, reason, found) in enumerate(rows)
        ]

    def locks(self) -> list[Any]:
        def holder(number: int, worker: str, minutes: int) -> ShareSight:
            return ShareSight(
                what=f'win #{number}',
                mode='counting',
                count=1,
                since=self.now - 60 * minutes,
                builderid=1,
                number=number,
                worker=worker,
            )

        def waiter(number: int, minutes: int) -> ShareSight:
            return ShareSight(
                what=f'request {number} of win',
                mode='counting',
                count=1,
                since=self.now - 60 * minutes,
                buildrequestid=number,
            )

        return [
            shop.lock(
                'host',
                group='esx1',
                max=2,
                held=2,
                holders=(holder(41, 'esx1-msvc10', 21), holder(42, 'esx1-msvc11', 8)),
                waiters=(waiter(41, 25), waiter(43, 16)),
            ),
            shop.lock('host', group='esx2', max=4),
            shop.lock('jtag', holders=(holder(44, 'build-01', 3),), held=1),
            shop.lock('version', group='main'),
        ]

    def builders(self) -> list[Any]:
        return [
            shop.builder(
                3,
                name='docs',
                paused=True,
                reason='new Sphinx',
                by='ann',
                until=self.at(17),
                paused_at=self.now - 3000,
                waiting=1,
            ),
            shop.builder(4, name='gpu', waiting=1),
            shop.builder(2, name='linux', waiting=1),
            shop.builder(1, name='win', waiting=2),
        ]

    def history(self) -> list[Any]:
        return [
            shop.event(
                5,
                kind='drain',
                at=self.at(14, 48),
                worker='esx1-msvc11',
                mood='going-on-holiday',
                reason='new disk',
                actor='ben',
            ),
            shop.event(
                4,
                kind='waited',
                at=self.at(14, 41),
                builder='win',
                lock='host',
                group='esx1',
                request=40,
                duration=1260.0,
            ),
            shop.event(
                3,
                at=self.at(14, 5),
                worker='anna-laptop',
                mood='reluctant',
                reason=ANNAS,
                source='owner',
                until=self.at(18),
            ),
            shop.event(
                2,
                kind='pause',
                at=self.at(13, 55),
                builder='docs',
                reason='new Sphinx',
                until=self.at(17),
                actor='ann',
            ),
            shop.event(1, kind='resume', at=self.at(9, 2), worker='mac-mini', actor='ann'),
        ]

    def take(self, name: str, view: str, size: Any = SIZE, scheme: str = 'light') -> Page:
        page = self.open_page(size, scheme)
        page.add_init_script("localStorage.setItem('sidebarPinned', 'false')")  # more room
        page.clock.set_fixed_time(self.now)
        self.shop.serve(page)
        self.go(view, page)
        expect(page.locator('.balancer :is(table, article)').first).to_be_visible()
        if view == '/workers':
            expect(page.locator('.balancer-spark [role=img]').first).to_be_visible()
        picture(page, name)
        self.assertEqual(self.problems, [])
        return page

    def test_workers(self) -> None:
        page = self.take('workers', '/workers')
        expect(self.row('anna-laptop', page)).to_contain_text(ANNAS)

    def test_workers_in_the_dark(self) -> None:
        self.take('workers-dark', '/workers', scheme='dark')

    def test_requests(self) -> None:
        self.take('requests', '/requests')

    def test_a_request(self) -> None:
        self.take('request', '/requests/41', {**SIZE, 'height': 720})

    def test_a_request_on_a_phone(self) -> None:
        self.take('request-phone', '/requests/41', PHONE, 'dark')

    def test_locks(self) -> None:
        self.take('locks', '/locks')

    def test_builders_and_a_pause(self) -> None:
        page = self.take('builders', '/builders')
        page.get_by_role('button', name='Pause win').click()
        page.get_by_role('dialog').get_by_label('Reason').fill('new compiler')
        picture(page, 'pause')

    def test_history(self) -> None:
        self.take('history', '/history')
