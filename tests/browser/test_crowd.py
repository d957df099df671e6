# SPDX-License-Identifier: GPL-2.0-or-later
"""A thousand workers and ten thousand requests: what is shown, and asked for, stays small."""

from __future__ import annotations

import time

from playwright.sync_api import expect
from support import shop
from support.views import ViewCase

from buildbot_balancer.explain.sights import Sample
from buildbot_balancer.explain.sights import ShareSight

WORKERS = 1_000
REQUESTS = 10_000


class Crowd(ViewCase):
    def setUp(self) -> None:
        super().setUp()
        moods = ('eager', 'reluctant', 'offline', 'eager')
        self.shop.shelves['workers'] = [
            shop.worker(n, mood=moods[n % 4]) for n in range(1, WORKERS + 1)
        ]
        self.shop.shelves['requests'] = [shop.request(n) for n in range(1, REQUESTS + 1)]
        now = time.time()
        self.shop.samples = lambda _: [
            Sample(at=now - 60 * ago, load=0.5, running=1) for ago in range(59, 0, -1)
        ]

    def rows(self, count: int) -> None:
        expect(self.page.locator('tbody tr')).to_have_count(count)

    def test_workers_come_by_the_page_and_only_they_are_asked_about(self) -> None:
        self.serve('/workers')
        self.rows(25)
        self.says('1 to 25 of 1,000')
        expect(self.row('w0001').get_by_role('img')).to_be_visible()
        self.page.get_by_role('button', name='Next').click()
        self.says('26 to 50 of 1,000')
        expect(self.row('w0026').get_by_role('img')).to_be_visible()
        samples = {path for path in self.shop.asked if path.endswith('/samples')}
        self.assertLess(len(samples), 51)

    def test_a_drawing_is_asked_for_when_one_scrolls_to_it(self) -> None:
        self.serve('/workers')
        self.rows(25)
        expect(self.row('w0001').get_by_role('img')).to_be_visible()
        self.assertNotIn('workers/25/samples', self.shop.asked)
        self.row('w0025').scroll_into_view_if_needed()
        expect(self.row('w0025').get_by_role('img')).to_be_visible()

    def test_workers_are_found_by_name_and_mood(self) -> None:
        self.serve('/workers')
        self.page.get_by_label('Mood', exact=True).select_option('offline')
        self.says('1 to 25 of 250')
        self.page.get_by_label('Name', exact=True).fill('w099')
        self.rows(3)
        self.page.reload()
        self.rows(3)
        expect(self.page.get_by_label('Name', exact=True)).to_have_value('w099')

    def test_a_filter_that_is_set_while_one_types_another_is_kept(self) -> None:
        self.serve('/workers')
        self.rows(25)
        self.page.evaluate("""() => {
          const set = (one, value, event) => {
            Object.getOwnPropertyDescriptor(Object.getPrototypeOf(one), 'value')
              .set.call(one, value);
            one.dispatchEvent(new Event(event, {bubbles: true}));
          };
          set(document.querySelector('.balancer-filters input'), 'w099', 'input');
          set(document.querySelector('.balancer-filters select'), 'offline', 'change');
        }""")
        self.rows(3)

    def test_the_last_of_ten_thousand_requests_is_two_clicks_away(self) -> None:
        self.serve('/requests')
        self.rows(50)
        self.page.get_by_role('button', name='Last').click()
        self.says('9,951 to 10,000 of 10,000')
        self.rows(50)
        self.page.go_back()
        self.says('1 to 50 of 10,000')
        self.page.go_forward()
        self.page.get_by_role('link', name='10000', exact=True).click()
        self.says('Request 10000 of win')

    def test_a_list_that_became_shorter_shows_its_end(self) -> None:
        self.serve('/requests?page=200')
        self.says('9,951 to 10,000 of 10,000')
        expect(self.page.locator('.balancer-live')).to_have_text('Live')
        del self.shop.shelves['requests'][120:]
        self.shop.tell('requests', 'all')
        self.says('101 to 120 of 120')

    def test_a_page_number_that_is_none_is_the_first(self) -> None:
        self.serve('/requests?page=-3')
        self.says('1 to 50 of 10,000')

    def test_a_queue_of_ten_thousand_is_shown_in_parts(self) -> None:
        waiters = tuple(
            ShareSight(what=f'request {n}', mode='counting', count=1, buildrequestid=n)
            for n in range(REQUESTS)
        )
        self.shop.shelves['locks'] = [shop.lock('jtag', held=1, waiters=waiters)]
        self.serve('/locks')
        self.page.get_by_role('button', name='9,995 more').click()
        expect(self.page.locator('ol li')).to_have_count(105)
