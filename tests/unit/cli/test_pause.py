# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import time

from support.stage import API
from support.stage import Reply
from support.stage import StageCase
from support.stage import builder

DONE = Reply.of(200, {'jsonrpc': '2.0', 'id': 1, 'result': None})


class Case(StageCase):
    def setUp(self):
        super().setUp()
        self.has('builders', 'balancer_builders', [builder('win'), builder('7', builderid=4)])
        self.stage.replies[f'{API}builders/3'] = DONE
        self.stage.replies[f'{API}builders/4'] = DONE


class Pause(Case):
    def test_the_builder_is_paused_by_its_id(self):
        self.assertEqual(self.run_ok('pause', 'win'), 'win: paused\n')
        self.assertEqual(self.posted(), [('builders/3', 'pause', {})])
        self.assertEqual(self.stage.asked[-1].body['jsonrpc'], '2.0')
        self.assertEqual(self.stage.asked[-1].headers['content-type'], 'application/json')

    def test_reason_and_end_go_with_it(self):
        before = time.time()
        output = self.run_ok('pause', 'win', '--reason', 'a\x1brelease', '--until', '2h')
        ((_, _, params),) = self.posted()
        self.assertEqual(params['reason'], 'arelease')
        self.assertTrue(before + 7199 <= params['until'] <= time.time() + 7200)
        self.assertIn('win: paused until ', output)
        self.assertIn('(arelease)', output)

    def test_a_builder_may_be_called_as_a_number(self):
        self.run_ok('pause', '7')
        self.assertEqual(self.posted(), [('builders/4', 'pause', {})])

    def test_an_unknown_builder_gets_the_nearest_name(self):
        said = self.refused(3, 'pause', 'WINN')
        self.assertIn('there is no builder "WINN"; did you mean "win"?', said)
        self.assertNotIn('did you mean', self.refused(3, 'pause', 'something else'))

    def test_a_time_that_is_over_is_refused_before_the_master_is_asked(self):
        self.refused(2, 'pause', 'win', '--until', '2001-01-01')
        self.assertEqual(self.stage.asked, [])


class Refusals(Case):
    def answers(self, status, code, message):
        error = {'code': code, 'message': message}
        self.stage.replies[f'{API}builders/3'] = Reply.of(
            status, {'jsonrpc': '2.0', 'error': error}
        )

    def test_who_may_not_is_told(self):
        self.answers(403, -32600, "you need to have role 'admins'")
        self.assertIn("role 'admins'", self.refused(4, 'pause', 'win'))

    def test_a_no_of_the_master_is_its_sentence(self):
        self.answers(400, -32000, 'the owner refuses builds')
        self.assertEqual(self.refused(4, 'pause', 'win'), 'Error: the owner refuses builds')

    def test_what_the_master_does_not_understand_is_its_sentence(self):
        self.answers(501, -32601, '"pause" is no action here')
        self.assertEqual(self.refused(2, 'pause', 'win'), 'Error: "pause" is no action here')

    def test_a_builder_that_is_gone_meanwhile_is_unknown(self):
        self.answers(404, -32600, 'there is no builder 3')
        self.assertEqual(self.refused(3, 'pause', 'win'), 'Error: there is no builder 3')

    def test_an_answer_that_is_none_is_said(self):
        for reply in (Reply(200, b'{}'), Reply(200, b'{"error": {}}'), Reply(502, b'')):
            self.stage.replies[f'{API}builders/3'] = reply
            self.refused(2, 'pause', 'win')

    def test_a_builder_without_an_id_is_said(self):
        self.has('builders', 'balancer_builders', [{'name': 'win'}])
        self.assertIn('gives win no builderid', self.refused(2, 'pause', 'win'))


class Unpause(Case):
    def test_the_builder_resumes(self):
        self.assertEqual(self.run_ok('unpause', 'win'), 'win: not paused\n')
        self.assertEqual(self.posted(), [('builders/3', 'resume', {})])

    def test_an_unknown_builder_gets_the_nearest_name(self):
        self.assertIn('did you mean "win"?', self.refused(3, 'unpause', 'winn'))
