# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from types import SimpleNamespace

from buildbot.mq.simple import SimpleMQ
from support.logs import LogLines
from support.masterparts import make_workers
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.master.record.experience import AT_ONCE
from buildbot_balancer.master.record.experience import RETRY
from buildbot_balancer.master.record.experience import SOON
from buildbot_balancer.master.record.experience import Experience
from buildbot_balancer.policy.affinity import Affinity
from buildbot_balancer.policy.fastest import FastestFirst
from buildbot_balancer.policy.past import PastBuild
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import SourceView
from buildbot_balancer.policy.views import WorkerView


def past(worker, seconds=10.0, **more):
    facts = {'builder': 'b', 'branch': 'x', 'succeeded': True, 'ran': True, 'at': 1000.0, **more}
    return PastBuild(worker=worker, seconds=seconds, **facts)


class Past:
    """A database: `builds` by id; with `slow` a query waits for `answer`."""

    def __init__(self):
        self.builds = {}
        self.slow = False
        self.broken = None
        self.waiting = []
        self.asked = []

    def last(self, most):
        return self._found('last', list(self.builds.values())[-most:])

    def among(self, ids):
        return self._found(list(ids), [self.builds[n] for n in sorted(ids) if n in self.builds])

    def _found(self, asked, builds):
        self.asked.append(asked)
        if self.broken is not None:
            return defer.fail(self.broken)
        if not self.slow:
            return defer.succeed(builds)
        query = defer.Deferred()
        self.waiting.append((query, builds))
        return query

    def answer(self):
        query, builds = self.waiting.pop(0)
        query.callback(builds)


class Case(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1000)
        self.mq = SimpleMQ()
        workers = make_workers('w1', 'w2')
        for number, worker in enumerate(workers.values(), 1):
            worker.workerid = number
        builder = SimpleNamespace(name='b', getBuilderId=lambda: defer.succeed(77))
        self.master = SimpleNamespace(
            mq=self.mq,
            workers=SimpleNamespace(workers=workers),
            botmaster=SimpleNamespace(builders={'b': builder}),
        )
        self.past = Past()
        self.experience = Experience(self.master, self.clock, self.past)
        self.scorer = FastestFirst(probe_every=3)

    def watch(self, *learners):
        self.successResultOf(defer.ensureDeferred(self.experience.watch(learners)))

    def watched(self, *learners):
        """They know what the database knows."""
        self.watch(*learners)
        self.turns()
        self.past.asked.clear()

    def turns(self, count=60):
        for _ in range(count):
            self.clock.advance(0)

    def stop(self):
        return defer.ensureDeferred(self.experience.stop())

    def begin(self, number, worker, builder=77):
        message = {'buildid': number, 'builderid': builder, 'workerid': worker}
        self.mq.produce(('builds', str(number), 'new'), message)

    def end(self, number, build):
        self.past.builds[number] = build
        self.mq.produce(('builds', str(number), 'finished'), {'buildid': number})

    def score(self, worker, scorer=None):
        request = RequestView(id=1, builder='b', sources=(SourceView(branch='x'),))
        return (scorer or self.scorer).score(request, WorkerView(name=worker), 0.0)

    def scores(self, scorer=None):
        return self.score('w1', scorer), self.score('w2', scorer)


