# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace

from buildbot.process.results import CANCELLED
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.util.twisted import async_to_deferred
from support.fake_builds import Ends
from support.fake_builds import FakeBuildCase
from support.fake_builds import Waits
from support.logs import LogLines
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.availability.report import Report
from buildbot_balancer.availability.standing import Heard
from buildbot_balancer.master.workers.builds import Builds
from buildbot_balancer.master.workers.deadline import AGAIN
from buildbot_balancer.master.workers.deadline import REASON
from buildbot_balancer.master.workers.deadline import Deadline
from buildbot_balancer.master.workers.remaining import Remaining

WORKER = SimpleNamespace(workername='w')
OTHER = SimpleNamespace(workername='x')


class Build:
    """What is called of Buildbot's; it ends when the test says so."""

    def __init__(self, buildid=1, worker=WORKER):
        self.builder = SimpleNamespace(name='b')
        self.number = self.buildid = buildid
        self.workerforbuilder = SimpleNamespace(worker=worker)
        self.finished = self.stopped = False
        self.stopped_reason = None
        self.results = None
        self.stops = []

    def stopBuild(self, reason='', results=CANCELLED):
        self.stopped, self.stopped_reason, self.results = True, reason, results
        self.stops.append(results)
        return defer.succeed(None)

    def buildFinished(self, text, results):
        self.finished, self.text = True, text
        self.results = CANCELLED if CANCELLED in {self.results, results} else results


class Case(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1000)
        self.builds = Builds()
        self.heard = {}
        self.deadline = Deadline(
            self.clock, self.builds, lambda worker: self.heard.get(worker.workername)
        )

    def says(self, deadline, worker=WORKER, *, draining=True):
        report = Report(
            incarnation='i',
            seq=1,
            mood=Mood.GOING_ON_HOLIDAY,
            draining=draining,
            deadline=deadline,
        )
        self.heard[worker.workername] = Heard(report=report, at=self.clock.seconds())
        self.deadline.look(worker)

    def runs(self, *ids, worker=WORKER):
        made = [Build(one, worker) for one in ids]
        for build in made:
            self.builds.starting(worker.workername, id(build), 0.0)
            self.builds.started(worker.workername, id(build), build)
        return made


