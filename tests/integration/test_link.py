# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from typing import Any

import attrs
from buildbot.util.twisted import async_to_deferred
from support.logs import LogLines
from support.masters import HeldStep
from support.masters import MasterCase

from buildbot_balancer.availability.announcement import COMMAND
from buildbot_balancer.availability.announcement import FILE
from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import Report
from buildbot_balancer.availability.wire import LIMIT
from buildbot_balancer.master.balancer import Balancer
from buildbot_balancer.reporter import attach
from buildbot_balancer.reporter import status
from buildbot_balancer.reporter.reporter import Reporter


class LinkOnPb(MasterCase):
    proto = 'pb'

    async def begin(self, names: tuple[str, ...] = ('w1',), **kwargs: Any) -> None:
        await self.start(names=names, services=[Balancer(**kwargs)])

    @async_to_deferred
    async def test_a_report_brings_load_cpus_and_host(self) -> None:
        await self.begin()
        await self.until(lambda: self.balancer.standing('w1').load is not None)
        standing = self.balancer.standing('w1')
        self.assertGreaterEqual(standing.cpus, 1)
        self.assertEqual(len(standing.host), 16)
        self.assertIn('os', standing.facts)
        self.assertIsNotNone(standing.own)

    @async_to_deferred
    async def test_the_owner_can_see_the_last_report_to_the_letter(self) -> None:
        await self.begin()
        heard = []
        hear = self.balancer.engine.fleet.hear
        self.balancer.engine.fleet.hear = lambda *args: (heard.append(args[2]), hear(*args))[1]
        self.say('w1', mood=Mood.RELUCTANT, reason='mine')
        await self.until(lambda: self.mood('w1') == 'reluctant')
        shown = status.load(self.worker_dir('w1'))
        assert shown is not None
        self.assertEqual(shown.sent, heard[-1])

    @async_to_deferred
    async def test_two_workers_on_one_machine_report_the_same_host(self) -> None:
        await self.begin(names=('w1', 'w2'))
        for name in ('w1', 'w2'):
            await self.until(lambda name=name: self.balancer.standing(name).host is not None)
        hosts = {self.balancer.standing(name).host for name in ('w1', 'w2')}
        self.assertEqual(len(hosts), 1)

    @async_to_deferred
    async def test_the_reporter_is_told_how_many_builds_run(self) -> None:
        await self.begin()
        hearing = self.reporters['w1']._hearing
        await self.until(lambda: hearing.builds == 0)
        await self.request()
        await self.started(1)
        await self.until(lambda: hearing.builds == 1)
        self.let_all_go()
        await self.until(lambda: hearing.builds == 0)

    @async_to_deferred
    async def test_a_holiday_becomes_offline_when_the_last_build_ends(self) -> None:
        await self.begin()
        await self.request()
        await self.started(1)
        self.say('w1', mood=Mood.GOING_ON_HOLIDAY, draining=True)
        await self.until(lambda: self.mood('w1') == 'going-on-holiday')
        await self.stays(lambda: self.mood('w1') == 'going-on-holiday')
        self.assertTrue(self.balancer.standing('w1').draining)
        self.let_all_go()
        await self.until(lambda: self.mood('w1') == 'offline')

    @async_to_deferred
    async def test_a_bad_report_is_refused_with_one_line_and_the_last_good_one_stays(self) -> None:
        await self.begin()
        self.say('w1', mood=Mood.RELUCTANT, reason='mine')
        await self.until(lambda: self.mood('w1') == 'reluctant')
        lines = LogLines(self)
        link = self.reporters['w1']._link
        good = self.reporters['w1'].report()
        for payload in ('{', '{"v":1}', '[]', good.to_wire().replace('reluctant', 'keen')):
            said = await link.send(payload).addErrback(lambda why: why.getErrorMessage())
            self.assertTrue(said)
        said = await link.send('"' + 'x' * LIMIT + '"').addErrback(lambda w: w.getErrorMessage())
        self.assertIn('over the limit', said)
        self.assertEqual(self.mood('w1'), 'reluctant')
        about = [line for line in lines.ours() if 'report of worker w1 was refused' in line]
        self.assertEqual(len(about), 1)  # a flood of them is no flood of lines
        self.assertFalse(self.flushLoggedErrors())

    @async_to_deferred
    async def test_a_refused_report_is_one_line_in_the_log_of_the_worker(self) -> None:
        await self.begin()
        lines = LogLines(self)
        reporter = self.reporters['w1']
        bad = Report(incarnation='x' * 200, seq=1, mood=Mood.EAGER)
        reporter.report = lambda: bad
        reporter._send()
        await self.until(
            lambda: any('the master refused a report' in line for line in lines.ours())
        )
        self.assertFalse(self.flushLoggedErrors())

    @async_to_deferred
    async def test_a_late_report_never_wins(self) -> None:
        await self.begin()
        late = self.reporters['w1'].report()
        self.say('w1', mood=Mood.OFFLINE)
        await self.until(lambda: self.mood('w1') == 'offline')
        await self.reporters['w1']._link.send(late.to_wire())
        self.assertEqual(self.mood('w1'), 'offline')

    @async_to_deferred
    async def test_a_flood_of_reports_is_read_now_and_then_and_the_newest_is_heard(self) -> None:
        await self.begin()
        lines = LogLines(self)
        reporter, read = self.reporters['w1'], []
        hear = self.balancer.engine.fleet.hear

        def counted(*args: Any) -> Any:
            read.append(args)
            return hear(*args)

        self.balancer.engine.fleet.hear = counted
        for number in range(500):
            mood = Mood.OFFLINE if number == 499 else Mood.EAGER
            report = attrs.evolve(reporter.report(), seq=reporter._seq + number, mood=mood)
            await reporter._link.send(report.to_wire())
        await self.until(lambda: self.mood('w1') == 'offline')
        self.assertLess(len(read), 250)  # 20 at once, and 5 a second
        about = [line for line in lines.ours() if 'w1 reports too often' in line]
        self.assertEqual(len(about), 1)

    @async_to_deferred
    async def test_the_same_mood_said_anew_is_heard_at_once(self) -> None:
        await self.begin()
        await self.request()
        await self.started(1)
        hearing = self.reporters['w1']._hearing
        for _ in range(2):
            self.say('w1', mood=Mood.GOING_ON_HOLIDAY, draining=True)
            seq = self.reporters['w1']._seq
            await self.until(lambda seq=seq: self.reporters['w1']._seq > seq, seconds=5)
        self.let_all_go()
        await self.until(lambda: hearing.promised, seconds=5)

    @async_to_deferred
    async def test_one_bad_number_does_not_silence_the_owner(self) -> None:
        await self.begin()
        sampler = self.reporters['w1']._sampler
        sampler.sample = lambda now: {'load': float('nan'), 'cpus': 2}
        self.reporters['w1']._beat()
        self.say('w1', mood=Mood.OFFLINE)
        await self.until(lambda: self.mood('w1') == 'offline', seconds=5)
        self.assertIsNone(self.balancer.standing('w1').load)

    @async_to_deferred
    async def test_the_whole_state_is_sent_at_reconnect(self) -> None:
        await self.begin()
        self.say('w1', mood=Mood.OFFLINE, reason='away')
        await self.until(lambda: self.mood('w1') == 'offline')
        self.buildbot_worker('w1').conn.loseConnection()
        await self.until(lambda: not self.is_connected('w1'))
        self.say('w1', mood=Mood.RELUCTANT, reason='back')
        await self.until(lambda: self.is_heard('w1') and self.mood('w1') == 'reluctant')
        self.assertEqual(self.balancer.standing('w1').reason, 'back')

    @async_to_deferred
    async def test_a_worker_that_announces_a_reporter_is_held_until_it_reports(self) -> None:
        await self.begin(names=('w1',), report_grace=3600)
        await self.disconnect('w1')
        await self.request()
        worker = await self.silent_worker('w1')
        await self.stays(lambda: not HeldStep.running)
        self.assertTrue(self.balancer.standing('w1').held)
        worker.speak()
        await self.started(1)
        self.let_all_go()

    @async_to_deferred
    async def test_a_worker_whose_reporter_never_speaks_is_held_for_the_grace_only(self) -> None:
        await self.begin(names=('w1',), report_grace=1)
        await self.disconnect('w1')
        await self.request()
        await self.silent_worker('w1')
        self.assertTrue(self.balancer.standing('w1').held)
        await self.started(1)  # by the clock alone
        self.let_all_go()

    @async_to_deferred
    async def test_after_the_grace_the_word_in_the_info_file_holds(self) -> None:
        await self.begin(names=('w1',), report_grace=1)
        self.say('w1', mood=Mood.OFFLINE, reason='away')
        await self.until(lambda: self.mood('w1') == 'offline')
        await self.disconnect('w1')
        self.balancer.engine.fleet.keep_only(set())  # as a master that has just started
        await self.request()
        await self.silent_worker('w1')
        await self.until(lambda: not self.balancer.standing('w1').held)
        await self.stays(lambda: not HeldStep.running)
        standing = self.balancer.standing('w1')
        self.assertEqual((standing.mood.label, standing.reason), ('offline', 'away'))

    @async_to_deferred
    async def test_a_stock_worker_builds_as_before_and_hears_nothing_of_us(self) -> None:
        await self.start(connect=False, services=[Balancer()])
        lines = LogLines(self)
        await self.connect('w1', reporter=False)
        await self.request()
        await self.started(1)
        self.assertEqual(self.balancer.standing('w1').freshness.value, 'unreported')
        self.assertEqual(
            [
                line
                for line in lines.all()
                if 'message from master' in line and 'buildbot-balancer' in line
            ],
            [],
        )
        self.let_all_go()

    @async_to_deferred
    async def test_a_worker_that_comes_back_without_its_reporter_builds_as_stock(self) -> None:
        await self.begin()
        self.say('w1', mood=Mood.OFFLINE)
        await self.until(lambda: self.mood('w1') == 'offline')
        await self.disconnect('w1')
        await self.request()
        await self.connect('w1', reporter=False)  # detached, or the package is uninstalled
        await self.started(1)
        self.assertEqual(self.balancer.standing('w1').freshness.value, 'unreported')
        self.let_all_go()

    @async_to_deferred
    async def test_an_info_file_without_a_reporter_says_nothing(self) -> None:
        await self.start(connect=False, services=[Balancer(report_grace=3600)])
        info = self.worker_dir('w1') / 'info'
        info.mkdir(parents=True)
        (info / FILE).write_text(
            '{"v":1,"version":"1","mood":"offline","word":"x","draining":false}'
        )
        await self.connect('w1', reporter=False)
        self.assertNotIn(COMMAND, self.buildbot_worker('w1').worker_commands)
        await self.request()
        await self.started(1)
        self.let_all_go()

    @async_to_deferred
    async def test_a_reporter_is_silent_to_a_master_without_a_balancer(self) -> None:
        await self.start(connect=False)
        lines = LogLines(self)
        await self.connect('w1', interval=0.2)
        await self.request()
        await self.started(1)
        await self.stays(lambda: True, seconds=1)
        self.assertEqual(self.reporters['w1']._seq, 0)
        self.assertEqual([x for x in lines.all() if 'perspective_balancer' in x], [])
        self.let_all_go()

    @async_to_deferred
    async def test_a_reporter_attached_to_a_connected_worker_is_heard(self) -> None:
        await self.start(connect=False, services=[Balancer()])
        worker = await self.connect('w1', reporter=False)
        await self.until(lambda: self.balancer.engine is not None)
        self.say('w1', mood=Mood.RELUCTANT)
        attach(worker)
        await self.until(lambda: self.mood('w1') == 'reluctant')

    async def silent_worker(self, name: str) -> Hush:
        """A worker whose reporter announces itself and does not speak until it is told to."""
        hush = Hush()
        stock = Reporter._send

        def send(reporter: Reporter) -> None:
            hush.reporter = reporter
            if not hush.silent:
                stock(reporter)

        self.patch(Reporter, '_send', send)
        await self.connect(name)
        return hush


class Hush:
    silent = True
    reporter: Any = None

    def speak(self) -> None:
        self.silent = False
        self.reporter._send()


class LinkOnMsgpack(LinkOnPb):
    proto = 'msgpack'