class Loading(Case):
    def test_what_the_database_knows_is_learned_at_the_start(self):
        self.past.builds = {1: past('w1', 10), 2: past('w2', 20)}
        affinity = Affinity()
        self.watch(self.scorer, affinity)
        self.assertEqual(self.scores(), (None, None))
        self.turns()
        self.assertEqual(self.scores(affinity), (0, 100))
        self.assertEqual(self.past.asked, ['last'])
        self.begin(3, 1)
        self.assertEqual(self.scores(), (100, 50))

    def test_nobody_waits_for_it(self):
        self.past.slow = True
        self.watch(self.scorer)
        self.turns()
        self.assertEqual(self.score('w1'), None)
        self.past.builds[1] = past('w1')
        self.assertEqual(len(self.past.waiting), 1)

    def test_of_many_builds_some_are_learned_in_each_turn(self):
        builds = {n: past('w1', at=float(n)) for n in range(AT_ONCE + 1)}
        self.past.builds = {**builds, AT_ONCE + 1: past('w2', 20)}
        scorer, seen = FastestFirst(probe_every=None), []
        call_later = self.clock.callLater

        def noted(*args):
            seen.append(self.scores(scorer))
            return call_later(*args)

        self.clock.callLater = noted
        self.watch(scorer)
        self.turns()
        # never tried is 100 too: w2 is learned after the first pause only
        self.assertEqual(seen, [(None, None), (100, 100), (100, 50)])

    def test_builds_that_failed_were_tries_all_the_same(self):
        self.past.builds = {1: past('w1', 10), 2: past('w2', succeeded=False)}
        self.watched(self.scorer)
        self.begin(3, 1)
        self.assertEqual(self.scores(), (100, None))

    def test_a_query_that_fails_is_logged_and_made_again(self):
        lines = LogLines(self)
        self.past.builds = {1: past('w1', 10)}
        self.past.broken = OSError('locked')
        self.watch(self.scorer)
        self.turns()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertTrue(any('tried again' in line for line in lines.all()))
        self.past.broken = None
        self.clock.advance(RETRY)
        self.turns()
        self.assertEqual(self.score('w1'), 100)

    def test_a_build_that_ends_while_the_database_is_read_is_learned(self):
        self.past.slow = True
        self.watch(self.scorer)
        self.turns()
        self.end(1, past('w1', 20))  # the query was made before
        self.clock.advance(SOON)
        self.past.answer()
        self.turns()
        self.past.answer()
        self.assertEqual(self.score('w1'), 100)
        self.assertEqual(self.past.asked, ['last', [1]])


class Hearing(Case):
    def test_builds_that_end_together_are_one_query(self):
        self.watched(self.scorer)
        for number in range(1, 4):
            self.begin(number, 1)
            self.end(number, past('w1', 10, at=1000.0 + number))
        self.begin(4, 2)
        self.end(4, past('w2', 20))
        self.assertEqual(self.past.asked, [])
        self.clock.advance(SOON)
        self.assertEqual(self.past.asked, [[1, 2, 3, 4]])
        self.assertEqual(self.scores(), (100, 50))

    def test_a_stream_of_builds_does_not_put_it_off(self):
        self.watched(self.scorer)
        self.end(1, past('w1'))
        self.clock.advance(SOON / 2)
        self.end(2, past('w2'))
        self.clock.advance(SOON / 2)
        self.assertEqual(self.past.asked, [[1, 2]])

    def test_one_that_ends_while_others_are_read_is_read_next(self):
        self.watched(self.scorer)
        self.past.slow = True
        self.end(1, past('w1'))
        self.clock.advance(SOON)
        self.end(2, past('w2'))
        self.past.answer()
        self.assertEqual(self.past.asked, [[1], [2]])

    def test_very_many_are_asked_for_by_and_by(self):
        self.watched(self.scorer)
        for number in range(AT_ONCE + 1):
            self.end(number, past('w1', at=float(number)))
        self.clock.advance(SOON)
        self.assertEqual([len(ids) for ids in self.past.asked], [AT_ONCE, 1])

    def test_a_scorer_of_two_policies_hears_of_each_build_once(self):
        self.watched(self.scorer, self.scorer)
        self.begin(1, 1)
        self.assertEqual(self.scorer._builders['b'].begun, 1)

    def test_without_a_scorer_that_learns_nothing_is_heard_and_nothing_asked(self):
        self.watch()
        self.end(1, past('w1'))
        self.turns()
        self.assertEqual(self.past.asked, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.mq.qrefs, [])

    def test_a_build_counts_from_the_moment_at_which_it_begins(self):
        self.past.builds = {1: past('w1', 10), 2: past('w2', 20)}
        self.past.builds.update({n: past('w1', 10, at=1000.0 + n) for n in range(3, 6)})
        self.watched(self.scorer)
        self.assertTrue(self.score('w2') > self.score('w1'))  # a probe is due
        self.begin(6, 2)
        self.assertEqual(self.scores(), (100, 50))

    def test_builds_of_builders_and_workers_that_nobody_knows_do_no_harm(self):
        self.watched(self.scorer)
        self.begin(1, 1, builder=99)
        self.begin(2, 99)
        self.begin(3, None)
        self.assertEqual(self.scorer, FastestFirst(probe_every=3))
        self.assertEqual(self.scores(), (None, None))
        self.end(4, past('gone', builder='of another master'))
        self.clock.advance(SOON)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_query_that_fails_is_made_again_and_loses_nothing(self):
        self.watched(self.scorer)
        self.past.broken = OSError('locked')
        self.end(1, past('w1', 20))
        self.clock.advance(SOON)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.past.broken = None
        self.end(2, past('w2', 10))
        self.clock.advance(RETRY)
        self.assertEqual(self.past.asked[-1], [1, 2])
        self.begin(3, 1)
        self.begin(4, 1)
        self.begin(5, 2)
        self.assertEqual(self.scores(), (50, 100))


