# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace

import sqlalchemy as sa
from buildbot.process.results import EXCEPTION
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from support.logs import LogLines
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master import compat
from buildbot_balancer.master.starts import endings
from buildbot_balancer.master.starts.buildrows import Finished
from buildbot_balancer.master.starts.endings import Endings
from buildbot_balancer.tables.attempt import Outcome

LOST = sa.exc.OperationalError('SELECT 1', {}, Exception('server closed the connection'))


class FakeBuild:
    """Of Buildbot's only what its end needs; `fails`: the database does, while it ends."""

    number = 1
    buildid = 7

    def __init__(self, fails=False):
        self.fails = fails
        self.finished = False
        self.results = SUCCESS
        self.calls = []
        self.currentStep = None
        self.raises = None
        self.requests = [SimpleNamespace(id=5)]
        self.builder = SimpleNamespace(name='b', building=[self], buildFinished=self._released)
        self.workerforbuilder = SimpleNamespace(buildFinished=lambda: self.calls.append('place'))

    def buildFinished(self, text, results):
        self.finished = True
        self.results = results
        self.calls.append((' '.join(text), results))
        if not self.fails:
            self.builder.building.remove(self)
        return defer.succeed(None)

    def _start_next_step_impl(self, step):
        return defer.fail(self.raises) if self.raises else defer.succeed(None)

    def _released(self, build, wfb):
        self.builder.building.remove(build)
        self.calls.append('builder')

    def _tryScheduleBuildsAfterLockUnlock(self, *, build_finished):
        self.calls.append('woken')


