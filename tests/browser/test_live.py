# SPDX-License-Identifier: GPL-2.0-or-later
"""The page follows what happens, and asks the master no more than it has to."""

from __future__ import annotations

import time

import attrs
from playwright.sync_api import expect
from support import shop
from support.views import ViewCase

MARK = 'window.mark = 1'  # is gone when the page is loaded anew


class Live(ViewCase):
    def setUp(self) -> None:
        super().setUp()
        self.shop.shelves['workers'] = [shop.worker(n) for n in range(1, 6)]

    def change(self, number: int, **more: object) -> None:
        found = self.shop.shelves['workers']
        found[number - 1] = attrs.evolve(found[number - 1], **more)

    def is_live(self) -> None:
        expect(self.page.locator('.balancer-live')).to_have_text('Live')

    def asks(self, path: str = 'workers') -> int:
        return self.shop.asked.count(path)

    def test_an_event_changes_the_row_without_a_reload(self) -> None:
        self.serve('/workers')
        expect(self.row('w0002')).to_contain_text('eager')
        self.is_live()
        self.page.evaluate(MARK)
        self.change(2, mood='offline', reason='away')
        self.shop.tell('workers', '2')
        expect(self.row('w0002')).to_contain_text('away')
        self.says('w0002 is offline.')  # for those who do not see the row
        self.assertEqual(self.page.evaluate('window.mark'), 1)

    def test_an_event_of_many_changes_the_rows_too(self) -> None:
        self.serve('/workers')
        self.is_live()
        for number in range(1, 6):
            self.change(number, mood='offline')
        self.shop.tell('workers', 'all')
        self.says('5 workers have changed their mood.')

    def test_a_worker_that_is_not_shown_costs_no_question(self) -> None:
        self.serve('/workers')
        self.is_live()
        before = self.asks()
        self.shop.tell('workers', '99')
        self.change(1, load=9.5)
        self.page.wait_for_timeout(1500)  # for what must not happen: longer than an answer takes
        self.assertEqual(self.asks(), before)
        self.shop.tell('workers', '1')
        expect(self.row('w0001')).to_contain_text('9.50')

    def test_a_worker_that_comes_to_match_the_filter_appears(self) -> None:
        self.serve('/workers?mood=offline')
        self.says('No worker is like that.')
        self.is_live()
        self.change(3, mood='offline')
        self.shop.tell('workers', '3')
        expect(self.row('w0003')).to_be_visible()

    def test_a_storm_of_events_is_a_handful_of_questions(self) -> None:
        self.serve('/requests')
        self.is_live()
        before, began = self.asks('requests'), time.monotonic()
        for _ in range(40):
            self.shop.tell('requests', 'all')
            self.page.wait_for_timeout(40)  # in which it could ask, and be answered
        self.shop.shelves['requests'] = [shop.request(40)]
        self.shop.tell('requests', 'all')
        expect(self.row('40')).to_be_visible()
        seconds = time.monotonic() - began
        self.assertLessEqual(self.asks('requests') - before, seconds + 2)  # one at once, one open

    def test_after_a_lost_connection_it_catches_up(self) -> None:
        self.serve('/workers')
        self.is_live()
        self.change(1, mood='offline')
        self.shop.hang_up()
        self.says('w0001 is offline.')
        self.is_live()
        self.change(1, mood='eager')
        self.shop.tell('workers', '1')
        expect(self.row('w0001')).to_contain_text('eager')

    def test_a_page_that_nobody_sees_asks_when_it_is_looked_at(self) -> None:
        self.page.add_init_script(
            "Object.defineProperty(document, 'hidden', {get: () => window.unseen === true})"
        )
        self.serve('/workers')
        self.is_live()
        self.page.evaluate('window.unseen = true')
        self.change(1, load=9.5)
        before = self.asks()
        self.shop.tell('workers', '1')
        self.page.wait_for_timeout(1500)  # for what must not happen: longer than an answer takes
        self.assertEqual(self.asks(), before)
        self.page.evaluate(
            "window.unseen = false; document.dispatchEvent(new Event('visibilitychange'))"
        )
        expect(self.row('w0001')).to_contain_text('9.50')

    def test_a_request_that_has_begun_says_so_by_itself(self) -> None:
        self.shop.shelves['requests'] = [shop.request(40)]
        self.serve('/requests/40')
        self.says('Place in the queue')
        self.is_live()
        self.shop.shelves['requests'] = [
            shop.request(40, position=None, state='running', reason='runs on w1', verdicts=())
        ]
        self.shop.tell('requests', '40')
        self.says('runs on w1')
        expect(self.page.locator('.balancer')).not_to_contain_text('Place in the queue')
