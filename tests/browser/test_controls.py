# SPDX-License-Identifier: GPL-2.0-or-later
"""What one can tell the master from the page, with the keyboard alone too."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Locator
from playwright.sync_api import expect
from support import shop
from support.views import ViewCase


class Controls(ViewCase):
    def setUp(self) -> None:
        super().setUp()
        self.shop.shelves['workers'] = [shop.worker(1, name='w1'), shop.worker(2, name='w2')]
        self.shop.shelves['builders'] = [
            shop.builder(1, name='win'),
            shop.builder(2, name='mac', paused=True),
        ]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def tab_to(self, name: str) -> None:
        """Presses Tab until a button of this name has the focus."""
        button = self.page.get_by_role('button', name=name)
        expect(button).to_be_visible()
        for _ in range(60):
            self.press('Tab')
            if button.evaluate('one => one === document.activeElement'):
                return
        self.fail(f'the key Tab does not reach {name}')

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role('dialog')

    def posted(self) -> dict[str, Any]:
        (one,) = self.shop.posted
        return {one['method']: one['params']}

    def test_a_worker_is_drained_with_the_keyboard_alone(self) -> None:
        self.serve('/workers')
        self.tab_to('Drain w2')
        self.press('Enter')
        expect(self.page.get_by_role('dialog', name='Drain w2')).to_be_visible()
        self.page.keyboard.type('moving house')
        self.press('Tab')
        self.page.keyboard.type('18:00')
        self.press('Enter')
        expect(self.page.get_by_role('dialog')).to_have_count(0)
        self.says('w2 is being drained.')
        self.assertEqual(self.posted(), {'drain': {'reason': 'moving house', 'until': '18:00'}})
        self.assertEqual(self.shop.asked.count('workers/2'), 1)
        expect(self.page.get_by_role('button', name='Drain w2')).to_be_focused()

    def test_the_focus_can_be_seen(self) -> None:
        self.serve('/workers')
        self.tab_to('Drain w1')
        style = (
            "getComputedStyle(document.activeElement).outlineStyle + ' ' + "
            'getComputedStyle(document.activeElement).outlineWidth'
        )
        self.assertEqual(self.page.evaluate(style), 'solid 3px')

    def test_escape_changes_nothing(self) -> None:
        self.serve('/workers')
        self.page.get_by_role('button', name='Drain w1').click()
        self.press('Escape')
        expect(self.page.get_by_role('dialog')).to_have_count(0)
        self.assertEqual(self.shop.posted, [])

    def test_what_is_left_empty_is_not_sent(self) -> None:
        self.serve('/workers')
        self.page.get_by_role('button', name='Set the mood of w1').click()
        self.dialog.get_by_label('Mood', exact=True).select_option('reluctant')
        self.dialog.get_by_role('button', name='Set').click()
        self.says('The mood of w1 is set.')
        self.assertEqual(self.posted(), {'set': {'mood': 'reluctant'}})

    def test_a_refusal_is_said_and_what_was_typed_stays(self) -> None:
        self.serve('/workers')
        self.page.get_by_role('button', name='Drain w1').click()
        reason = self.page.get_by_label('Reason')
        reason.fill('because')
        said = {'jsonrpc': '2.0', 'id': 1, 'error': {'code': 1, 'message': 'you are not an admin'}}
        self.shop.broken = (403, json.dumps(said))
        self.dialog.get_by_role('button', name='Drain').click()
        expect(self.page.get_by_role('alert')).to_have_text('you are not an admin')
        expect(reason).to_have_value('because')
        self.shop.broken = None
        self.dialog.get_by_role('button', name='Drain').click()
        self.says('w1 is being drained.')

    def test_resuming_asks_nothing(self) -> None:
        self.serve('/workers')
        self.page.get_by_role('button', name='Resume w1').click()
        self.says('w1 is left to its owner again.')
        self.assertEqual(self.posted(), {'resume': {}})

    def test_a_refused_resume_is_said(self) -> None:
        self.serve('/workers')
        expect(self.row('w1')).to_be_visible()
        self.page.route(
            '**/balancer/workers/1',
            lambda route: route.fulfill(
                status=400, json={'error': {'message': 'its owner said no'}}
            ),
        )
        self.page.get_by_role('button', name='Resume w1').click()
        self.says('its owner said no')

    def test_a_builder_is_paused_and_another_resumed(self) -> None:
        self.serve('/builders')
        self.page.get_by_role('button', name='Pause win').click()
        self.page.get_by_label('Reason').fill('upgrade')
        self.dialog.get_by_role('button', name='Pause').click()
        self.says('win is paused.')
        self.assertEqual(self.posted(), {'pause': {'reason': 'upgrade'}})
        self.page.get_by_role('button', name='Resume mac').click()
        self.says('mac starts builds again.')
        self.assertEqual(self.shop.asked.count('builders/2'), 1)
