# SPDX-License-Identifier: GPL-2.0-or-later
"""Views of the page with answers that the test gives."""

from __future__ import annotations

from playwright.sync_api import expect

from support.browser import BrowserCase
from support.plugin import PLUGIN
from support.shop import Shop

VIEWS = ('/workers', '/requests', '/requests/40', '/locks', '/builders', '/history')


class ViewCase(BrowserCase):
    @classmethod
    def start_master(cls) -> None:
        """Without a Balancer: its part of the API is the stand-in's."""
        cls.farm.make_master(None).configure(cls.farm.make_config(balancer=None) + PLUGIN)
        cls.farm.master.start()

    def setUp(self) -> None:
        super().setUp()
        self.shop = Shop()

    def serve(self, view: str) -> None:
        self.shop.serve(self.page)
        self.go(view)

    def says(self, text: str) -> None:
        expect(self.page.locator('.balancer')).to_contain_text(text)
