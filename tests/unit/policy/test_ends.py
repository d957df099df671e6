# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from buildbot_balancer.interfaces import IFilter
from buildbot_balancer.policy.ends import EndsInTime
from buildbot_balancer.policy.past import PastBuild
from buildbot_balancer.policy.verdict import Answer
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

NOW = 1_800_000_000.0
REQUEST = RequestView(id=1, builder='b')


def worker(closes_in=None, name='w1'):
    return WorkerView(name=name, clears_at=None if closes_in is None else NOW + closes_in)


class BeforeTheEnd(SynchronousTestCase):
    def setUp(self):
        self.filter = EndsInTime()

    def built(self, seconds, name='w1', succeeded=True, builder='b'):
        self.filter.ended(
            PastBuild(
                builder=builder, worker=name, seconds=seconds, at=NOW, succeeded=succeeded, ran=True
            )
        )

    def check(self, closes_in, name='w1'):
        return self.filter.check(REQUEST, worker(closes_in, name), NOW)

    def test_it_is_a_filter(self):
        verifyObject(IFilter, self.filter)
        self.assertEqual(EndsInTime(), self.filter)  # a reconfig changes nothing

    def test_a_worker_that_does_not_close_takes_all(self):
        self.assertTrue(self.check(None).passes)

    def test_the_longest_of_the_last_builds_must_fit(self):
        self.built(100)
        self.built(300)
        self.assertTrue(self.check(301).passes)
        verdict = self.check(299)
        self.assertEqual(verdict.code, 'closes-soon')
        self.assertIn('closes at', verdict.sentence)

    def test_old_builds_are_forgotten(self):
        self.built(10_000)
        for _ in range(5):
            self.built(100)
        self.assertTrue(self.check(200).passes)

    def test_of_a_new_worker_the_longest_on_any_other_is_expected(self):
        self.built(300)
        self.assertFalse(self.check(200, 'w2').passes)
        self.assertTrue(self.check(400, 'w2').passes)

    def test_unknown_is_no_yes(self):
        self.built(10, succeeded=False)
        self.built(10, builder='other')
        verdict = self.check(10_000)
        self.assertEqual((verdict.answer, verdict.code), (Answer.UNKNOWN, 'duration-unknown'))
