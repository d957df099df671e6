# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import json
import time
from unittest import mock

from support.stage import API
from support.stage import StageCase
from support.stage import builder
from support.stage import lock
from support.stage import request
from support.stage import worker

from buildbot_balancer.cli import why


class Case(StageCase):
    def setUp(self):
        super().setUp()
        self.has('builders', 'balancer_builders', [builder('win'), builder('7', builderid=4)])
        self.has('requests', 'balancer_requests', [])


class Everything(Case):
    def has_requests(self, *items):
        self.has('requests', 'balancer_requests', list(items))

    def test_nothing_that_waits_is_said(self):
        self.assertEqual(self.run_ok('why'), 'No request waits.\n')

    def test_it_counts_requests_by_builder_and_reason_and_what_hinders_most(self):
        self.has_requests(
            *(request(n) for n in range(3)),
            request(9, buildername='linux', state='stuck', reason='no worker', verdicts=[]),
        )
        lines = self.run_ok('why').splitlines()
        self.assertEqual(
            lines[0], '4 requests wait for 2 builders, 1 of them stuck: waiting does not help.'
        )
        self.assertEqual(
            lines[3].split(maxsplit=3),
            [
                'win',
                '3',
                'waiting',
                '0 of 2 workers: 2 busy',
            ],
        )
        self.assertEqual(lines[4].split(maxsplit=3), ['linux', '1', 'stuck', 'no worker'])
        self.assertEqual(lines[7].split(maxsplit=2), ['busy', '3', 'w1, w2'])

    def test_one_is_not_several(self):
        self.has_requests(request())
        self.assertEqual(self.run_ok('why').splitlines()[0], '1 request waits for 1 builder.')

    def test_a_picture_of_a_part_says_so(self):
        self.has_requests(*(request(n) for n in range(5)))
        with mock.patch.object(why, 'MOST', 2):
            output = self.run_ok('why')
        self.assertIn('5 requests wait', output)
        self.assertIn('Only the first 2 are counted below.', output)

    def test_rows_are_limited_and_the_rest_said(self):
        self.has_requests(*(request(n, buildername=f'b{n}') for n in range(5)))
        output = self.run_ok('why', '--limit', '2')
        self.assertNotIn('b2', output)
        self.assertIn('3 more not shown (--limit)', output)

    def test_json_is_all_requests(self):
        items = [request(n) for n in range(3)]
        self.has_requests(*items)
        self.assertEqual(json.loads(self.run_ok('why', '--json', '--limit', '1')), items)


class Builders(Case):
    def has_requests(self, builderid, *items):
        self.has(f'builders/{builderid}/requests', 'balancer_requests', list(items))

    def test_its_requests_are_shown_in_their_order(self):
        submitted = time.time() - 245
        self.has_requests(3, request(7, submitted_at=submitted), request(8, position=4))
        lines = self.run_ok('why', 'win').splitlines()
        self.assertEqual(lines[0], 'win: 2 requests wait')
        self.assertEqual(
            lines[2].split(maxsplit=6),
            [
                '1',
                '7',
                '0',
                '4',
                'min',
                'waiting',
                '0 of 2 workers: 2 busy',
            ],
        )
        self.assertEqual(lines[3].split()[:2], ['4', '8'])

    def test_a_pause_is_said_with_its_reason(self):
        self.has_requests(3)
        paused = builder(paused=True, reason='release', by='ann', until=time.time() + 60)
        self.has('builders', 'balancer_builders', [paused])
        self.assertRegex(
            self.run_ok('why', 'win'),
            r'^win: 0 requests wait\n  paused until \d\d:\d\d by ann \(release\)\n$',
        )

    def test_digits_are_a_request_unless_the_option_says_otherwise(self):
        self.has_requests(4, request(1))
        self.assertTrue(self.run_ok('why', '--builder', '7').startswith('7: 1 request waits'))
        said = self.refused(3, 'why', '7')
        self.assertIn('there is no request 7', said)
        self.assertIn('--builder 7', said)

    def test_more_than_fit_are_counted(self):
        self.has_requests(3, *(request(n) for n in range(9)))
        self.assertIn('7 more not shown', self.run_ok('why', 'win', '--limit', '2'))

    def test_json_is_its_requests(self):
        items = [request(n) for n in range(3)]
        self.has_requests(3, *items)
        self.assertEqual(json.loads(self.run_ok('why', 'win', '--json', '--limit', '1')), items)

    def test_an_unknown_builder_gets_the_nearest_name(self):
        said = self.refused(3, 'why', 'wim\x1b')
        self.assertIn('there is no builder "wim"; did you mean "win"?', said)


class Requests(Case):
    def has_request(self, **more):
        self.has_one('requests/7', 'balancer_requests', request(7, **more))

    def test_a_pending_one_says_its_place_its_reason_and_who_is_in_the_way(self):
        self.has_request(submitted_at=time.time() - 245, position=3, priority=5)
        lines = self.run_ok('why', '7').splitlines()
        self.assertEqual(lines[0], 'request 7 of win: waiting')
        self.assertEqual(lines[1], '  priority 5, submitted 4 min ago, place 3 in the queue')
        self.assertEqual(lines[2], '  0 of 2 workers: 2 busy')
        self.assertEqual(lines[4].split(maxsplit=2), ['busy', '2', 'w1, w2'])

    def test_one_that_runs_has_no_place(self):
        self.has_request(state='running', position=None, reason='runs on w1', verdicts=[])
        output = self.run_ok('why', '7')
        self.assertIn('request 7 of win: running\n', output)
        self.assertIn('\n  runs on w1\n', output)
        self.assertNotIn('place', output)

    def test_an_unknown_one_is_said(self):
        self.assertEqual(self.refused(3, 'why', '1234'), 'Error: there is no request 1234')

    def test_json_is_the_request(self):
        self.has_request()
        self.assertEqual(json.loads(self.run_ok('why', '7', '--json')), request(7))


