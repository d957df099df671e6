# SPDX-License-Identifier: GPL-2.0-or-later
"""What is around the views, and what stands there when there is nothing to show."""

from __future__ import annotations

from playwright.sync_api import expect
from support import shop
from support.views import VIEWS
from support.views import ViewCase


class Frame(ViewCase):
    def test_the_menu_leads_to_the_workers(self) -> None:
        self.shop.shelves['workers'] = [shop.worker(1)]
        self.shop.serve(self.page)
        self.page.goto(self.url().split('#')[0])
        self.page.locator('.sidebar').get_by_role('link', name='Balancer').click()
        expect(self.row('w0001')).to_be_visible()
        self.assertTrue(self.page.url.endswith('#/balancer/workers'))

    def test_the_tabs_say_where_one_is(self) -> None:
        self.serve('/workers')
        self.page.get_by_role('link', name='Locks').click()
        tabs = self.page.get_by_role('navigation', name='Balancer')
        expect(tabs.locator('[aria-current=page]')).to_have_text('Locks')
        self.says('No lock is in use')

    def test_an_address_that_leads_nowhere_says_so(self) -> None:
        self.serve('/nonsense')
        self.says('There is no such page of the Balancer.')
        self.go('/requests/forty')
        self.says('A request is named by its number')

    def test_a_view_that_fails_leaves_the_rest_of_the_page_alone(self) -> None:
        self.shop.shelves['builders'] = [shop.builder(1, name='win')]
        self.shop.serve(self.page)
        self.page.route(
            '**/api/v2/balancer/workers?*',
            lambda route: route.fulfill(json={'balancer_workers': [{'name': 1, 'load': 'x'}]}),
        )
        self.go('/workers')
        self.says('This view has failed')
        expect(self.page.locator('.sidebar')).to_be_visible()
        self.page.get_by_role('link', name='Builders', exact=True).last.click()
        expect(self.row('win')).to_be_visible()


class Troubles(ViewCase):
    def test_a_master_without_a_balancer_is_said_on_every_view(self) -> None:
        for view in VIEWS:
            self.go(view)  # the answer is the master's own
            self.says('The Balancer does not run on this master')

    def test_it_says_that_it_is_asking(self) -> None:
        self.page.route('**/api/v2/balancer/**', lambda route: None)
        self.go('/workers')
        self.says('Asking the master.')

    def test_an_error_is_told_in_the_words_of_the_master(self) -> None:
        self.shop.broken = (404, '{"error": "there is no build request 7"}')
        self.serve('/requests/7')
        self.says('there is no build request 7')

    def test_an_error_without_words_is_told_by_its_number(self) -> None:
        self.shop.broken = (502, '<h1>Bad gateway</h1>')
        self.serve('/requests')
        self.says('The master answered with 502 and no reason.')

    def test_a_master_that_does_not_answer_leaves_what_was_known_with_its_time(self) -> None:
        self.shop.shelves['workers'] = [shop.worker(1)]
        self.serve('/workers')
        expect(self.row('w0001')).to_be_visible()
        self.page.route('**/api/v2/balancer/**', lambda route: route.abort())
        self.shop.tell('workers', '1')
        self.says('The master does not answer. What is shown is of ')
        expect(self.row('w0001')).to_be_visible()

    def test_what_is_gone_is_not_shown_any_more(self) -> None:
        self.shop.shelves['workers'] = [shop.worker(1)]
        self.serve('/workers')
        expect(self.row('w0001')).to_be_visible()
        self.shop.broken = (404, '{"error": "no Balancer runs on this master"}')
        self.shop.tell('workers', '1')
        self.says('no Balancer runs on this master')
        expect(self.row('w0001')).to_have_count(0)

    def test_nothing_is_said_to_be_nothing(self) -> None:
        self.shop.serve(self.page)
        for view, said in (
            ('/workers', 'No worker is configured'),
            ('/workers?mood=offline', 'No worker is like that.'),
            ('/requests', 'Nothing waits'),
            ('/locks', 'No lock is in use'),
            ('/builders', 'No builder is configured'),
            ('/history', 'Nothing is recorded yet'),
            ('/history?worker=w1', 'Nothing like that is recorded'),
        ):
            self.go(view)
            self.says(said)
