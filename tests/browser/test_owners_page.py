# SPDX-License-Identifier: GPL-2.0-or-later
"""The owner's page in a real Chromium, with a real reporter."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from http.server import BaseHTTPRequestHandler
from http.server import HTTPServer
from pathlib import Path
from typing import Any
from typing import ClassVar

from playwright.sync_api import Browser
from playwright.sync_api import Page
from playwright.sync_api import expect
from playwright.sync_api import sync_playwright
from support.browser import PATIENCE
from support.browser import PHONE
from support.browser import launch
from support.browser import picture
from support.owners_page import PICTURE
from support.owners_page import Machine
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.page import ticket
from buildbot_balancer.reporter.word import Word

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>'


class Case(SynchronousTestCase):
    """One machine and one browser for all tests of a class."""

    program: ClassVar[dict[str, str]] = {}
    machine: ClassVar[Machine]
    _browser: ClassVar[Browser]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.machine = Machine(folder, **cls.program)
        cls.addClassCleanup(cls.machine.close)
        playwright = sync_playwright().start()
        cls.addClassCleanup(playwright.stop)
        cls._browser = launch(playwright)
        cls.addClassCleanup(cls._browser.close)
        expect.set_options(timeout=PATIENCE)

    def setUp(self) -> None:
        super().setUp()
        self.problems: list[str] = []
        word.save(self.machine.basedir, Word(id=word.new_id()))
        self.page = self.open_page()

    def tearDown(self) -> None:
        self.assertEqual(self.problems, [])
        super().tearDown()

    def open_page(self, **more: Any) -> Page:
        context = self._browser.new_context(**more)
        self.addCleanup(context.close)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on('pageerror', lambda error: self.problems.append(error.message))
        page.on('console', self._said)
        page.on('dialog', lambda dialog: self.problems.append(f'a dialog: {dialog.message}'))
        return page

    def _said(self, message: Any) -> None:
        """The policy of the page was broken by the page itself."""
        if 'Content Security Policy' in message.text:
            self.problems.append(message.text)

    def enter(self, page: Page | None = None) -> Page:
        shown = page or self.page
        shown.goto(self.machine.url)
        expect(shown.get_by_role('heading', name='anna')).to_be_visible()
        return shown

    def button(self, name: str, page: Page | None = None) -> Any:
        return (page or self.page).get_by_role('button', name=re.compile(f'^{name}'))

    def state(self, page: Page | None = None) -> Any:
        return (page or self.page).locator('#state')

    def is_live(self) -> None:
        expect(self.page.locator('#pulse')).to_have_text('live')

    def unchanged(self) -> None:
        self.assertIsNone(self.machine.word.mood)


class Owner(Case):
    def test_the_address_from_the_command_line_leads_in_and_its_token_leaves_the_address(
        self,
    ) -> None:
        self.enter()
        self.assertRegex(self.page.url, rf'^http://127\.0\.0\.1:{self.machine.port}/\w{{32}}/$')
        self.page.reload()
        expect(self.state()).to_contain_text('eager')
        self.assertEqual(self.page.evaluate('document.cookie'), '')

    def test_a_file_leads_a_browser_in_too(self) -> None:
        found = ticket.load(self.machine.basedir)
        assert found is not None
        path = ticket.save_doorway(self.machine.basedir, found)
        self.page.goto(path.as_uri())
        expect(self.page.get_by_role('heading', name='anna')).to_be_visible()

    def test_a_click_on_offline_with_a_reason_is_in_the_file_and_on_the_page(self) -> None:
        self.enter()
        self.page.get_by_label('Reason').fill('moving house')
        self.page.get_by_label('Until').fill('2h')
        self.button('Offline').click()
        expect(self.state()).to_contain_text('You said so until')
        expect(self.state()).to_contain_text('“moving house”')
        expect(self.state().locator('strong')).to_have_text('offline')
        found = self.machine.word
        self.assertEqual((found.mood, found.reason), (Mood.OFFLINE, 'moving house'))
        self.assertIsNotNone(found.until)
        expect(self.button('Offline')).to_have_attribute('aria-current', 'true')
        expect(
            self.page.get_by_role('listitem').filter(has_text='(owner: moving house)')
        ).to_be_visible()

    def test_a_drain_asks_once_more_and_back_to_automatic_ends_it(self) -> None:
        self.enter()
        expect(self.button('Start the drain')).to_be_hidden()
        self.page.locator('summary').click()
        self.button('Start the drain').click()
        expect(self.state()).to_contain_text('You drained it')
        self.assertTrue(self.machine.word.draining)
        self.button('Back to automatic').click()
        expect(self.state()).to_contain_text('Nobody says anything.')
        self.unchanged()

    def test_what_is_said_elsewhere_comes_without_a_reload(self) -> None:
        self.enter()
        self.is_live()
        self.page.evaluate('window.mark = 1')
        self.page.get_by_label('Reason').fill('half a sen')
        word.save(self.machine.basedir, Word(mood=Mood.RELUCTANT, reason='by hand', id='b' * 16))
        expect(self.state()).to_contain_text('“by hand”')
        expect(self.page).to_have_title('anna: reluctant')
        expect(self.button('Reluctant')).to_have_attribute('aria-current', 'true')
        expect(self.page.get_by_label('Reason')).to_have_value('half a sen')
        self.assertEqual(self.page.evaluate('window.mark'), 1)

    def test_a_hostile_reason_is_text_also_where_it_comes_live(self) -> None:
        self.enter()
        self.is_live()
        word.save(self.machine.basedir, Word(mood=Mood.OFFLINE, reason=HOSTILE, id='c' * 16))
        expect(self.state()).to_contain_text(HOSTILE)
        self.page.reload()
        expect(self.state()).to_contain_text(HOSTILE)
        self.page.get_by_label('Reason').fill(f'"{HOSTILE}')
        self.page.get_by_label('Until').fill('never')
        self.button('Offline').click()
        expect(self.page.get_by_role('alert')).to_contain_text('"never" is no time')
        expect(self.page.get_by_label('Reason')).to_have_value(f'"{HOSTILE}')
        expect(self.page.locator('img')).to_have_count(0)
        self.assertIsNone(self.page.evaluate('window.hacked ?? null'))

    def test_enter_in_a_field_sets_nothing(self) -> None:
        self.enter()
        self.is_live()
        self.page.get_by_label('Reason').fill('a slip')
        self.page.get_by_label('Reason').press('Enter')
        self.button('Reluctant').focus()  # whatever Enter did would have begun before
        self.assertIn(self.page.get_by_label('Reason').input_value(), 'a slip')
        self.unchanged()

    def test_the_keyboard_alone_is_enough(self) -> None:
        self.enter()
        self.page.get_by_label('Reason').focus()
        self.page.keyboard.type('a talk')
        for _ in range(4):  # Until, Eager, Reluctant, Offline
            self.page.keyboard.press('Tab')
        self.page.keyboard.press('Enter')
        expect(self.state()).to_contain_text('“a talk”')
        self.assertIs(self.machine.word.mood, Mood.OFFLINE)

    def test_without_javascript_it_does_the_same(self) -> None:
        page = self.enter(self.open_page(java_script_enabled=False))
        page.get_by_label('Reason').fill('no script')
        self.button('Reluctant', page).click()
        expect(self.state(page)).to_contain_text('“no script”')
        self.assertIs(self.machine.word.mood, Mood.RELUCTANT)
        page.get_by_role('link', name='Look again').click()
        expect(self.state(page)).to_contain_text('“no script”')
        page.locator('summary').click()
        self.button('Start the drain', page).click()
        expect(self.state(page)).to_contain_text('You drained it')

    def test_a_page_whose_worker_has_stopped_says_so(self) -> None:
        self.enter()
        self.is_live()
        self.page.route('**/state', lambda route: route.abort())
        expect(self.page.locator('#pulse')).to_contain_text('not live')
        self.page.unroute('**/state')
        self.is_live()

    def test_a_page_whose_token_is_void_says_how_to_have_another(self) -> None:
        self.enter()
        self.is_live()
        before = self.machine.url
        ticket.path(self.machine.basedir).unlink()
        expect(self.page.locator('#pulse')).to_contain_text('this page is over')
        self.assertNotEqual(self.machine.url, before)
        self.page.goto(before)
        expect(self.page.get_by_role('heading', name='The page is closed')).to_be_visible()
        self.enter()


class Foreign:
    """A site of somebody else's, on another port of this machine: to cookies it is the same."""

    def __init__(self, case: Any) -> None:
        self.html = ''
        self.cookies: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.cookies.append(self.headers.get('Cookie', ''))
                self.send_response(200)
                self.send_header('Content-Type', 'text/html')
                self.end_headers()
                self.wfile.write(site.html.encode())

            def log_message(self, *args: Any) -> None:
                pass

        server = HTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{server.server_port}/'
        thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
        thread.start()
        for end in (thread.join, server.server_close, server.shutdown):
            case.addCleanup(end)


