# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from support.logs import LogLines
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.record.gates import TIMEOUT
from buildbot_balancer.master.record.gates import Gates
from buildbot_balancer.policy.gate import Gate
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

REQUEST = RequestView(id=1, builder='b')


class Asking(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1000)
        self.changed = []
        self.gates = Gates(self.clock, self.changed.append)
        self.addCleanup(self.gates.stop)
        self.asked = []
        self.says = True
        self.lines = LogLines(self)

    def check(self, name):
        self.asked.append(name)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def watch(self, gate, workers=('w1',)):
        self.gates.watch([gate], workers)
        return gate

    def verdict(self, gate, name='w1'):
        return gate.check(REQUEST, WorkerView(name=name), self.clock.seconds())

    def test_each_worker_that_matches_is_asked_about_at_once(self):
        gate = self.watch(Gate('w*', self.check), ('w2', 'w1', 'other'))
        self.assertEqual(self.asked, ['w1', 'w2'])
        self.assertTrue(self.verdict(gate, 'w2').passes)
        self.assertEqual(self.changed, ['w1', 'w2'])

    def test_it_is_asked_again_every_so_many_seconds(self):
        self.watch(Gate('w1', self.check, every=30))
        self.clock.advance(29)
        self.assertEqual(len(self.asked), 1)
        self.clock.advance(1)
        self.assertEqual(len(self.asked), 2)

    def test_the_builders_are_woken_only_when_the_answer_is_another_one(self):
        self.watch(Gate('w1', self.check, every=1))
        self.clock.pump([1] * 5)
        self.assertEqual(self.changed, ['w1'])
        self.says = False
        self.clock.pump([1] * 5)
        self.assertEqual(self.changed, ['w1', 'w1'])

    def test_a_gate_that_opens_while_it_cools_down_wakes_builders_that_then_know_when(self):
        self.says = False
        gate = self.watch(Gate('w1', self.check, every=1, cooldown=10))
        self.assertEqual(self.verdict(gate).code, 'gate')  # what a builder was told that waits
        self.changed.clear()
        self.says = True
        self.clock.advance(1)
        self.assertEqual(self.changed, ['w1'])
        verdict = self.verdict(gate)
        self.assertEqual((verdict.passes, verdict.again_at), (False, 1010))
        self.clock.pump([1] * 9)
        self.assertTrue(self.verdict(gate).passes)

    def test_two_gates_of_one_worker_do_not_repeat_each_others_lines(self):
        def broken(name):
            raise OSError('gone')

        self.gates.watch([Gate('w1', broken, every=1), Gate('w1', self.check, every=1)], ['w1'])
        self.clock.pump([1] * 5)
        self.assertEqual(len(self.lines.ours()), 1)

    def test_a_deferred_is_waited_for_and_not_asked_twice_meanwhile(self):
        self.says = defer.Deferred()
        gate = self.watch(Gate('w1', self.check, every=30))
        self.clock.advance(20)
        self.assertEqual(self.verdict(gate).code, 'gate-unknown')
        self.says.callback(True)
        self.assertTrue(self.verdict(gate).passes)
        self.assertEqual(len(self.asked), 1)

    def test_one_that_does_not_answer_is_closed_and_said_once(self):
        self.says = defer.Deferred()
        gate = self.watch(Gate('w1', self.check, every=10))
        self.clock.advance(10)
        verdict = self.verdict(gate)
        self.assertEqual((verdict.passes, verdict.code), (False, 'gate-error'))
        self.assertIn('did not answer in time', verdict.sentence)
        self.says = defer.Deferred()
        self.clock.pump([1] * 25)
        self.assertGreater(len(self.asked), 1)  # it is asked again all the same
        self.assertEqual(len(self.lines.ours()), 1)

    def test_a_rare_gate_is_given_a_minute_to_answer(self):
        self.says = defer.Deferred()
        gate = self.watch(Gate('w1', self.check, every=3600))
        self.clock.advance(TIMEOUT - 1)
        self.assertEqual(self.verdict(gate).code, 'gate-unknown')
        self.clock.advance(1)
        self.assertEqual(self.verdict(gate).code, 'gate-error')

    def test_a_late_answer_does_no_harm(self):
        self.says = late = defer.Deferred()
        gate = self.watch(Gate('w1', self.check, every=10))
        self.clock.advance(10)
        late.callback(True)
        self.assertFalse(self.verdict(gate).passes)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_one_that_raises_is_closed_said_once_and_opens_again(self):
        self.says = ValueError('no\nrouter')
        gate = self.watch(Gate('w1', self.check, every=1))
        self.clock.pump([1] * 5)
        verdict = self.verdict(gate)
        self.assertIn('raised ValueError: no router', verdict.sentence)
        self.assertEqual(len(self.lines.ours()), 1)
        self.assertIn('it is closed', self.lines.ours()[0])
        self.says = True
        self.clock.advance(1)
        self.assertTrue(self.verdict(gate).passes)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_one_that_fails_later_is_closed(self):
        self.says = defer.Deferred()
        gate = self.watch(Gate('w1', self.check))
        self.says.errback(OSError('gone'))
        self.assertIn('raised OSError: gone', self.verdict(gate).sentence)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_failure_with_one_worker_does_not_keep_the_others_from_being_asked(self):
        def check(name):
            self.asked.append(name)
            if name == 'w1':
                raise OSError('gone')
            return True

        gate = self.watch(Gate('w*', check, every=1), ('w1', 'w2'))
        self.clock.advance(1)
        self.assertEqual(self.asked, ['w1', 'w2'] * 2)
        self.assertTrue(self.verdict(gate, 'w2').passes)

    def test_the_name_is_given_to_who_takes_one(self):
        class Asks:
            def method(self, name):
                return name == 'w1'

            def __call__(self, name):
                return name == 'w1'

        for check in (
            lambda name: name == 'w1',
            lambda name='none': name == 'w1',
            lambda *names: names == ('w1',),
            Asks().method,
            Asks(),
            {'w1': True}.get,
        ):
            self.assertTrue(self.verdict(self.watch(Gate('w1', check))).passes, check)

    def test_who_takes_nothing_is_called_with_nothing(self):
        for check in (lambda: True, lambda *, named=True: named):
            self.assertTrue(self.verdict(self.watch(Gate('w1', check))).passes)

    def test_a_new_config_takes_the_place_of_the_old_one(self):
        old = []
        self.watch(Gate('w1', old.append))
        self.watch(Gate('w2', self.check), ('w1', 'w2'))
        self.clock.pump([60] * 10)
        self.assertEqual(old, ['w1'])
        self.assertEqual(self.asked[:1], ['w2'])
        self.assertGreater(len(self.asked), 5)

    def test_after_stop_nobody_is_asked(self):
        self.watch(Gate('w1', self.check))
        self.gates.stop()
        self.gates.stop()
        self.clock.advance(600)
        self.assertEqual(len(self.asked), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_while_one_is_asked_it_is_not_asked_again(self):
        self.says = answer = defer.Deferred()
        self.watch(Gate('w1', self.check))
        self.gates.stop()
        answer.callback(True)
        self.clock.advance(600)
        self.assertEqual(len(self.asked), 1)

    def test_of_many_intervals_that_were_missed_one_is_made_up(self):
        self.watch(Gate('w1', self.check, every=10))
        self.clock.advance(1000)
        self.assertEqual(len(self.asked), 2)
