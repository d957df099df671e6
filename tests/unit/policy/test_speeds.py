# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from buildbot_balancer.policy.speeds import KEPT
from buildbot_balancer.policy.speeds import Speeds
from buildbot_balancer.policy.speeds import typical

DAY = 24 * 3600.0
WEEK = 7 * DAY
SECONDS = st.floats(0, 1e7)
LESSONS = st.lists(
    st.tuples(st.floats(0, 2e9), SECONDS), min_size=1, max_size=8, unique_by=lambda one: one[0]
).map(lambda them: tuple(sorted(them)))


class Typical(SynchronousTestCase):
    def test_one_build_that_hung_or_did_nothing_does_not_move_it(self):
        for outlier in (0.5, 1e6):
            for place in range(5):
                seconds = [60.0, 61.0, 62.0, 63.0]
                seconds.insert(place, outlier)
                found = typical(tuple((DAY * n, s) for n, s in enumerate(seconds)), WEEK)
                self.assertTrue(60 <= found <= 63, (outlier, place, found))

    def test_what_is_long_ago_counts_less_and_less(self):
        old = tuple((float(n), 100.0) for n in range(4))
        self.assertEqual(typical((*old, (10.0, 5.0)), WEEK), 100)
        self.assertEqual(typical((*old, (4 * WEEK, 5.0)), WEEK), 5)

    @given(LESSONS, st.floats(1e-300, 1e12))
    def test_it_is_one_of_the_times_and_never_below_or_above_all_of_them(self, lessons, life):
        self.assertIn(typical(lessons, life), [seconds for _, seconds in lessons])

    @given(st.lists(SECONDS, min_size=1, max_size=9).filter(lambda them: len(them) % 2))
    def test_of_builds_of_one_age_it_is_the_median(self, seconds):
        lessons = tuple((1e-9 * n, s) for n, s in enumerate(seconds))
        self.assertEqual(typical(lessons, 1e300), sorted(seconds)[len(seconds) // 2])


class Case(SynchronousTestCase):
    def setUp(self):
        self.speeds = Speeds()

    def built(self, *lessons):
        """Each: a worker, and the seconds that its build took."""
        for worker, seconds in lessons:
            self.speeds.began(worker)
            self.speeds.learn(worker, seconds, at=float(self.speeds.begun), half_life=WEEK)

    def score(self, worker, probe_every=None):
        return self.speeds.score(worker, probe_every)


class Scores(Case):
    def test_they_are_relative_to_the_fastest(self):
        self.built(('fast', 30), ('half', 60), ('third', 90))
        self.assertEqual([self.score(name) for name in ('fast', 'half')], [100, 50])
        self.assertAlmostEqual(self.score('third'), 100 / 3)

    def test_builds_of_no_time_at_all_are_as_fast_as_each_other(self):
        self.built(('one', 0), ('other', 0.2))
        self.assertEqual([self.score('one'), self.score('other')], [100, 100])

    def test_who_never_built_it_may_be_the_fastest(self):
        self.built(('fast', 30))
        self.assertEqual(self.score('new'), 100)

    def test_who_was_tried_and_never_succeeded_gets_no_opinion(self):
        self.built(('fast', 30))
        self.speeds.began('broken')
        self.assertIsNone(self.score('broken'))

    def test_one_build_that_is_told_twice_counts_once(self):
        self.built(('w', 10), ('w', 20), ('w', 20))
        for _ in range(5):
            self.speeds.learn('w', 10, at=1.0, half_life=WEEK)
        self.built(('other', 20))
        self.assertEqual(self.score('w'), self.score('other'))

    def test_a_build_that_is_told_late_takes_its_place_by_its_time(self):
        for n in range(1, KEPT + 1):
            self.speeds.learn('w', 20, at=float(n), half_life=WEEK)
        for n in range(KEPT):
            self.speeds.learn('w', 900, at=-float(n), half_life=WEEK)
        self.speeds.learn('other', 20, at=0.0, half_life=WEEK)
        self.assertEqual(self.score('w'), self.score('other'))

    def test_only_the_last_few_builds_count(self):
        self.built(*[('w', 900)] * 9, *[('w', 30)] * KEPT, ('other', 30))
        self.assertEqual(self.score('w'), 100)

    def test_when_the_fastest_is_forgotten_another_one_is_it(self):
        self.built(('fast', 30), ('slow', 60))
        self.speeds.forget('fast')
        self.assertEqual(self.score('slow'), 100)
        self.speeds.forget('slow')
        self.assertTrue(self.speeds.is_empty)


class Probes(Case):
    def test_each_nth_build_is_for_who_has_gone_longest_without_one(self):
        self.built(('slow', 90), ('middle', 60), *[('fast', 30)] * 7)
        self.assertTrue(self.score('slow', 5) > self.score('middle', 5) > 50)
        self.assertTrue(self.score('fast', 5) <= 25)
        self.assertEqual(self.score('new', 5), 100)

    def test_the_other_builds_are_no_probes(self):
        self.built(('slow', 90), *[('fast', 30)] * 5)
        probes = []
        for _ in range(20):
            if self.score('slow', 5) > self.score('fast', 5):
                probes.append(self.speeds.begun + 1)
            self.built(('fast', 30))
        self.assertEqual(probes, [10, 15, 20, 25])

    def test_who_built_it_a_short_while_ago_needs_no_probe(self):
        self.built(*[('slow', 90), ('fast', 30)] * 7)
        self.assertEqual((self.speeds.begun + 1) % 5, 0)
        self.assertTrue(self.score('fast', 5) > self.score('slow', 5))

    def test_it_is_due_after_exactly_so_many_builds(self):
        self.built(*[('fast', 30)] * 3, ('slow', 90), *[('fast', 30)] * 5)
        self.assertTrue(self.score('slow', 5) > self.score('fast', 5))

    def test_who_never_succeeded_is_tried_again_too(self):
        self.speeds.began('broken')
        self.built(*[('fast', 30)] * 8)
        self.assertTrue(self.score('broken', 5) > self.score('fast', 5))

    @given(
        st.lists(st.tuples(st.sampled_from('abc'), st.none() | SECONDS), max_size=30),
        st.none() | st.integers(2, 9),
    )
    def test_a_score_is_0_to_100_or_no_opinion_and_asking_changes_nothing(self, history, every):
        speeds = Speeds()
        for n, (worker, seconds) in enumerate(history):
            speeds.began(worker)
            if seconds is not None:
                speeds.learn(worker, seconds, float(n), WEEK)
        first = [speeds.score(name, every) for name in 'abcd']
        for score in first:
            self.assertTrue(score is None or 0 <= score <= 100, score)
        self.assertEqual([speeds.score(name, every) for name in 'abcd'], first)
