# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json
import time

from support.stage import StageCase
from support.stage import worker


class Workers(StageCase):
    def test_each_has_a_line_with_all_that_is_known(self):
        until = time.time() + 7200
        self.has(
            'workers',
            'balancer_workers',
            [
                worker('w1', mood='reluctant', reason='using it', until=until, load=0.914),
                worker('w2', load=None, running=0, summary='its owner refuses builds'),
            ],
        )
        head, one, two = self.run_ok('workers').splitlines()
        self.assertEqual(
            head.split(), ['worker', 'mood', 'until', 'load', 'builds', 'reason', 'summary']
        )
        clock = time.strftime('%H:%M', time.localtime(until))
        self.assertEqual(
            one.split(maxsplit=5),
            ['w1', 'reluctant', clock, '0.91', '1', 'using it  runs win #41'],
        )
        self.assertEqual(two.split(maxsplit=3), ['w2', 'eager', '0', 'its owner refuses builds'])

    def test_json_is_what_the_api_says_in_ascii(self):
        items = [worker('w\x1b', reason='ü')]
        self.has('workers', 'balancer_workers', items)
        output = self.run_ok('workers', '--json')
        self.assertEqual(json.loads(output), items)
        self.assertTrue(output.isascii())
        self.assertNotIn('\x1b', output)

    def test_none_is_said(self):
        self.has('workers', 'balancer_workers', [])
        self.assertEqual(self.run_ok('workers'), 'The master has no workers.\n')
        self.assertEqual(json.loads(self.run_ok('workers', '--json')), [])
