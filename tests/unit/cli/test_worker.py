# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from support.stage import API
from support.stage import Reply
from support.stage import StageCase
from support.stage import worker

DONE = Reply.of(200, {'jsonrpc': '2.0', 'id': 1, 'result': None})


class Worker(StageCase):
    def setUp(self):
        super().setUp()
        self.has('workers', 'balancer_workers', [worker('anna', workerid=5)])
        self.stage.replies[f'{API}workers/5'] = DONE

    def test_a_mood_is_set(self):
        output = self.run_ok('worker', 'set', 'anna', 'Going_on_holiday', '--reason', 'repair')
        self.assertEqual(output, 'anna: going-on-holiday (repair)\n')
        params = {'mood': 'going-on-holiday', 'reason': 'repair'}
        self.assertEqual(self.posted(), [('workers/5', 'set', params)])

    def test_an_end_goes_with_it(self):
        self.assertIn('until', self.run_ok('worker', 'set', 'anna', 'offline', '--until', '2h'))
        self.assertIn('until', self.posted()[0][2])

    def test_auto_and_resume_are_one(self):
        for args in (('set', 'anna', 'auto'), ('resume', 'anna')):
            self.assertEqual(self.run_ok('worker', *args), 'anna: auto\n')
            self.assertEqual(self.posted()[-1], ('workers/5', 'resume', {}))

    def test_it_drains(self):
        self.assertEqual(
            self.run_ok('worker', 'drain', 'anna', '--reason', 'moves'), 'anna: drains (moves)\n'
        )
        self.assertEqual(self.posted(), [('workers/5', 'drain', {'reason': 'moves'})])

    def test_its_history_is_forgotten(self):
        self.stage.replies[f'{API}workers/5'] = Reply.of(200, {'result': {'forgotten': 1}})
        self.assertEqual(
            self.run_ok('worker', 'forget', 'anna'), 'anna: its history is deleted (1 event)\n'
        )
        self.assertEqual(self.posted(), [('workers/5', 'forget', {})])

    def test_bad_input_is_refused_before_the_master_is_asked(self):
        self.assertIn('did you mean "eager"', self.refused(2, 'worker', 'set', 'anna', 'eagre'))
        self.refused(2, 'worker', 'set', 'anna', 'auto', '--reason', 'x')
        self.refused(2, 'worker', 'drain', 'anna', '--until', 'soon')
        self.assertEqual(self.stage.asked, [])

    def test_an_unknown_worker_gets_the_nearest_name(self):
        for args in (
            ('set', 'ana', 'eager'),
            ('drain', 'ana'),
            ('resume', 'ana'),
            ('forget', 'ana'),
        ):
            said = self.refused(3, 'worker', *args)
            self.assertIn('there is no worker "ana"; did you mean "anna"?', said)
        self.assertEqual(self.posted(), [])

    def test_an_owners_no_is_the_masters_sentence(self):
        error = {'code': -32000, 'message': 'anna: its owner said offline'}
        self.stage.replies[f'{API}workers/5'] = Reply.of(400, {'error': error})
        said = self.refused(4, 'worker', 'set', 'anna', 'eager')
        self.assertEqual(said, 'Error: anna: its owner said offline')
