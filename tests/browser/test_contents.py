# SPDX-License-Identifier: GPL-2.0-or-later
"""What each view shows of what the master answers."""

from __future__ import annotations

import re
import time

from playwright.sync_api import expect
from support import shop
from support.views import VIEWS
from support.views import ViewCase

from buildbot_balancer.explain.sights import Sample
from buildbot_balancer.explain.sights import ShareSight

HOSTILE = '<img src=x onerror="window.hacked=1">'


class Contents(ViewCase):
    def test_a_worker_has_its_mood_its_words_its_load_and_its_builds(self) -> None:
        self.shop.shelves['workers'] = [
            shop.worker(1, mood='reluctant', reason='using it', source='owner', load=1.5, running=3)
        ]
        self.serve('/workers')
        row = self.row('w0001')
        for said in ('reluctant', 'using it', '1.50', '3', 'runs 1 of at most 2 builds'):
            expect(row).to_contain_text(said)
        link = row.get_by_role('link', name='w0001', exact=True)
        expect(link).to_have_attribute('href', '#/workers/1')

    def test_a_load_that_was_heard_long_ago_says_when(self) -> None:
        self.shop.shelves['workers'] = [
            shop.worker(1, fresh=False, reported_at=time.time() - 400),
            shop.worker(2, load=None, fresh=False, reported_at=None),
        ]
        self.serve('/workers')
        expect(self.row('w0001')).to_contain_text('heard 6 min ago')
        expect(self.row('w0002')).to_contain_text('unknown')

    def test_the_last_hour_of_a_worker_is_drawn_and_told(self) -> None:
        now = time.time()
        self.shop.shelves['workers'] = [shop.worker(1)]
        self.shop.samples = lambda _: [
            Sample(at=now - 60 * ago, load=None if ago == 2 else ago / 10, running=ago)
            for ago in (3, 2, 1)
        ]
        self.serve('/workers')
        drawing = self.row('w0001').get_by_role('img')
        expect(drawing).to_have_attribute(
            'aria-label',
            'w0001 in the last hour: load 0.10 to 0.30 per CPU, at most 3 builds, now 1',
        )

    def test_a_request_has_its_place_its_reason_and_what_the_answers_mean(self) -> None:
        self.shop.shelves['requests'] = [shop.request(40, position=3, priority=5)]
        self.serve('/requests')
        self.page.get_by_role('link', name='40', exact=True).click()
        self.says('Request 40 of win')
        self.says('0 of 12 workers: 7 busy, 5 reluctant')
        self.says('Place in the queue3')
        self.says('Priority5')
        busy = self.row('w0001')
        expect(busy).to_contain_text('busy7w0001, w0002 and 5 moreRuns as many builds as it may.')
        expect(self.page).to_have_title('Request 40 of win: waiting')
        ways = self.page.locator('.balancer-request')
        expect(ways.get_by_role('link', name='win')).to_have_attribute('href', '#/builders/1')
        expect(ways.get_by_role('link', name="Buildbot's page")).to_have_attribute(
            'href', re.compile('#/buildrequests/40')
        )

    def test_what_is_copied_for_a_chat_is_the_reason_and_the_address(self) -> None:
        self.shop.shelves['requests'] = [shop.request(40)]
        self.page.context.grant_permissions(['clipboard-read', 'clipboard-write'])
        self.serve('/requests/40')
        self.page.get_by_role('button', name='Copy for a chat').click()
        self.says('Copied.')
        self.assertEqual(
            self.page.evaluate('navigator.clipboard.readText()'),
            'Request 40 of win (waiting): 0 of 12 workers: 7 busy, 5 reluctant\n'
            + self.url('/requests/40'),
        )

    def test_a_browser_without_a_clipboard_copies_the_old_way(self) -> None:
        self.shop.shelves['requests'] = [shop.request(40)]
        self.page.context.grant_permissions(['clipboard-read', 'clipboard-write'])
        self.page.add_init_script(
            'window.board = navigator.clipboard;'
            "Object.defineProperty(navigator, 'clipboard', {value: undefined})"
        )
        self.serve('/requests/40')
        self.page.get_by_role('button', name='Copy for a chat').click()
        self.says('Copied.')
        self.assertIn('/requests/40', self.page.evaluate('window.board.readText()'))

    def test_a_lock_has_its_holders_and_its_queue_in_order(self) -> None:
        holder = ShareSight(
            what='win #41', mode='exclusive', count=1, builderid=1, number=41, worker='w1'
        )
        waiters = tuple(
            ShareSight(what=f'request {n} of win', mode='counting', count=1, buildrequestid=n)
            for n in range(50, 70)
        )
        self.shop.shelves['locks'] = [
            shop.lock('host', group='esx1', max=2, held=2, holders=(holder,), waiters=waiters)
        ]
        self.serve('/locks')
        self.says('host[esx1] 2 of 2 held')
        expect(self.page.get_by_role('link', name='win #41')).to_have_attribute(
            'href', '#/builders/1/builds/41'
        )
        self.says('win #41 on w1, exclusive')
        queue = self.page.locator('ol li')
        expect(queue).to_have_count(5)
        expect(queue.first.get_by_role('link')).to_have_attribute('href', '#/balancer/requests/50')
        self.page.get_by_role('button', name='15 more').click()
        expect(queue).to_have_count(20)

    def test_a_paused_builder_says_by_whom_and_why(self) -> None:
        self.shop.shelves['builders'] = [
            shop.builder(1, name='win', paused=True, reason='upgrade', by='ann', waiting=3)
        ]
        self.shop.shelves['requests'] = [shop.request(1), shop.request(2, builderid=2)]
        self.serve('/builders')
        expect(self.row('win')).to_contain_text('paused “upgrade”, by ann')
        self.page.get_by_role('link', name='3 requests of win wait').click()
        self.says('Of win alone')
        expect(self.page.locator('tbody tr')).to_have_count(1)

    def test_a_queue_that_nobody_has_counted_is_no_zero(self) -> None:
        self.shop.shelves['builders'] = [shop.builder(1, name='win', waiting=None)]
        self.serve('/builders')
        expect(self.row('win')).to_contain_text('?')

    def test_the_history_can_be_asked_for_one_worker(self) -> None:
        self.shop.shelves['history'] = [
            shop.event(1, worker='w1', mood='offline', reason='away', source='owner'),
            shop.event(2, worker='w2', mood='eager'),
        ]
        self.serve('/history')
        expect(self.page.locator('tbody tr')).to_have_count(2)
        self.page.get_by_label('Worker', exact=True).fill('w1')
        expect(self.page.locator('tbody tr')).to_have_count(1)
        expect(self.page.locator('tbody tr')).to_contain_text('offline, “away”')
        self.assertIn('worker=w1', self.page.url)

    def test_what_strangers_typed_is_text_on_every_view(self) -> None:
        bad = HOSTILE
        share = ShareSight(what=bad, mode=bad, count=1, worker=bad)
        verdict = shop.Count(code=bad, count=1, names=(bad,))
        self.shop.shelves = {
            'workers': [shop.worker(1, name=bad, reason=bad, summary=bad, source=bad, mood=bad)],
            'requests': [shop.request(40, buildername=bad, reason=bad, verdicts=(verdict,))],
            'locks': [
                shop.lock(bad, group=bad, held=1, holders=(share,), waiters=(share,), summary=bad)
            ],
            'builders': [shop.builder(1, name=bad, paused=True, reason=bad, by=bad)],
            'history': [
                shop.event(
                    1,
                    kind=bad,
                    worker=bad,
                    builder=bad,
                    lock=bad,
                    group=bad,
                    mood=bad,
                    reason=bad,
                    source=bad,
                    actor=bad,
                    request=40,
                )
            ],
        }
        self.shop.serve(self.page)
        for view in VIEWS:
            self.go(view)
            self.says(bad)
            expect(self.page.locator('.balancer img')).to_have_count(0)
        self.assertIsNone(self.page.evaluate('window.hacked ?? null'))
        self.assertEqual(self.problems, [])