class Strangers(Case):
    def setUp(self) -> None:
        super().setUp()
        self.enter()
        self.door = self.page.url
        self.token = self.page.locator('input[name=token]').get_attribute('value')
        self.foreign = Foreign(self)

    def visit(self, html: str) -> None:
        self.foreign.html = html
        self.page.goto(self.foreign.url)

    def form(self, target: str, token: str | None) -> str:
        field = f'<input name="token" value="{token}">' if token else ''
        return (
            f'<form method="post" action="{target}">{field}'
            '<button name="say" value="offline">A cat video</button></form>'
        )

    def test_a_form_of_a_foreign_page_changes_nothing_not_even_with_all_the_secrets(self) -> None:
        for target, token in (
            (self.door + 'say', None),
            (self.door + 'say', self.token),
            (self.door.replace('127.0.0.1', 'localhost') + 'say', self.token),
        ):
            self.visit(self.form(target, token))
            with self.page.expect_response('**/say') as found:
                self.page.get_by_role('button').click()
            self.assertEqual(found.value.status, 403)
            self.unchanged()

    def test_the_cookie_is_not_sent_to_other_ports_of_this_machine(self) -> None:
        self.visit('')
        self.assertEqual(set(self.foreign.cookies), {''})
        names = [cookie['name'] for cookie in self.page.context.cookies(self.door)]
        self.assertEqual(len(names), 1)

    def test_a_foreign_page_can_neither_read_nor_frame_this_one(self) -> None:
        self.visit(f'<iframe src="{self.door}"></iframe>')
        read = "fetch('%s', {credentials: 'include'}).then(a => a.text(), () => 'refused')"
        self.assertEqual(self.page.evaluate(read % f'{self.door}state'), 'refused')
        frame = self.page.frames[1]
        self.assertNotIn('anna', frame.content())

    def _said(self, message: Any) -> None:
        """Of a page that breaks the policy on purpose."""

    def test_a_link_of_a_foreign_page_changes_nothing(self) -> None:
        self.visit(f'<a href="{self.door}say?say=offline&amp;token={self.token}">A cat video</a>')
        with self.page.expect_response('**/say*') as found:
            self.page.get_by_role('link').click()
        self.assertEqual(found.value.status, 405)
        self.unchanged()


class Pictures(Case):
    program: ClassVar[dict[str, str]] = {'program': PICTURE}

    def fill(self, page: Page) -> None:
        self.enter(page)
        expect(page.locator('#pulse')).to_have_text('live')
        expect(page.locator('.decides')).to_contain_text('owner')
        # nothing has to be moved to be seen
        wide = 'document.documentElement.scrollWidth <= document.documentElement.clientWidth'
        self.assertTrue(page.evaluate(wide))

    def test_on_a_desk(self) -> None:
        page = self.open_page(viewport={'width': 700, 'height': 955}, color_scheme='light')
        self.fill(page)
        picture(page, 'owners-page')

    def test_on_a_phone_in_the_dark(self) -> None:
        page = self.open_page(viewport={**PHONE, 'height': 1000}, color_scheme='dark')
        self.fill(page)
        picture(page, 'owners-page-phone')
        page.locator('summary').click()
        expect(self.button('Start the drain', page)).to_be_visible()