class Moment(Case):
    def test_builds_are_stopped_as_retry_at_that_moment_and_not_before(self):
        first, second = self.runs(1, 2)
        self.says(60)
        self.clock.advance(59.9)
        self.assertEqual(first.stops, [])
        self.clock.advance(0.1)
        self.assertEqual((first.stops, second.stops), ([RETRY], [RETRY]))
        self.assertEqual(first.stopped_reason, REASON)

    def test_one_that_is_over_already_stops_them_at_once(self):
        (build,) = self.runs(1)
        self.says(0)
        self.assertEqual(build.stops, [RETRY])

    def test_other_workers_go_on(self):
        (build,) = self.runs(1, worker=OTHER)
        self.says(0)
        self.says(None, OTHER)
        self.clock.advance(1000)
        self.assertEqual(build.stops, [])

    def test_the_newest_report_counts(self):
        (build,) = self.runs(1)
        self.says(60)
        self.clock.advance(30)
        self.says(600)
        self.clock.advance(599)
        self.assertEqual(build.stops, [])
        self.clock.advance(1)
        self.assertEqual(build.stops, [RETRY])

    def test_heartbeats_leave_one_timer(self):
        self.runs(1)
        for _ in range(5):
            self.says(60)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_who_resumes_before_it_stops_nothing(self):
        (build,) = self.runs(1)
        self.says(60)
        self.clock.advance(59)
        self.says(None, draining=False)
        self.clock.advance(1000)
        self.assertEqual(build.stops, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_deadline_without_a_drain_means_nothing(self):
        (build,) = self.runs(1)
        self.says(0, draining=False)
        self.assertEqual(build.stops, [])

    def test_a_connection_that_is_lost_stops_nothing_by_itself(self):
        (build,) = self.runs(1)
        self.says(60)
        del self.heard['w']
        self.clock.advance(1000)
        self.assertEqual(build.stops, [])

    def test_it_waits_for_nothing_when_nothing_runs(self):
        self.says(60)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_build_that_was_about_to_start_is_stopped_as_soon_as_it_is_there(self):
        self.builds.starting('w', 'place', 0.0)
        self.says(0)
        build = Build()
        self.builds.started('w', 'place', build)
        self.deadline.look(WORKER)
        self.assertEqual(build.stops, [RETRY])

    def test_nothing_is_left_when_the_service_stops(self):
        (build,) = self.runs(1)
        self.says(60)
        self.deadline.stop()
        self.clock.advance(1000)
        self.assertEqual(build.stops, [])


class Again(Case):
    def test_what_cleans_up_has_its_time_and_is_stopped_then(self):
        (build,) = self.runs(1)
        self.says(0)
        for _ in range(3):  # heartbeats
            self.clock.advance(AGAIN / 3 - 0.1)
            self.says(0)
        self.assertEqual(build.stops, [RETRY])
        self.clock.advance(0.4)
        self.assertEqual(build.stops, [RETRY] * 2)

    def test_one_that_came_later_has_as_much_time(self):
        self.runs(1)
        self.says(0)
        self.clock.advance(AGAIN / 2)
        (late,) = self.runs(2)
        self.deadline.look(WORKER)
        self.clock.advance(AGAIN - 0.1)
        self.assertEqual(late.stops, [RETRY])
        self.clock.advance(0.1)
        self.assertEqual(late.stops, [RETRY] * 2)

    def test_it_ends_with_the_builds(self):
        (build,) = self.runs(1)
        self.says(0)
        build.buildFinished(['cancelled'], CANCELLED)
        self.clock.advance(AGAIN)
        self.assertEqual((build.stops, self.clock.getDelayedCalls()), ([RETRY], []))

    def test_a_build_of_a_lost_connection_is_left_to_buildbot(self):
        (build,) = self.runs(1)
        build.workerforbuilder.worker = None
        self.says(0)
        self.assertEqual(build.stops, [])

    def test_one_line_says_what_is_stopped(self):
        lines = LogLines(self)
        self.runs(7)
        self.says(0)
        self.clock.advance(2 * AGAIN)
        self.assertEqual(lines.ours(), [f'buildbot-balancer: b #7 is stopped on w: {REASON}'])


class People(Case):
    """A person who stops a build wants no other one."""

    def test_what_a_person_stopped_before_stays_cancelled(self):
        (build,) = self.runs(1)
        build.stopBuild('not wanted')
        self.says(0)
        build.buildFinished(['cancelled'], CANCELLED)
        self.assertEqual((build.stops, build.results), ([CANCELLED], CANCELLED))

    def test_what_a_person_stops_afterwards_is_cancelled(self):
        (build,) = self.runs(1)
        self.says(0)
        build.stopBuild('not wanted')
        build.buildFinished(['cancelled'], CANCELLED)
        self.assertEqual((build.results, build.text), (CANCELLED, ['cancelled']))


class OnBuildbotsBuild(FakeBuildCase):
    def begin(self, *steps):
        build = self.start(*steps)
        builds = Builds()
        builds.starting('w', 'place', 0.0)
        builds.started('w', 'place', build)
        report = Report(
            incarnation='i', seq=1, mood=Mood.GOING_ON_HOLIDAY, draining=True, deadline=0.0
        )
        heard = Heard(report=report, at=self.reactor.seconds())
        self.deadline = Deadline(self.reactor, builds, lambda worker: heard)
        self.deadline.look(WORKER)
        self.addCleanup(self.deadline.stop)
        return build

    def test_it_ends_as_retry_whatever_the_interrupted_step_says(self):
        for says in (CANCELLED, SUCCESS):
            build = self.begin(Waits(name='job'))
            step = self.step(build, 'job')
            self.assertEqual(step.told, [REASON])
            step.done.callback(says)
            self.pump()
            self.assertEqual((build.finished, build.results), (True, RETRY))

    @async_to_deferred
    async def test_the_page_says_why(self):
        build = self.begin(Waits(name='job'))
        self.step(build, 'job').done.callback(CANCELLED)
        self.pump()
        row = await self.master.data.get(('builds', build.buildid))
        self.assertEqual(row['state_string'], f'retry ({REASON})')

    def test_steps_that_always_run_do_and_are_stopped_when_they_take_long(self):
        build = self.begin(Waits(name='job'), Ends(name='more'), Waits(name='tidy', alwaysRun=True))
        self.step(build, 'job').done.callback(CANCELLED)
        self.pump()
        self.assertEqual(self.names(build), ['job', 'tidy'])
        self.assertEqual(self.step(build, 'tidy').told, [])
        self.reactor.advance(AGAIN)
        self.assertEqual(self.step(build, 'tidy').told, [REASON])
        self.step(build, 'tidy').done.callback(CANCELLED)
        self.pump()
        self.assertEqual((build.finished, build.results), (True, RETRY))


class FakeDurations:
    def __init__(self):
        self.asked = []
        self.known = {}
        self.answers = []

    def ends(self, ids):
        self.asked.append(sorted(ids))
        answer = defer.Deferred()
        self.answers.append(lambda: answer.callback({one: self.known.get(one) for one in ids}))

        async def wait():
            return await answer

        return wait()


class Left(Case):
    def setUp(self):
        super().setUp()
        self.told = []
        self.durations = FakeDurations()
        self.deadline = self.remaining = Remaining(
            self.clock,
            self.builds,
            self.durations,
            lambda worker: self.heard.get(worker.workername),
            self.told.append,
        )

    def answer(self, **known):
        self.durations.known = {int(key[1:]): end for key, end in known.items()}
        answers, self.durations.answers = self.durations.answers, []
        for one in answers:
            one()

    def test_the_longest_counts_and_its_worker_is_told(self):
        self.runs(1, 2)
        self.says(None)
        self.assertIsNone(self.remaining.left('w'))
        self.answer(b1=1060, b2=1300)
        self.assertEqual((self.remaining.left('w'), self.told), (300, [WORKER]))
        self.clock.advance(50)
        self.assertEqual(self.remaining.left('w'), 250)

    def test_only_a_drain_asks_and_only_once_for_each_build(self):
        self.runs(1)
        self.says(None, draining=False)
        self.assertEqual(self.durations.asked, [])
        self.says(None)
        self.says(None)
        self.runs(2)
        self.says(None)
        self.assertEqual(self.durations.asked, [[1], [2]])

    def test_nobody_can_tell_while_one_is_unknown(self):
        self.runs(1, 2)
        self.says(None)
        self.answer(b1=1060)
        self.assertIsNone(self.remaining.left('w'))

    def test_nobody_can_tell_of_one_that_takes_longer_than_those_before(self):
        self.runs(1)
        self.says(None)
        self.answer(b1=1060)
        self.clock.advance(60)
        self.assertIsNone(self.remaining.left('w'))

    def test_nobody_can_tell_while_one_is_about_to_start(self):
        self.runs(1)
        self.says(None)
        self.answer(b1=1060)
        self.builds.starting('w', 'place', 0.0)
        self.assertIsNone(self.remaining.left('w'))

    def test_a_build_that_is_over_does_not_count(self):
        first, _ = self.runs(1, 2)
        self.says(None)
        self.answer(b1=1300, b2=1060)
        first.finished = True
        self.assertEqual(self.remaining.left('w'), 60)

    def test_an_answer_after_the_resume_is_for_nobody(self):
        self.runs(1)
        self.says(None)
        self.says(None, draining=False)
        self.answer(b1=1060)
        self.assertEqual(self.told, [])

    def test_a_query_that_fails_is_said_and_no_more(self):
        self.runs(1)

        async def fails(ids):
            raise ValueError('locked')

        self.durations.ends = fails
        self.says(None)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertIsNone(self.remaining.left('w'))