class EndingsCase(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.log = LogLines(self)
        self.outcomes = []  # of what is asked of the database, the last one for ever
        self.asked = []
        self.events = []
        master = SimpleNamespace(
            db=SimpleNamespace(model=None, pool=SimpleNamespace(do_with_engine=self.ask)),
            data=SimpleNamespace(
                rtypes=SimpleNamespace(build=self.rtype('build'), step=self.rtype('step'))
            ),
        )
        self.endings = Endings(master, self.clock)

    def ask(self, attempt, work, model, buildid, results, at, text):
        self.asked.append((buildid, results, text))
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        return defer.succeed(outcome)

    def rtype(self, kind):
        return SimpleNamespace(
            generateEvent=lambda one, event: defer.succeed(self.events.append((kind, one, event)))
        )

    def watched(self, **how):
        build = FakeBuild(**how)
        self.endings.watch(build)
        return build

    def answers(self, *problems):
        self.outcomes = [
            Outcome(problem=one) if one else Outcome(value=Finished(buildid=7, steps=(3,)))
            for one in problems
        ]

    def is_let_go(self, build):
        return 'buildFinished' not in vars(build) and compat.NEXT_STEP not in vars(build)


class EndOfABuild(EndingsCase):
    def test_one_that_the_database_has_taken_is_asked_for_no_more(self):
        build = self.watched()
        build.buildFinished(['done'], SUCCESS)
        self.clock.advance(60)
        self.assertEqual((self.asked, self.is_let_go(build)), ([], True))

    def test_one_that_failed_is_written_with_its_result_and_its_place_is_free(self):
        self.answers('')
        build = self.watched(fails=True)
        build.buildFinished(['well', 'done'], SUCCESS)
        self.assertEqual(self.asked, [])
        self.clock.advance(endings.PAUSE)
        self.assertEqual(self.asked, [(7, SUCCESS, 'well done')])
        self.assertEqual(self.events, [('step', 3, 'finished'), ('build', 7, 'finished')])
        self.assertEqual(build.calls[1:], ['place', 'builder', 'woken'])
        self.assertTrue(self.is_let_go(build))

    def test_a_database_that_stays_away_is_asked_less_often_and_complained_of_once(self):
        self.answers('it is down', 'it is down', 'it is down', '')
        build = self.watched(fails=True)
        build.buildFinished(['done'], SUCCESS)
        moments = []
        while build.builder.building:
            self.clock.advance(0.5)
            if len(moments) < len(self.asked):
                moments.append(self.clock.seconds())
        self.assertEqual(moments, [0.5, 1.5, 3.5, 7.5])
        self.assertEqual(sum('cannot be written yet' in line for line in self.log.ours()), 1)

    def test_an_exception_closes_the_steps_that_are_left_and_tells_nobody_of_the_build_twice(self):
        self.answers('')
        build = self.watched()
        build.buildFinished(['exception'], EXCEPTION)
        self.clock.advance(endings.PAUSE)
        self.assertEqual(self.events, [('step', 3, 'finished')])
        self.assertEqual(build.calls, [('exception', EXCEPTION)])
        self.assertTrue(self.is_let_go(build))

    def test_who_has_left_does_nothing_more(self):
        build = self.watched(fails=True)
        build.buildFinished(['done'], SUCCESS)
        self.endings.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(self.is_let_go(build))

    def test_one_that_another_master_has_ended_meanwhile_is_not_complete_by_us(self):
        self.outcomes = [Outcome(value=Finished(buildid=7, results=RETRY))]
        build = self.watched(fails=True)
        build.buildFinished(['done'], SUCCESS)
        self.clock.advance(endings.PAUSE)
        self.assertEqual((build.results, build.calls[-2:]), (RETRY, ['builder', 'woken']))

    def test_the_result_it_was_to_have_counts_where_buildbot_had_not_said_it_yet(self):
        self.answers('')
        build = FakeBuild()
        build.buildFinished = lambda text, results: defer.succeed(None)  # it failed at once
        self.endings.watch(build)
        build.buildFinished(['retry'], RETRY)
        self.clock.advance(endings.PAUSE)
        self.assertEqual((build.finished, self.asked), (True, [(7, RETRY, 'retry')]))

    def test_one_of_which_the_database_never_heard_is_not_kept(self):
        build = self.watched()
        build.buildid, build.stopped, build.do_build = None, False, True
        build.builder.botmaster = SimpleNamespace(remove_in_progress_buildrequest=lambda _: None)
        build.workerforbuilder.worker = None
        self.successResultOf(self.endings.abandoned(build, Failure(LOST)))
        self.assertEqual((self.endings._all, build.results), ({}, RETRY))


class BetweenTwoSteps(EndingsCase):
    def go_on(self, build, raises):
        build.raises = raises
        return self.successResultOf(build._start_next_step_impl('step'))

    def test_a_build_that_the_database_stopped_runs_again(self):
        self.answers('')
        build = self.watched()
        self.go_on(build, LOST)
        self.assertEqual(build.calls, [('build lost its database', RETRY)])

    def test_one_that_something_else_stopped_does_not_run_again_for_ever(self):
        self.answers('')
        build = self.watched()
        self.go_on(build, TypeError('a property is no JSON'))
        self.assertEqual(build.calls, [('build exception', EXCEPTION)])
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_one_that_is_lost_again_and_again_is_not_built_for_ever(self):
        self.answers('')
        results = []
        for _ in range(endings.OFTEN + 1):
            build = self.watched()
            self.go_on(build, LOST)
            results.append(build.results)
        self.assertEqual(results, [RETRY] * endings.OFTEN + [EXCEPTION])
        self.flushLoggedErrors(sa.exc.OperationalError)

    def test_what_the_database_refuses_for_good_is_no_loss(self):
        self.answers('')
        build = self.watched()
        self.go_on(build, sa.exc.DataError('INSERT', {}, Exception('too long')))
        self.assertEqual(build.results, EXCEPTION)
        self.flushLoggedErrors(sa.exc.DataError)

    def test_a_command_that_still_runs_is_stopped(self):
        self.answers('')
        build = self.watched()
        told = []
        build.currentStep = SimpleNamespace(cmd=SimpleNamespace(active=True, interrupt=told.append))
        self.go_on(build, LOST)
        self.assertEqual(told, [endings.LOST])

    def test_a_step_that_went_well_changes_nothing(self):
        build = self.watched()
        self.go_on(build, None)
        self.assertEqual((build.calls, self.clock.getDelayedCalls()), ([], []))
