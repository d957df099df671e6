# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from support.logs import LogLines
from support.reporters import NOW
from support.reporters import FakeLink
from support.reporters import ManualReactor
from support.reporters import new_folder
from support.reporters import new_worker
from twisted.internet import error
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.answer import Answer
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.reporter import leftovers
from buildbot_balancer.reporter import reporter as module
from buildbot_balancer.reporter import status
from buildbot_balancer.reporter import word
from buildbot_balancer.reporter.link import NotConnectedError
from buildbot_balancer.reporter.reporter import RETRY_AFTER
from buildbot_balancer.reporter.reporter import SEND_TIMEOUT
from buildbot_balancer.reporter.reporter import Reporter
from buildbot_balancer.reporter.sampler import Sampler
from buildbot_balancer.reporter.word import Word

HOLIDAY = Word(mood=Mood.GOING_ON_HOLIDAY, draining=True, id='a' * 16)


class Probe:
    name = 'load'

    def __init__(self):
        self.load = 0.5

    def sample(self, now):
        if isinstance(self.load, Exception):
            raise self.load
        return self.load


class Case(SynchronousTestCase):
    def setUp(self):
        self.patch(module, 'make_link', FakeLink)
        self.patch(leftovers, 'find', lambda basedir: list(self.left))
        self.left = []
        self.basedir = new_folder(self)
        self.reactor = ManualReactor()
        self.probe = Probe()
        self.reporter = Reporter(
            new_worker(self.basedir), reactor=self.reactor, sampler=Sampler([self.probe])
        )
        self.link = self.reporter._link
        self.link.up = False
        self.addCleanup(self.stop)

    def stop(self):
        if self.reporter.running:
            self.reporter.stopService()

    def start(self):
        self.reporter.startService()

    def greet(self):
        self.reporter._answered(Answer())

    def begin(self):
        """Started, greeted, and what was sent so far is forgotten."""
        self.start()
        self.greet()
        self.link.sent.clear()

    def say(self, **said):
        word.save(self.basedir, Word(id=word.new_id(), **said))

    def answer(self, **said):
        self.reporter._answered(
            Answer(incarnation=self.reporter.incarnation, seq=self.reporter._seq, **said)
        )

    def status(self):
        return status.load(self.basedir)


class Heartbeat(Case):
    def test_nothing_is_sent_before_a_greeting(self):
        self.start()
        self.say(mood=Mood.OFFLINE)
        self.reactor.pass_time(60)
        self.reporter._ready()
        self.assertEqual(self.link.sent, [])

    def test_a_greeting_brings_the_whole_state_at_once(self):
        self.say(mood=Mood.RELUCTANT, reason='mine')
        self.start()
        self.greet()
        report = self.link.sent[0]
        self.assertEqual((report.mood, report.reason, report.load), (Mood.RELUCTANT, 'mine', 0.5))
        self.assertEqual((report.incarnation, report.seq), (self.reporter.incarnation, 1))

    def test_it_comes_every_interval(self):
        self.begin()
        self.reactor.pass_time(9.5)
        self.assertEqual(self.link.sent, [])
        self.reactor.pass_time(1)
        self.assertEqual(len(self.link.sent), 1)
        self.reactor.pass_time(50)
        self.assertEqual(len(self.link.sent), 6)

    def test_each_report_has_a_number_of_its_own(self):
        self.begin()
        self.reactor.pass_time(30)
        self.say(mood=Mood.OFFLINE)
        self.reactor.pass_time(1)
        numbers = [one.seq for one in self.link.sent]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(len(numbers), 4)

    def test_a_change_of_the_owners_mind_is_told_within_half_a_second(self):
        self.begin()
        self.say(mood=Mood.OFFLINE)
        self.reactor.pass_time(0.5)
        self.assertEqual([one.mood for one in self.link.sent], [Mood.OFFLINE])

    def test_a_new_word_with_the_same_mood_is_told_with_its_id(self):
        self.say(mood=Mood.OFFLINE)
        self.begin()
        before = self.reporter.report().word
        self.say(mood=Mood.OFFLINE)
        self.reactor.pass_time(10.5)
        self.assertNotEqual(self.link.sent[-1].word, before)

    def test_a_word_ends_by_itself_when_its_time_has_come(self):
        self.say(mood=Mood.OFFLINE, until=NOW + 95)
        self.begin()
        self.reactor.pass_time(94)
        self.assertEqual({one.mood for one in self.link.sent}, {Mood.OFFLINE})
        self.assertEqual(self.status().until, NOW + 95)
        self.link.sent.clear()
        self.reactor.pass_time(1.5)
        first = self.link.sent[0]
        self.assertEqual((first.mood, first.source, first.until), (Mood.EAGER, 'default', None))
        self.assertEqual(self.status().mood, 'eager')

    def test_after_it_was_stopped_nothing_happens_any_more(self):
        self.begin()
        self.reporter.stopService()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.reactor.pass_time(60)
        self.assertEqual(self.link.sent, [])

    def test_an_error_in_a_look_is_logged_and_the_next_one_comes(self):
        self.begin()
        stock = self.reporter._desk.look
        self.reporter._desk.look = lambda: 1 / 0
        self.reactor.pass_time(1)
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))
        self.reporter._desk.look = stock
        self.say(mood=Mood.OFFLINE)
        self.reactor.pass_time(0.5)
        self.assertEqual(self.link.sent[-1].mood, Mood.OFFLINE)


