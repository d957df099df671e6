# SPDX-License-Identifier: GPL-2.0-or-later
"""The page fits a phone, and can be read in both colour schemes."""

from __future__ import annotations

import math
import time
from typing import Any

from playwright.sync_api import Page
from playwright.sync_api import expect
from support import shop
from support.browser import PHONE
from support.browser import WIDE
from support.views import VIEWS
from support.views import ViewCase

from buildbot_balancer.explain.sights import Count
from buildbot_balancer.explain.sights import Sample
from buildbot_balancer.explain.sights import ShareSight

WIDTHS = (320, 360, 600, 768, 1000, 1160, 1220, 1280, 1600)
LONG = 'mac-mini-in-the-corner-of-the-second-floor.' * 3 + 'example.org'
UNBROKEN = 'x' * 200
# Texts whose contrast with what is behind them is under 4.5, as WCAG AA asks for.
FAINT = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const light = (rgb) => rgb.slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (one) => {
    for (let at = one; at !== null; at = at.parentElement) {
      const rgb = parse(getComputedStyle(at).backgroundColor);
      if (rgb.length < 4 || rgb[3] === 1) { return rgb; }
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll('.balancer *, .navbar *')].filter((one) =>
    one.offsetParent !== null && !one.disabled && one.closest('.balancer-unseen') === null
    && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''));
  const bad = texts.filter((one) => {
    const [a, b] = [light(parse(getComputedStyle(one).color)), light(behind(one))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
  });
  return [texts.length, bad.map((one) => `${one.className} ${one.textContent}`)];
}"""


# What reaches over the right edge of the window, or of the room that the page has for itself.
OVER_THE_EDGE = """() => {
  const all = document.documentElement;
  const room = document.querySelector('.balancer section').getBoundingClientRect().right;
  const wide = [...document.querySelectorAll('.balancer section *')]
    .filter((one) => one.closest('.balancer-unseen') === null)
    .filter((one) => getComputedStyle(one.closest('thead') ?? one).position !== 'absolute')
    .filter((one) => one.getBoundingClientRect().right > room + 0.5);
  return [...(all.scrollWidth > all.clientWidth ? [all] : []), ...wide].map((one) => one.outerHTML);
}"""


class Looks(ViewCase):
    def setUp(self) -> None:
        super().setUp()
        now = time.time()
        share = ShareSight(
            what='win #41',
            mode='counting',
            count=2,
            since=now - 90,
            builderid=1,
            number=41,
            buildrequestid=39,
            worker=LONG,
        )
        verdicts = (Count(code='busy', count=7, names=('w1', LONG)), Count(code='odd', count=1))
        states = ('waiting', 'queued', 'paused', 'stuck')
        self.shop.shelves = {
            'workers': [
                shop.worker(1, name=LONG, mood='reluctant', reason=UNBROKEN, until=now + 7200),
                shop.worker(
                    2,
                    mood='offline',
                    fresh=False,
                    load=None,
                    summary=UNBROKEN,
                    reported_at=now - 50_000,
                    running=12,
                ),
                shop.worker(3, mood='going-on-holiday', source='drain'),
                shop.worker(4),
            ],
            'requests': [
                shop.request(40 + n, state=state, buildername=LONG, verdicts=verdicts)
                for n, state in enumerate(states)
            ]
            + [shop.request(50, reason=UNBROKEN)],
            'locks': [
                shop.lock(LONG, group=UNBROKEN, max=2, held=2, holders=(share,), waiters=(share,)),
                shop.lock('version', max=None),
            ],
            'builders': [
                shop.builder(1, name=LONG, paused=True, reason=UNBROKEN, paused_at=now - 9),
                shop.builder(2, waiting=3),
            ],
            'history': [
                shop.event(1, worker=LONG, mood='eager', reason=UNBROKEN, actor='ann', request=40),
                shop.event(2, kind='held', lock='host', group='esx1', duration=99.0),
            ],
        }
        self.shop.samples = lambda n: [
            Sample(at=now - 60 * ago, load=abs(math.sin(ago + n)), running=ago % 3)
            for ago in range(59, 0, -1)
        ]

    def shown(self, page: Page, view: str) -> None:
        self.go(view, page)
        expect(page.locator('.balancer :is(table, article)').first).to_be_visible()

    def view_on(self, size: Any, scheme: str) -> Page:
        page = self.open_page(size, scheme)
        self.shop.serve(page)
        return page

    def test_nothing_has_to_be_scrolled_sideways(self) -> None:
        page = self.view_on(PHONE, 'light')
        for width in WIDTHS:
            page.set_viewport_size({'width': width, 'height': 740})
            for view in VIEWS:
                self.shown(page, view)
                self.assertEqual(page.evaluate(OVER_THE_EDGE), [], f'{view} at {width}')

    def test_the_dialog_fits_a_phone(self) -> None:
        page = self.view_on(PHONE, 'light')
        self.shown(page, '/workers')
        page.get_by_role('button', name='Set the mood of w0004').click()
        box = page.get_by_role('dialog').bounding_box()
        self.assertGreaterEqual(box['x'], 0)
        self.assertLessEqual(box['x'] + box['width'], PHONE['width'])

    def test_every_text_can_be_read_in_both_schemes(self) -> None:
        for scheme in ('light', 'dark'):
            for size in (WIDE, PHONE):
                page = self.view_on(size, scheme)
                for view in VIEWS:
                    self.shown(page, view)
                    count, bad = page.evaluate(FAINT)
                    self.assertGreater(count, 10)
                    self.assertEqual(bad, [], f'{view}, {scheme}')

    def test_the_page_is_dark_for_those_who_prefer_it(self) -> None:
        backs = []
        for scheme in ('light', 'dark'):
            page = self.view_on(WIDE, scheme)
            self.shown(page, '/workers')
            backs.append(
                page.evaluate(
                    "['#root', '.balancer', '.navbar'].map((one) =>"
                    'getComputedStyle(document.querySelector(one)).backgroundColor)'
                )
            )
        light, dark = backs
        self.assertEqual(light[:2], ['rgb(255, 255, 255)'] * 2)
        self.assertEqual(dark, ['rgb(20, 24, 31)', 'rgb(20, 24, 31)', 'rgb(29, 35, 44)'])

    def test_buildbots_own_pages_stay_as_they_are(self) -> None:
        page = self.view_on(WIDE, 'dark')
        self.shown(page, '/workers')
        page.locator('.sidebar').get_by_role('link', name='Settings').click()
        expect(page.locator('.balancer')).to_have_count(0)
        back = page.evaluate("getComputedStyle(document.querySelector('#root')).backgroundColor")
        self.assertEqual(back, 'rgb(255, 255, 255)')

    def test_a_card_says_what_its_lines_are(self) -> None:
        page = self.view_on(PHONE, 'light')
        self.shown(page, '/workers')
        cell = page.locator('td[data-label=Builds]').first
        label = cell.evaluate("one => getComputedStyle(one, '::before').content")
        self.assertEqual(label, '"Builds"')
        expect(page.get_by_role('columnheader', name='Builds')).to_have_count(1)
