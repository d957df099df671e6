# SPDX-License-Identifier: GPL-2.0-or-later
"""Workers and builders are controlled as anything else of Buildbot's is."""

from __future__ import annotations

from buildbot.data.exceptions import InvalidControlException
from buildbot.data.exceptions import InvalidPathError
from buildbot.www.rest import BadJsonRpc2
from parameterized import parameterized
from support.facades import NOW
from support.facades import Api
from support.facades import worker_sight
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.explain.sights import BuilderSight


class Control(SynchronousTestCase):
    def setUp(self):
        self.api = Api()
        self.facade = self.api.facade
        self.facade.sight.all_workers = [worker_sight(4)]
        self.facade.sight.all_builders = [BuilderSight(builderid=2, name='win')]

    def done(self, path, action, **args):
        answer = self.successResultOf(self.api.control(path, action, **args))
        (done,) = self.facade.control.done
        return done, answer

    def refused(self, error, path, action, **args):
        failed = self.failureResultOf(self.api.control(path, action, **args), error)
        self.assertEqual(self.facade.control.done, [])
        return failed.value

    def test_a_mood_is_set(self):
        done, answer = self.done(
            'workers/4', 'set', mood='reluctant', reason='x', until='1h', owner='ann@example.org'
        )
        self.assertEqual(done, ('set', 4, 'reluctant', 'x', NOW + 3600, 'ann@example.org'))
        self.assertIsNone(answer)

    def test_the_mood_auto_resumes(self):
        done, _ = self.done('workers/4', 'set', mood='auto', owner='ann')
        self.assertEqual(done, ('resume', 4, 'ann'))

    @parameterized.expand(
        [
            ('workers/4', 'drain', {'reason': 'x', 'until': NOW + 1}, ('drain', 4, 'x', NOW + 1)),
            ('workers/w4', 'drain', {}, ('drain', 4, None, None)),
            ('workers/4', 'resume', {}, ('resume', 4)),
            ('builders/2', 'pause', {'reason': 'x', 'until': '1h'}, ('pause', 2, 'x', NOW + 3600)),
            ('builders/win', 'pause', {}, ('pause', 2, None, None)),
            ('builders/2', 'resume', {}, ('resume builder', 2)),
        ]
    )
    def test_the_user_is_passed_on(self, path, action, args, wanted):
        done, _ = self.done(path, action, owner='ann', **args)
        self.assertEqual(done, (*wanted, 'ann'))

    def test_without_a_user_it_was_nobody(self):
        self.assertEqual(self.done('workers/4', 'resume')[0], ('resume', 4, None))

    def test_forgetting_says_how_much_there_was(self):
        done, answer = self.done('workers/4', 'forget', owner='ann')
        self.assertEqual(done, ('forget', 4, 'ann'))
        self.assertEqual(answer, {'forgotten': 3})

    @parameterized.expand(
        [
            ('workers/4', 'get'),
            ('workers/4', 'SET'),
            ('workers/4', 'pause'),
            ('workers/4', '__class__'),
            ('builders/2', 'drain'),
            ('builders/2', ''),
        ]
    )
    def test_another_action_is_one_sentence(self, path, action):
        error = self.refused(InvalidControlException, path, action)
        known = 'pause, resume' if path == 'builders/2' else 'set, drain, resume, forget'
        self.assertEqual(str(error), f'"{action}" is no action here (one of {known})')

    def test_a_long_or_hostile_action_is_cut_and_cleaned(self):
        error = self.refused(InvalidControlException, 'workers/4', '\x1b[31m' + 'x' * 10_000_000)
        self.assertLess(len(str(error)), 150)
        self.assertNotIn('\x1b', str(error))

    @parameterized.expand(
        [('requests',), ('requests/1',), ('locks/host',), ('history',), ('workers',)]
    )
    def test_nothing_else_can_be_controlled(self, path):
        self.assertRaises(InvalidControlException, self.api.control, path, 'set')

    @parameterized.expand([('workers/5', 'worker 5'), ('builders/win2', 'builder win2')])
    def test_what_there_is_not_cannot_be_controlled(self, path, what):
        error = self.refused(InvalidPathError, path, 'resume')
        self.assertEqual(str(error), f'there is no {what}')

    def test_a_bad_parameter_is_invalid(self):
        error = self.refused(BadJsonRpc2, 'workers/4', 'set', mood='lazy')
        self.assertEqual(error.jsonrpccode, -32602)
        self.assertTrue(error.message.startswith('"lazy" is no mood'))

    def test_what_the_owner_does_not_want_is_refused(self):
        self.facade.control.refusal = 'w4 is offline by the word of its owner'
        error = self.refused(BadJsonRpc2, 'workers/4', 'set', mood='eager')
        self.assertEqual(error.jsonrpccode, -32000)
        self.assertEqual(error.message, 'w4 is offline by the word of its owner')

    def test_without_a_balancer_there_is_nothing_to_control(self):
        self.api.services.clear()
        self.assertIn('no Balancer runs', str(self.refused(InvalidPathError, 'workers/4', 'set')))

    def test_one_that_starts_or_stops_does_nothing(self):
        control, self.facade.control = self.facade.control, None
        failed = self.failureResultOf(self.api.control('workers/4', 'resume'), InvalidPathError)
        self.assertIn('no Balancer runs', str(failed.value))
        self.assertEqual(control.done, [])