class Knocking(Case):
    def test_attached_to_a_worker_that_is_up_it_knocks(self):
        self.link.up = True
        self.start()
        self.assertEqual(self.link.sent[0].seq, 1)

    def test_a_stock_master_that_refuses_the_knock_hears_no_more(self):
        self.link.up, self.link.answer_at_once = True, False
        lines = LogLines(self)
        self.start()
        self.link.answers[0].errback(AttributeError('no such method'))
        sent = len(self.link.sent)
        self.reactor.pass_time(60)
        self.assertEqual(len(self.link.sent), sent)
        self.assertEqual(lines.ours(), [])
        self.assertEqual(self.flushLoggedErrors(), [])


class Sending(Case):
    def setUp(self):
        super().setUp()
        self.begin()
        self.link.answer_at_once = False

    def beat(self):
        self.reactor.pass_time(10.2)
        return self.link.answers[-1]

    def test_a_call_that_is_never_answered_is_tried_again_after_a_timeout(self):
        self.beat()
        sent = len(self.link.sent)
        self.assertTrue(self.reporter._hearing.hears)
        self.reactor.advance(SEND_TIMEOUT - 0.01)
        self.assertTrue(self.reporter._hearing.listening)
        between = len(self.link.sent)
        self.reactor.advance(0.02)
        self.assertFalse(self.reporter._hearing.hears)
        self.reactor.advance(RETRY_AFTER)
        self.assertGreater(len(self.link.sent), between)
        self.assertGreater(self.link.sent[-1].seq, self.link.sent[sent - 1].seq)

    def test_a_lost_connection_is_tried_again_a_second_later_once(self):
        self.beat().errback(error.ConnectionLost())
        sent = len(self.link.sent)
        self.reactor.advance(RETRY_AFTER - 0.1)
        self.assertEqual(len(self.link.sent), sent)
        self.reactor.advance(0.2)
        self.assertEqual(len(self.link.sent), sent + 1)

    def test_many_that_fail_at_once_are_one_retry(self):
        answers = [self.link.send(self.reporter.report().to_wire()) for _ in range(3)]
        for answer in answers:
            answer.addErrback(self.reporter._not_taken)
            answer.errback(error.ConnectionLost())
        sent = len(self.link.sent)
        self.reactor.advance(RETRY_AFTER)
        self.assertEqual(len(self.link.sent), sent + 1)

    def test_without_a_connection_nothing_is_retried(self):
        self.beat().errback(NotConnectedError('x'))
        sent = len(self.link.sent)
        self.reactor.advance(RETRY_AFTER + 0.1)
        self.assertEqual(len(self.link.sent), sent)
        self.assertFalse(self.reporter._hearing.hears)

    def test_refusals_are_one_line_a_minute_and_the_reports_go_on(self):
        lines = LogLines(self)
        self.beat().errback(ValueError('your report\nis bad'))
        self.beat().callback('your report is bad too')
        self.assertFalse(self.reporter._hearing.hears)
        self.assertEqual(len(lines.ours()), 1)
        self.assertEqual(len(lines.ours()[0].splitlines()), 1)
        self.assertIn('the master refused a report: your report is bad', lines.ours()[0])
        self.reactor.pass_time(50)
        self.beat().callback('bad')
        self.assertEqual(len(lines.ours()), 2)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_lost_connection_forgets_the_count_and_a_greeting_sends_the_whole_state(self):
        self.answer(running=2)
        self.assertEqual(self.status().running, 2)
        self.reporter._lost()
        found = self.status()
        self.assertEqual((found.connected, found.running), (False, None))
        self.link.sent.clear()
        self.say(mood=Mood.OFFLINE, reason='away')
        self.reactor.pass_time(30)
        self.assertEqual(self.link.sent, [])
        self.greet()
        self.assertEqual([one.reason for one in self.link.sent], ['away'])


class Values(Case):
    def test_a_probe_that_hangs_makes_the_values_unknown_and_the_beat_goes_on(self):
        self.begin()
        self.reactor.threads.hang = True
        self.reactor.pass_time(25)
        self.assertIsNone(self.link.sent[-1].load)
        self.assertEqual(len(self.reactor.threads.jobs), 1)  # and is not asked again meanwhile
        beats = len(self.link.sent)
        self.reactor.pass_time(10)
        self.assertEqual(len(self.link.sent), beats + 1)
        self.reactor.threads.let_go()
        self.assertEqual(self.link.sent[-1].load, 0.5)

    def test_what_comes_after_the_end_is_not_sent(self):
        self.begin()
        self.reactor.threads.hang = True
        self.reactor.pass_time(10.5)
        self.reporter.stopService()
        self.link.sent.clear()
        self.reactor.threads.let_go()
        self.assertEqual(self.link.sent, [])

    def test_a_probe_that_fails_makes_its_value_unknown(self):
        self.begin()
        self.probe.load = OSError('gone')
        self.reactor.pass_time(10.5)
        self.assertIsNone(self.link.sent[-1].load)
        self.assertIsNone(self.status().load)

    def test_a_sampler_that_fails_as_a_whole_makes_all_values_unknown(self):
        self.begin()
        self.reporter._sampler.sample = lambda now: 1 / 0
        self.reactor.pass_time(10.5)
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))
        self.assertIsNone(self.link.sent[-1].load)

    def test_a_value_that_cannot_be_written_does_not_stop_the_owners_word(self):
        self.begin()
        self.probe.load = float('nan')
        self.reactor.pass_time(10.5)
        self.flushLoggedErrors()
        self.say(mood=Mood.OFFLINE)
        self.reactor.pass_time(11)
        self.flushLoggedErrors()
        self.assertIn(Mood.OFFLINE, [one.mood for one in self.link.sent])