class Reconfig(Case):
    def test_those_that_stay_keep_what_they_know_and_new_ones_learn_it(self):
        self.past.builds = {1: past('w1', 10), 2: past('w2', 20)}
        self.watched(self.scorer)
        new = Affinity()
        self.watched(self.scorer, new)
        self.begin(3, 1)
        self.assertEqual(self.scores(), (100, 50))
        self.assertEqual(self.scores(new), (0, 100))
        self.watched(self.scorer, new)
        self.assertEqual(self.past.asked, [])
        self.assertEqual(len(self.mq.qrefs), 2)

    def test_two_that_are_equal_are_two(self):
        self.past.builds = {1: past('w1')}
        one, other = Affinity(), Affinity()
        self.watched(one)
        self.watched(one, other, one)
        self.assertEqual(self.score('w1', other), 100)
        self.end(2, past('w2', at=2000.0))
        self.clock.advance(SOON)
        self.assertEqual([self.scores(scorer) for scorer in (one, other)], [(0, 100)] * 2)

    def test_who_has_left_the_config_hears_nothing_more(self):
        self.watched(self.scorer)
        self.watch()
        self.begin(1, 1)
        self.end(1, past('w1'))
        self.turns()
        self.clock.advance(SOON)
        self.assertEqual(self.scores(), (None, None))
        self.assertEqual(self.mq.qrefs, [])

    def test_who_comes_back_learns_what_was_missed(self):
        self.watched(self.scorer)
        self.end(1, past('w1'))
        self.watch()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.watch(self.scorer)
        self.turns()
        self.assertEqual(self.score('w1'), 100)
        self.assertEqual(self.past.asked, ['last'])


class Stopping(Case):
    def test_nothing_is_heard_after_it(self):
        self.watched(self.scorer)
        self.end(1, past('w1'))
        self.successResultOf(self.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.begin(2, 1)
        self.clock.advance(RETRY)
        self.assertEqual(self.scores(), (None, None))
        self.assertEqual((self.mq.qrefs, self.past.asked), ([], []))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_waits_for_a_query_that_goes_on(self):
        self.past.slow = True
        self.past.builds = {1: past('w1')}
        self.watch(self.scorer)
        self.turns()
        stopped = self.stop()
        self.assertNoResult(stopped)
        self.past.answer()
        self.turns()
        self.successResultOf(stopped)
        self.assertEqual(self.score('w1'), None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_query_is_made_after_it(self):
        self.watched(self.scorer)
        self.past.slow = True
        self.end(1, past('w1'))
        self.clock.advance(SOON)
        self.watch(self.scorer, Affinity())
        self.turns()
        stopped = self.stop()
        self.past.answer()
        self.successResultOf(stopped)
        self.assertEqual(self.past.asked, [[1]])

    def test_a_query_that_fails_then_is_not_made_again(self):
        self.past.slow = True
        self.watch(self.scorer)
        self.turns()
        stopped = self.stop()
        self.past.waiting.pop()[0].errback(OSError('closed'))
        self.turns()
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_what_never_ran_can_be_stopped(self):
        self.successResultOf(self.stop())
