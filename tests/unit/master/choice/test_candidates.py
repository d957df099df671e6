# SPDX-License-Identifier: GPL-2.0-or-later
"""The best first, as the policy itself would say it."""

from __future__ import annotations

from random import Random

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.availability.mood import Mood
from buildbot_balancer.master.choice.candidates import Candidates
from buildbot_balancer.master.choice.candidates import compares_workers
from buildbot_balancer.master.choice.opinions import Opinions
from buildbot_balancer.policy.policy import Policy
from buildbot_balancer.policy.tiers import Tiers
from buildbot_balancer.policy.views import RequestView
from buildbot_balancer.policy.views import WorkerView

NOW = 1_800_000_000.0
REQUEST = RequestView(id=1, builder='b')
OPINIONS = st.one_of(st.none(), st.sampled_from([0.0, 10.0, 50.0, 100.0]))


@attrs.define
class Says:
    opinions: dict
    looks_at_worker_only: bool = False
    asked: int = 0

    def score(self, request, worker, now):
        self.asked += 1
        return self.opinions.get(worker.name)


class Broken:
    def score(self, request, worker, now):
        raise RuntimeError


class Case(SynchronousTestCase):
    def setUp(self):
        self.workers = {name: WorkerView(name=name, mood=Mood.EAGER) for name in 'vwxyz'}
        self.views = 0
        self.opinions = Opinions(self.workers.get, lambda: NOW, Random(1))
        self.candidates = Candidates(self.opinions, self.view, Random(1))

    def view(self, name):
        self.views += 1
        return self.workers.get(name)

    def best(self, *scorers, workers='vwxyz'):
        policy = Policy(filters=[], scorers=scorers)
        return ''.join(self.candidates.best_first(policy, workers, REQUEST, NOW))


class BestFirst(Case):
    def test_what_a_scorer_says_of_the_request_is_added_to_what_is_kept(self):
        alone = Says({'v': 100.0, 'w': 90.0}, looks_at_worker_only=True)
        warm = Says(dict.fromkeys('vwxyz', 0.0) | {'w': 100.0})
        self.assertEqual(self.best((alone, 1), (warm, 1))[:2], 'wv')
        self.assertEqual(self.best((alone, 20), (warm, 1))[:2], 'vw')

    def test_a_reluctant_worker_is_last_whatever_its_score(self):
        self.workers['v'] = WorkerView(name='v', mood=Mood.RELUCTANT)
        found = self.best((Says(dict.fromkeys('wxyz', 0.0) | {'v': 100.0}), 1))
        self.assertEqual(found[-1], 'v')

    def test_no_view_is_made_where_no_scorer_looks_at_the_request(self):
        self.best((Says({}, looks_at_worker_only=True), 1))
        self.assertEqual(self.views, 0)

    def test_a_view_is_kept_until_its_worker_changes(self):
        policy = Policy(filters=[], scorers=[(Says({}), 1)])
        for _ in range(3):
            list(self.candidates.best_first(policy, 'vwxyz', REQUEST, NOW))
        self.assertEqual(self.views, 5)
        self.opinions.forget('w')
        list(self.candidates.best_first(policy, 'vwxyz', REQUEST, NOW))
        self.assertEqual(self.views, 6)

    def test_a_scorer_that_raises_has_no_opinion(self):
        says = Says(dict.fromkeys('wxyz', 0.0) | {'v': 100.0})
        self.assertEqual(self.best((Broken(), 5), (says, 1))[0], 'v')

    def test_a_worker_that_is_not_there_is_no_candidate(self):
        self.assertEqual(self.best((Says({}), 1), workers='vq'), 'v')

    def test_tiers_have_to_see_all_workers_at_once(self):
        self.assertTrue(compares_workers(Policy(filters=[Tiers(['v'], ['w'])])))
        self.assertFalse(compares_workers(Policy()))

    @given(st.lists(st.fixed_dictionaries(dict.fromkeys('vwxyz', OPINIONS)), max_size=3))
    def test_the_totals_come_in_the_order_of_the_policys_own(self, opinions):
        self.setUp()
        known = Says(dict(zip('vwxyz', (20.0, 0.0, 100.0, 20.0, 60.0))), looks_at_worker_only=True)
        scorers = [(known, 2.0), *((Says(one), 1.0 + n) for n, one in enumerate(opinions))]
        policy = Policy(filters=[], scorers=scorers)
        ranking = policy.rank(REQUEST, list(self.workers.values()), NOW, Random(2))
        totals = {one.worker.name: round(one.total, 6) for one in ranking}
        found = self.best(*scorers)
        self.assertEqual([totals[n] for n in found], sorted(totals.values(), reverse=True))
