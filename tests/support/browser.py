# SPDX-License-Identifier: GPL-2.0-or-later
"""A real headless Chromium that looks at the page of a real master."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any
from typing import ClassVar

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Error
from playwright.sync_api import Page
from playwright.sync_api import Playwright
from playwright.sync_api import expect
from playwright.sync_api import sync_playwright
from twisted.trial.unittest import SynchronousTestCase

from support.farm import Farm

NAMES = ('chromium', 'chromium-browser', 'google-chrome')
PICTURES = 'BALANCER_SCREENSHOTS'  # where set, pictures for the docs are taken
IMAGES = Path(__file__).parents[2] / 'docs' / 'images'
WIDE = {'width': 1280, 'height': 800}
PHONE = {'width': 360, 'height': 740}
PATIENCE = 25_000.0  # milliseconds until something is a failure; under the slow poll of the page


def chromium() -> str:
    """Its path. Without one, a module of tests that imports this one is skipped, which is one line
    for all of them, or fails where CI=true.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        said = f'the page was not tested: there is no Chromium here ({", ".join(NAMES)})'
        if os.environ.get('CI') == 'true':
            pytest.fail(said, pytrace=False)
        pytest.skip(said, allow_module_level=True)
    return found


CHROMIUM = chromium()


def launch(playwright: Playwright) -> Browser:
    # root, as in most containers, cannot have the sandbox
    sandbox = [] if os.geteuid() else ['--no-sandbox']
    return playwright.chromium.launch(
        executable_path=CHROMIUM, args=[*sandbox, '--disable-dev-shm-usage', '--disable-gpu']
    )


def picture(page: Page, name: str, **more: Any) -> None:
    if PICTURES in os.environ:
        IMAGES.mkdir(exist_ok=True)
        page.screenshot(path=IMAGES / f'{name}.png', animations='disabled', **more)


class BrowserCase(SynchronousTestCase):
    """One master and one browser for all tests of a class; each test has a page of its own.

    The browser is closed before the next class: its event loop and Twisted's do not go together.
    """

    farm: ClassVar[Farm]
    _playwright: ClassVar[Any]
    _browser: ClassVar[Browser]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.farm = Farm('pb')
        cls.addClassCleanup(cls.farm.close)
        cls.start_master()
        cls._playwright = sync_playwright().start()
        cls.addClassCleanup(cls._playwright.stop)
        cls._browser = launch(cls._playwright)
        cls.addClassCleanup(cls._browser.close)
        expect.set_options(timeout=PATIENCE)

    @classmethod
    def start_master(cls) -> None:
        """Makes and starts the farm's master, and workers where there are any."""
        raise NotImplementedError

    def setUp(self) -> None:
        super().setUp()
        self.problems: list[str] = []  # what the page said to the console
        self.page = self.open_page()

    def open_page(self, size: Any = WIDE, scheme: Any = 'light') -> Page:
        context = self._browser.new_context(viewport=size, color_scheme=scheme)
        self.addCleanup(context.close)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on('pageerror', self._failed)
        page.on('dialog', lambda dialog: self.problems.append(f'a dialog: {dialog.message}'))
        return page

    def _failed(self, error: Error) -> None:
        # Buildbot's own views have errors too, when one leaves them
        if '/plugins/balancer/' in (error.stack or ''):
            self.problems.append(f'{error.message}: {error.stack}')

    def url(self, view: str = '') -> str:
        return f'http://127.0.0.1:{self.farm.www}/#/balancer{view}'

    def go(self, view: str = '', page: Page | None = None) -> None:
        (page or self.page).goto(self.url(view))

    def row(self, name: str, page: Page | None = None) -> Any:
        """Of a table, by what its first cell says."""
        shown = page or self.page
        return shown.get_by_role('row').filter(has=shown.get_by_role('link', name=name, exact=True))
