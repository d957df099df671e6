# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of a real master with a real worker, whose owner has something to say."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect
from support.browser import BrowserCase
from support.diary import until
from support.plugin import PLUGIN

HOSTILE = '<img src=x onerror="window.hacked=1">'
LOCK = "c['builders'][1].locks = [util.MasterLock('jtag').access('exclusive')]\n"


class RealMaster(BrowserCase):
    @classmethod
    def start_master(cls) -> None:
        farm = cls.farm
        names = {'builders': ('free', 'locked')}
        # Buildbot takes changes only from pages of its own address
        url = f"c['buildbotURL'] = 'http://127.0.0.1:{farm.www}/'\n"
        farm.make_master(**names).configure(farm.make_config(**names) + PLUGIN + LOCK + url)
        farm.worker = farm.make_worker(wire=False)
        farm.master.start()
        farm.worker.start()
        farm.until_heard()

    def setUp(self) -> None:
        super().setUp()
        self.farm.diary.hold()
        self.addCleanup(self.end_all)

    def end_all(self) -> None:
        """The worker is eager and nothing runs or waits, whatever the test has left."""
        self.farm.diary.let_go()
        for kind, name, method in (('workers', 'w1', 'resume'), ('builders', 'free', 'resume')):
            self.tell(kind, self.number(kind, name), method)
        self.farm.worker.say('resume')
        until(lambda: self.farm.pending() == 0)

    def number(self, kind: str, name: str) -> int:
        (found,) = self.farm.call(f'{kind}?name={name}')[kind]
        return int(found[f'{kind[:-1]}id'])

    def tell(self, kind: str, number: int, method: str, **params: Any) -> None:
        body = {'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': params}
        self.farm.call(f'balancer/{kind}/{number}', body)

    def request(self, builder: str = 'free') -> int:
        self.farm.request(builder=builder)
        found = self.farm.call('buildrequests?order=-buildrequestid&limit=1')['buildrequests']
        return int(found[0]['buildrequestid'])

    def owner_says(self, mood: str, *more: str) -> None:
        self.farm.worker.say('set', mood, *more)
        path = f'balancer/workers/{self.number("workers", "w1")}'
        until(lambda: self.farm.call(path)['balancer_workers'][0]['mood'] == mood, every=0.1)

    def says(self, text: str) -> None:
        expect(self.page.locator('.balancer')).to_contain_text(text)

    def live(self, view: str) -> None:
        """The view, marked so that a reload would be seen."""
        self.go(view)
        expect(self.page.locator('.balancer-live')).to_have_attribute('data-live', 'true')
        self.page.evaluate('window.mark = 1')

    def tearDown(self) -> None:
        self.assertEqual(self.problems, [])
        super().tearDown()

    def test_an_owner_changes_their_mood_and_the_row_changes_without_a_reload(self) -> None:
        self.live('/workers')
        row = self.row('w1')
        expect(row).to_contain_text('eager')
        self.owner_says('reluctant', '--reason', 'using it', '--until', '2h')
        expect(row).to_contain_text('reluctant')
        expect(row).to_contain_text('“using it”, until ')
        self.farm.worker.say('resume')
        expect(row).to_contain_text('eager')
        self.assertEqual(self.page.evaluate('window.mark'), 1)

    def test_what_an_owner_typed_is_text(self) -> None:
        self.owner_says('offline', '--reason', HOSTILE)
        number = self.request()
        for view in ('/workers', f'/requests/{number}', '/requests', '/history'):
            self.go(view)
            self.says(HOSTILE)
            expect(self.page.locator('.balancer img')).to_have_count(0)
        self.assertIsNone(self.page.evaluate('window.hacked ?? null'))

    def test_a_request_says_why_it_waits_then_where_it_runs_then_that_it_is_over(self) -> None:
        self.owner_says('offline', '--reason', 'moving house')
        number = self.request()
        self.live(f'/requests/{number}')
        self.says('waiting')
        self.says('moving house')
        expect(self.row('w1')).to_contain_text('offline1w1')
        self.farm.worker.say('resume')
        build = self.page.get_by_role('link', name=re.compile('^Build #'))
        expect(build).to_be_visible()
        self.says('running')
        self.farm.diary.let_go()
        self.says('complete')
        self.assertEqual(self.page.evaluate('window.mark'), 1)
        build.click()
        expect(self.page).to_have_url(re.compile(r'#/builders/\d+/builds/\d+$'))
        expect(self.page.get_by_text('build successful').first).to_be_visible()

    def test_a_pause_with_a_reason_is_on_the_request(self) -> None:
        self.live('/builders')
        self.page.get_by_role('button', name='Pause free').click()
        dialog = self.page.get_by_role('dialog')
        dialog.get_by_label('Reason').fill('new compiler')
        dialog.get_by_label('Until').fill('half past never')
        dialog.get_by_role('button', name='Pause').click()
        expect(dialog.get_by_role('alert')).to_contain_text('half past never')
        dialog.get_by_label('Until').fill('2h')
        dialog.get_by_role('button', name='Pause').click()
        expect(self.row('free')).to_contain_text('paused “new compiler”, until ')
        number = self.request()
        self.live(f'/requests/{number}')
        self.says('builder paused')
        self.says('new compiler')
        self.tell('builders', self.number('builders', 'free'), 'resume')
        self.says('running')

    def test_a_worker_is_drained_with_the_keyboard_alone_and_the_history_says_so(self) -> None:
        self.live('/workers')
        button = self.page.get_by_role('button', name='Drain w1')
        expect(button).to_be_visible()
        while not button.evaluate('one => one === document.activeElement'):
            self.page.keyboard.press('Tab')
        self.page.keyboard.press('Enter')
        self.page.keyboard.type('new disk')
        self.page.keyboard.press('Enter')
        expect(self.row('w1')).to_contain_text('“new disk”')
        expect(self.row('w1')).to_contain_text('offline')  # nothing runs there
        self.row('w1').get_by_role('link', name='History').click()
        drained = self.page.get_by_role('row').filter(has_text='drained').first
        expect(drained).to_contain_text('“new disk”')

    def test_an_owners_no_is_not_overruled(self) -> None:
        self.owner_says('offline', '--reason', 'mine')
        self.live('/workers')
        expect(self.row('w1')).to_contain_text('offline')
        self.page.get_by_role('button', name='Set the mood of w1').click()
        dialog = self.page.get_by_role('dialog')
        dialog.get_by_role('button', name='Set').click()  # eager is the first
        expect(dialog.get_by_role('alert')).to_contain_text('cannot be overruled')
        expect(self.row('w1')).to_contain_text('offline')

    def test_a_page_of_another_address_says_that_nothing_can_be_changed_there(self) -> None:
        self.page.goto(self.url('/workers').replace('127.0.0.1', 'localhost'))
        self.page.get_by_role('button', name='Resume w1').click()
        self.says('This page was opened at another address than the buildbotURL of the master')

    def test_a_lock_shows_who_holds_it_and_who_waits(self) -> None:
        self.live('/locks')
        self.request('locked')
        self.farm.diary.wait_for_start(self.farm.diary.started + 1)
        waiter = self.request('locked')
        self.says('jtag 1 of 1 held')
        expect(self.page.get_by_role('link', name=re.compile('^locked #'))).to_be_visible()
        self.page.locator('ol').get_by_role('link').click()
        self.says(f'Request {waiter} of locked')
        self.says('jtag')

    def test_buildbots_own_pages_are_one_click_away(self) -> None:
        self.owner_says('offline')
        number = self.request()
        for view, link, there in (
            ('/workers', 'w1', r'#/workers/\d+$'),
            ('/builders', 'free', r'#/builders/\d+$'),
            ('/requests', 'free', r'#/builders/\d+$'),
            (f'/requests/{number}', "Buildbot's page of it", rf'#/buildrequests/{number}\b'),
        ):
            self.go(view)
            self.page.locator('.balancer').get_by_role('link', name=link, exact=True).last.click()
            expect(self.page).to_have_url(re.compile(there))
            expect(self.page.locator('.balancer')).to_have_count(0)
            expect(self.page.get_by_text('not found')).to_have_count(0)

    def test_the_filters_are_ones_that_the_master_knows(self) -> None:
        for view, shown in (
            ('/workers?name=w&mood=eager', 'w1'),
            ('/workers?name=x', 'No worker is like that.'),
            ('/builders?name=re&paused=false', 'free'),
            ('/builders?paused=true', 'No builder is like that.'),
            ('/locks?name=jta', 'jtag'),
            ('/locks?name=x', 'No lock is called like that.'),
            ('/history?worker=w1&kind=mood', 'eager'),
            ('/history?lock=none&kind=held', 'Nothing like that is recorded'),
            ('/history?request=999999', 'Nothing like that is recorded'),
        ):
            self.go(view)
            expect(self.page.locator('.balancer section')).to_contain_text(shown)

    def test_an_unknown_request_is_said(self) -> None:
        self.go('/requests/999999')
        self.says('there is no build request 999999')
