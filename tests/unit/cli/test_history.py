# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json
import time

from support.stage import StageCase
from support.stage import lock
from support.stage import request
from support.stage import single
from support.stage import worker


def event(kind, **more):
    return {'kind': kind, 'at': time.time() - 60, **more}


class History(StageCase):
    def has_events(self, *events):
        self.has('history', 'balancer_events', list(events))

    def asked_for(self):
        query = self.stage.asked[-1].query
        return {key: value for key, value in query.items() if key not in {'limit', 'offset'}}

    def test_each_event_says_what_of_what_by_whom(self):
        self.has_events(
            event('mood', worker='w1', mood='reluctant', reason='using it', source='owner'),
            event('held', lock='host', group='esx1', builder='win', request=7, duration=3700.0),
            event('pause', builder='win', actor='ann', reason='release', source='admin'),
        )
        head, *lines = self.run_ok('history').splitlines()
        self.assertEqual(head.split(), ['when', 'event', 'of', 'by', 'details'])
        self.assertEqual(
            lines[0].split(maxsplit=4)[1:],
            [
                'mood',
                'w1',
                'owner',
                'reluctant (using it)',
            ],
        )
        self.assertEqual(
            lines[1].split(maxsplit=3)[1:],
            [
                'held',
                'host[esx1]',
                'for 1 h, request 7, builder win',
            ],
        )
        self.assertEqual(lines[2].split()[1:], ['pause', 'win', 'ann', '(release)'])

    def test_it_asks_about_one_thing_by_name(self):
        self.has_events(event('mood', worker='w1'))
        for option, value in (('worker', 'w 1/ü'), ('request', '7'), ('lock', 'host')):
            self.run_ok('history', f'--{option}', value)
            self.assertEqual(self.asked_for(), {option: [value]})

    def test_two_things_at_once_are_bad_usage(self):
        result = self.run_it('history', '--worker', 'w1', '--lock', 'host')
        self.assertEqual(result.exit_code, 2)
        self.assertEqual(self.stage.asked, [])

    def test_the_limit_is_kept_and_the_rest_said(self):
        self.has_events(*(event('mood', worker=f'w{n}') for n in range(5)))
        output = self.run_ok('history', '--limit', '2')
        self.assertIn('w1', output)
        self.assertNotIn('w2', output)
        self.assertIn('3 older ones are not shown', output)

    def test_something_that_is_known_may_have_no_history(self):
        self.has_events()
        self.has('workers', 'balancer_workers', [worker('w1')])
        self.has('locks', 'balancer_locks', [lock()])
        self.stage.replies['/api/v2/balancer/requests/7'] = single('balancer_requests', request())
        for args in ((), ('--worker', 'w1'), ('--lock', 'host'), ('--request', '7')):
            self.assertEqual(self.run_ok('history', *args), 'Nothing is known.\n')
        self.assertEqual(json.loads(self.run_ok('history', '--json')), [])

    def test_what_neither_the_history_nor_the_master_knows_is_unknown(self):
        self.has_events()
        self.has('workers', 'balancer_workers', [worker('anna')])
        self.has('locks', 'balancer_locks', [lock()])
        for name in ('requests', 'builders'):
            self.has(name, f'balancer_{name}', [])
        self.assertIn('did you mean "anna"?', self.refused(3, 'history', '--worker', 'ana'))
        self.assertIn('did you mean "host"?', self.refused(3, 'history', '--lock', 'hots'))
        self.assertIn('no request 7', self.refused(3, 'history', '--request', '7'))

    def test_a_lock_may_be_called_as_sentences_do(self):
        self.has('locks', 'balancer_locks', [lock()])
        self.has_events()
        self.run_ok('history', '--lock', 'host[esx1]')
        self.assertEqual(self.asked_for(), {'lock': ['host'], 'group': ['esx1']})

    def test_json_is_what_the_api_says(self):
        events = [event('mood', worker='w1')]
        self.has_events(*events)
        self.assertEqual(json.loads(self.run_ok('history', '--json')), events)
