# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.errors import StoreError
from buildbot_balancer.reporter.dialogue import Dialogue
from buildbot_balancer.reporter.probes.idle.helper import FRESH_FOR
from buildbot_balancer.reporter.probes.idle.helper import HelperSource
from buildbot_balancer.reporter.probes.unknown import UnknownError


class Case(SynchronousTestCase):
    def setUp(self):
        self.said = []
        self.now = 100.0
        self.helper = HelperSource(lambda: self.now)
        self.dialogue = Dialogue(self.said.append, lambda: 'eager, source: default', self.helper)

    def ask(self, line, who='a'):
        return self.dialogue.answer(line, who)


class Words(Case):
    def test_a_mood_is_the_owners_word_with_the_rest_of_the_line_as_its_reason(self):
        self.assertEqual(self.ask('reluctant using it'), 'ok: reluctant')
        self.assertEqual(self.ask('  Going-on-Holiday\r'), 'ok: going-on-holiday')
        first, second = self.said
        self.assertEqual((first.mood, first.reason), (Mood.RELUCTANT, 'using it'))
        self.assertEqual((second.mood, second.reason), (Mood.GOING_ON_HOLIDAY, None))
        self.assertEqual({one.source for one in self.said}, {'socket'})
        self.assertNotEqual(first.id, second.id)

    def test_auto_leaves_it_to_the_machine(self):
        self.assertEqual(self.ask('auto'), 'ok: auto')
        self.assertIsNone(self.said[0].mood)

    def test_status_says_the_state_and_nothing_is_changed(self):
        self.assertEqual(self.ask('status'), 'eager, source: default')
        self.assertEqual(self.said, [])

    def test_what_is_not_understood_is_answered_with_one_sentence(self):
        for line in ('', 'reluctent', 'auto now', 'idle', 'idle -1', 'idle nan', 'idle 1e99'):
            answer = self.ask(line)
            self.assertTrue(answer.startswith('error: '), (line, answer))
            self.assertNotIn('\n', answer)
        self.assertIn('did you mean "reluctant"', self.ask('reluctent'))
        self.assertEqual(self.said, [])

    def test_a_word_that_cannot_be_kept_is_said(self):
        def fails(said):
            raise StoreError('cannot write x: no space')

        self.dialogue = Dialogue(fails, str, self.helper)
        self.assertEqual(self.ask('eager'), 'error: cannot write x: no space')

    def test_controls_of_a_reason_are_taken_out(self):
        self.ask('offline \x1b[1mmine\u202e')
        self.assertEqual(self.said[0].reason, '[1mmine')


class Helpers(Case):
    def uses(self):
        return [(use.seconds, use.display) for use in self.helper.look(0)]

    def test_seconds_without_input_are_a_use_that_long_ago(self):
        self.assertEqual(self.ask('idle 12.5 :0'), 'ok')
        self.now += 10
        self.assertEqual(self.uses(), [(22.5, ':0')])

    def test_each_helper_speaks_for_itself_and_its_last_word_counts(self):
        self.ask('idle 5', 'a')
        self.ask('idle 50', 'b')
        self.ask('idle 0', 'a')
        self.assertEqual(sorted(self.uses()), [(0, ''), (50, '')])

    def test_one_that_has_gone_or_is_silent_says_nothing(self):
        self.assertRaises(UnknownError, self.helper.look, 0)
        self.ask('idle 5', 'a')
        self.dialogue.ended('a')
        self.assertRaises(UnknownError, self.helper.look, 0)
        self.ask('idle 5', 'a')
        self.now += FRESH_FOR + 1
        self.assertRaises(UnknownError, self.helper.look, 0)