class ExitCodes(Case):
    def code(self, *args):
        return self.run_it('why', *args).exit_code

    def test_without_the_option_an_answer_is_0(self):
        self.has_one('requests/7', 'balancer_requests', request(7, state='stuck'))
        self.assertEqual(self.code('7'), 0)

    def test_with_it_the_code_tells_the_state(self):
        for state, code in (
            ('running', 0),
            ('complete', 0),
            ('queued', 5),
            ('waiting', 5),
            ('paused', 5),
            ('stuck', 6),
        ):
            item = request(7, state=state)
            self.has_one('requests/7', 'balancer_requests', item)
            self.has('requests', 'balancer_requests', [item])
            self.has('builders/3/requests', 'balancer_requests', [item])
            for args in (('7',), ('7', '--json'), ('win',), ()):
                self.assertEqual(self.code('--exit-code', *args), code, (state, args))

    def test_what_is_wrong_keeps_its_own_code(self):
        self.assertEqual(self.code('--exit-code', '1234'), 3)
        self.assertEqual(self.code('--exit-code', 'winn'), 3)

    def test_it_is_about_requests_only(self):
        for args in (('--worker', 'w1'), ('--lock', 'host')):
            self.assertEqual(self.code('--exit-code', *args), 2)
        self.assertEqual(self.stage.asked, [])


class Others(Case):
    def test_a_worker_says_what_it_does_or_why_it_gets_nothing(self):
        item = worker(
            'anna', mood='reluctant', reason='using it', source='owner', reported_at=time.time() - 9
        )
        self.has('workers', 'balancer_workers', [worker('bob'), item])
        one, two, three = self.run_ok('why', '--worker', 'anna').splitlines()
        self.assertEqual(one, 'anna: reluctant (using it), source: owner')
        self.assertRegex(two, r'^  load 0.50 per CPU, 1 build runs, last heard \d+ s ago$')
        self.assertEqual(three, '  runs win #41')

    def test_a_silent_worker_is_said_to_be(self):
        silent = worker('anna', reported_at=time.time() - 250, fresh=False, load=None, running=2)
        self.has('workers', 'balancer_workers', [silent, worker('bob', reported_at=None)])
        output = self.run_ok('why', '--worker', 'anna')
        self.assertIn('  load unknown, 2 builds run, last heard 4 min ago, too long\n', output)
        self.assertIn('has reported nothing', self.run_ok('why', '--worker', 'bob'))

    def test_a_lock_says_who_holds_it_and_who_waits_in_what_order(self):
        summary = '2 of 2 held by win #41, win #42; 1 waits'
        self.has('locks', 'balancer_locks', [lock(summary=summary), lock(group='esx2', holders=[])])
        lines = self.run_ok('why', '--lock', 'host').splitlines()
        self.assertEqual(lines[0], f'host[esx1]: {summary}')
        self.assertEqual(lines[2].split()[:5], ['holds', 'win', '#41', 'counting', '1'])
        self.assertTrue(lines[2].endswith('w1'))
        self.assertEqual(lines[4].split()[:3], ['waits,', '1.', 'request'])
        self.assertEqual(lines[5], 'host[esx2]: 2 of 2 held')

    def test_one_group_of_a_lock_may_be_asked_for_as_sentences_call_it(self):
        self.has('locks', 'balancer_locks', [lock(), lock(group='esx2')])
        output = self.run_ok('why', '--lock', 'host[esx2]')
        self.assertIn('host[esx2]:', output)
        self.assertNotIn('host[esx1]', output)

    def test_a_lock_without_a_summary_says_how_much_is_held(self):
        self.has('locks', 'balancer_locks', [lock(summary='', holders=[], waiters=[], group='')])
        self.assertEqual(self.run_ok('why', '--lock', 'host'), 'host: 2/2 held\n')

    def test_json_is_the_worker_and_all_groups_of_the_lock(self):
        groups = [lock(), lock(group='esx2')]
        self.has('workers', 'balancer_workers', [worker()])
        self.has('locks', 'balancer_locks', [*groups, lock('other')])
        self.assertEqual(json.loads(self.run_ok('why', '--worker', 'w1', '--json')), worker())
        self.assertEqual(json.loads(self.run_ok('why', '--lock', 'host', '--json')), groups)

    def test_unknown_names_get_the_nearest_one(self):
        self.has('workers', 'balancer_workers', [worker('ANNA')])
        self.has('locks', 'balancer_locks', [lock()])
        self.assertIn('did you mean "ANNA"?', self.refused(3, 'why', '--worker', 'ana'))
        self.assertIn('did you mean "host"?', self.refused(3, 'why', '--lock', 'hosts'))

    def test_two_things_at_once_are_bad_usage(self):
        for args in (('win', '--worker', 'w1'), ('--lock', 'a', '--builder', 'b'), ('a', 'b')):
            self.assertEqual(self.run_it('why', *args).exit_code, 2)
        self.assertEqual(self.stage.asked, [])

    def test_a_builders_name_is_asked_for_by_its_id(self):
        self.has('builders/3/requests', 'balancer_requests', [])
        self.run_ok('why', 'win')
        self.assertEqual(
            [asked.path for asked in self.stage.asked],
            [f'{API}builders', f'{API}builders/3/requests'],
        )
